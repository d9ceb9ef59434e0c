"""Checks of the options of constructors: numbers, sizes, and tuples of sizes.

A size that comes from an array's shape or from a file is often a NumPy integer. It is as good as
Python's. A bool or a float such as 3.0 is not: it is more often a mistake than a size.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def checked(fits: Callable[[Any], Any], owner: object, expected: str, **option: Any) -> Any:
    """Return the value of a constructor's option; raise ValueError unless it fits.

    ``checked(lambda r: 0 <= r < 1, self, "0 <= rate < 1", rate=rate)`` in a Dropout returns the
    rate, or says "Dropout(rate=2): expected 0 <= rate < 1, got 2".
    """
    ((name, value),) = option.items()
    value = _plain(value)
    try:
        good = fits(value)
    except (TypeError, ValueError):  # None or a string, say, which cannot be compared
        good = False
    if not good:
        call = f"{getattr(owner, '__name__', type(owner).__name__)}({name}={value!r})"
        raise ValueError(f"{call}: expected {expected}, got {value!r}")
    return value


def size(owner: object, least: int = 1, **option: Any) -> int:
    """Return a constructor's option that is an int, Python's or NumPy's, and not too small."""
    return checked(lambda n: _whole(n, least), owner, f"an int >= {least}", **option)


def sizes(owner: object, least: int = 1, pair: bool = False, **option: Any) -> tuple[int, ...]:
    """Return a constructor's option that is an int or several, as a tuple.

    With ``pair``, there are two, and an int n stands for (n, n).
    """
    (value,) = option.values()
    found = tuple(map(_plain, value if np.iterable(value) else (value,) * (1 + pair)))
    expected = f"an int or a {'pair' if pair else 'tuple'} of ints >= {least}"
    fits = all(_whole(n, least) for n in found) and (len(found) == 2 or not pair)
    checked(lambda _: fits, owner, expected, **option)
    return found


def _plain(value):
    """Return a NumPy number as Python's, which prints as 3 and has no say in a result's dtype."""
    return value.item() if getattr(value, "shape", None) == () else value


def _whole(n, least):
    """Return True for an int >= least that is no bool."""
    return isinstance(n, int) and not isinstance(n, bool) and n >= least
