"""The operations of ``reference.py`` on NumPy, at the speed of the machine."""
