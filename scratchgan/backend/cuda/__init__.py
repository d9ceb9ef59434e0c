"""The operations of ``reference.py`` on a CUDA device, by CuPy (``grids`` works without it)."""
