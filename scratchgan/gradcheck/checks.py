"""The rows of a report: what was found, held against what is wanted."""

import numpy as np

from .finite import probe
from .report import Row, compare

__all__ = [
    "ADJOINT", "FIRST", "SECOND", "KinkError", "gradient_row", "inner_row", "no_limit", "norms",
    "same_row", "shape_row",
]  # fmt: skip

FIRST, SECOND, ADJOINT = 1e-7, 1e-6, 1e-12  # what is allowed, relative to the largest entry

HINTS = {
    "forward repeats itself": "randomness must come from a Generator kept on the layer, and\n"
    "forward must not change what it reads; until then nothing more can be checked",
    "inputs left alone": "the loss writes into one of them",
    "x, dy and weights left alone": "backward (or forward) writes into one of them",
    "double_backward leaves inputs alone": "it writes into x, t, dy or the weights",
    "double_backward twice adds twice": "it changes the cache, or replaces Param.grad: use +=",
    "a cache can be used twice": "backward changes the cache, or replaces Param.grad: use +=",
    "two batches in flight": "backward reads what the second forward left on self: use the cache",
    'into_params="only"': "the gradients without dx must be those with dx",
    "into_params=False": "gradients must stay as they are then, and dx the same",
    "gradients add up": "Param.grad was replaced, not added to: use +=",
}


class KinkError(Exception):
    """The differences do not settle here."""


def gradient_row(what, tolerance, function, x, gradient, rng, size, every=True):
    """A row: ``gradient`` against differences of ``function``, a sum of this size that reads x."""
    if np.shape(gradient) != x.shape:
        return Row(what, np.inf, tolerance, f"shape {np.shape(gradient)}, {x.shape} wanted")
    # Rounding of the sum, seen through the smallest step. A gradient below this is zero for all
    # that differences can tell, as is that of a bias in front of a BatchNorm.
    noise = 1e-9 * size
    places, claimed, found, doubts = probe(function, x, gradient, rng, every)
    largest = max(np.abs(claimed).max(initial=0), np.abs(found).max(initial=0))
    if largest <= noise:
        return Row(what, 0.0, tolerance)
    if doubts.max(initial=0) > max(0.1 * tolerance * largest, noise):
        raise KinkError(what)
    return compare(what, tolerance, places, claimed, found, slack=np.minimum(doubts, noise))


def inner_row(what, pairing, other):
    """A row: the inner product of a pair against a number that should equal it."""
    a, b = pairing
    value = (a * b).sum()
    error = abs(value - other) / (norms(a, b) or 1.0)
    return Row(what, error, ADJOINT, f"{value:.16g} against {other:.16g}")


def norms(a, b):
    """What <a, b> can be at most."""
    return np.linalg.norm(a) * np.linalg.norm(b)


def same_row(what, names, arrays, wanted):
    """A row: the largest difference in these arrays, relative to each one's largest entry."""
    row, kind = Row(what, 0.0, ADJOINT), what.removesuffix(" (evaluation)")
    for name, a, w in zip(names, arrays, wanted, strict=True):
        if misshapen := shape_row(what, name, a, w):
            return misshapen
        difference = np.abs(a - w)
        error = difference.max(initial=0) / (np.abs(w).max(initial=0) or 1.0)
        error = error if np.isfinite(error) else np.inf
        if error > row.error:
            i = np.unravel_index(np.argmax(difference), difference.shape)
            at = f"{name} at {tuple(map(int, i))}"
            values = f"worst in {at}: {a[i]:.8g}, {w[i]:.8g} wanted"
            row.error, row.detail = float(error), f"{values}\nhint: {HINTS.get(kind, '')}"
    return row


def shape_row(what, name, a, like):
    """A row, failed, where ``a`` is no array of the shape of ``like``; else None."""
    if isinstance(a, np.ndarray) and a.shape == like.shape:
        return None
    given = f"has shape {a.shape}" if isinstance(a, np.ndarray) else f"is of {type(a)}"
    return Row(what, np.inf, ADJOINT, f"{name} {given}, an array of shape {like.shape} wanted")


def no_limit(kink):
    """A row: there is no gradient that anything could be held against."""
    detail = "differences do not settle: not differentiable here, or not the same at every call"
    return Row(str(kink), np.inf, FIRST, detail)
