"""The operations of ``reference.py`` on the CPU, fast: blockwise, in threads, in kept memory."""
