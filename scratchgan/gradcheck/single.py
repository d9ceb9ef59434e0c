"""Other dtypes: float32 stays float32, and large inputs give finite results where they should."""

import contextlib
import copy
from itertools import product

import numpy as np

from .report import Row, first

LARGE = (  # exp overflows beyond 88 in float32, beyond 709 in float64
    ("float32", "float64", 1e2),
    ("float32", "float64", 1e4),
    ("float64", "longdouble", 1e3),
)
FITS = 1e-6  # of the largest number of a dtype, so that factors of it fit, too
CURE = (
    "hint: a step inside overflows in {}: use np.tanh, np.logaddexp, or exp of -|x|;\n"
    "subtract the largest entry first"
)


def copy_as(layer, dtype):
    """Return a copy in another dtype, with the values of ``layer`` if it has any."""
    twin = copy.deepcopy(layer).initialize(0, dtype=dtype)
    if layer.theta is not None:
        twin.load_state_dict(layer.state_dict())
    return twin


def same_dtype(test):
    """Return a row for a `LayerUnderTest`: float32 inputs must give float32 results."""
    single = copy_as(test.layer, "float32")
    x, dy = test.x.astype("float32"), test.dy.astype("float32")
    y, cache = single.forward(x, not test.mode)
    found = {"y": y, "dx": single.backward(dy, cache)}
    found |= {f"d{key}": p.grad for key, p in single.params().items()}
    with contextlib.suppress(NotImplementedError):
        test.stage = "double_backward"
        jt, bend = single.double_backward(x, dy, cache)
        found |= {"J t": jt, "dB/dx": y if bend is None else bend}
    dtypes = {name: getattr(a, "dtype", type(a)) for name, a in found.items()}
    wrong = [f"{name} is {dtype}" for name, dtype in dtypes.items() if dtype != np.float32]
    return Row("float32 stays float32", len(wrong), 0, ", ".join(wrong))


def finite(test):
    """Return the row of `large_row` for a `LayerUnderTest`, in a list; none if it refuses."""

    def results(dtype, x):
        twin = copy_as(test.layer, dtype)
        y, cache = twin.forward(x.astype(dtype), not test.mode)
        dx = twin.backward(test.dy.astype(dtype), cache)
        return {"y": y, "dx": dx} | {f"d{key}": p.grad for key, p in twin.params().items()}

    return large_row(results, [test.x], LARGE[:2])


def large_row(results, inputs, tries):
    """Return a row in a list: at large inputs, results are finite. The list is empty if all raise.

    A function is finite, for this purpose, where the same code at the same input is finite in the
    next larger type, and its result fits into the smaller one. So tanh written with exp(x) fails
    (inf / inf), and an exp that honestly overflows passes. The logarithm of a probability that is
    rounded to 0 passes, too: nothing overflows there.

    Parameters
    ----------
    results : callable, (dtype, *inputs) -> dict of arrays
        Computes in this dtype.
    inputs : list
        Each float64 array among them is scaled up alone, with both signs.
    tries : list of (dtype, larger dtype, size)
    """
    rows = []
    floats = [i for i, a in enumerate(inputs) if isinstance(a, np.ndarray) and a.dtype == float]
    for (dtype, wider, size), i, sign in product(tries, floats, (1, -1)):
        scaled = inputs[i] / (np.abs(inputs[i]).max() or 1.0)
        x = (sign * size * scaled).astype(dtype).astype(wider)
        given = [*inputs[:i], x, *inputs[i + 1 :]]
        seen = []
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            with np.errstate(over="call", call=lambda *_, seen=seen: seen.append(1)):
                both = [results(dtype, *copy.deepcopy(given))]
            both.append(results(wider, *copy.deepcopy(given)))
            row = Row("finite at large inputs", 0, 0)
            rows.append(row)
            for (name, got), right in zip(both[0].items(), both[1].values(), strict=True):
                got, right = np.asarray(got), np.asarray(right)
                bad = ~np.isfinite(got) & (np.abs(right) < FITS * np.finfo(dtype).max)
                if seen and bad.any():
                    place = first(bad)
                    values = f"expected {right[place]:.4g} ({wider}), got {got[place]}"
                    where = f"inputs up to {sign * size:g} in {dtype}: {name} at {place}"
                    row.detail = row.detail or f"{where}: {values}\n{CURE.format(dtype)}"
                    row.error += int(bad.sum())
    return sorted(rows, key=lambda row: row.passed)[:1]
