"""Fast CPU versions of the operations in ``reference.py``: blocks, threads, reused memory."""
