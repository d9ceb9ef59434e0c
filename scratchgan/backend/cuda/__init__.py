"""The operations of ``reference.py`` on a CUDA device; only ``grids.py`` works without CuPy."""
