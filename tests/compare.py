"""How tests compare arrays."""

import numpy as np


def relative_error(found, wanted):
    """Normwise: the largest difference over the largest entry wanted."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    difference = np.abs(found - wanted).max(initial=0)
    return difference / (np.abs(wanted).max(initial=0) or 1.0)


def assert_close(found, wanted, tolerance, what=""):
    """Equal to ``tolerance``, normwise."""
    error = relative_error(found, wanted)
    assert error <= tolerance, f"{what} differs by {error:.2e}, {tolerance:.0e} allowed"
