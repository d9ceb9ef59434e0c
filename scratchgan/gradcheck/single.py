"""Checks of a layer in float32: results keep the dtype, and stay finite where they should."""

import contextlib
import copy

import numpy as np

from .report import Row

LARGE = 1e2, 1e4  # times N(0, 1): exp overflows beyond 88 in float32, beyond 709 in float64
FITS = 1e38  # about the largest number of float32
CURE = (
    "hint: a step inside overflows in float32, as exp does beyond 88: use np.tanh, np.logaddexp,\n"
    "or exp of -|x|; subtract the largest entry first"
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
    """Return a row for a `LayerUnderTest`: large inputs give finite results in float32, too.

    The function is finite, for this purpose, where the same code at the same input is finite in
    float64, and its result fits into float32. So tanh written with exp(x) fails (inf / inf), and an
    exp that honestly overflows passes. Where float64 overflows, too, nothing can be said.
    """
    row = Row("finite at large inputs", 0, 0)
    for factor in LARGE:
        x = (factor * test.x).astype("float32")
        with np.errstate(all="ignore"):
            single, double = (_results(test, x, dtype) for dtype in ("float32", "float64"))
        for name, a in single.items():
            right = double[name]
            bad = ~np.isfinite(a) & (np.abs(right) < FITS)
            if bad.any():
                i = tuple(map(int, np.argwhere(bad)[0]))
                size = f"inputs up to {np.abs(x).max():.0f}"
                said = f"{size}: {name} at {i}: expected {right[i]:.4g} (float64), got {a[i]}"
                row.detail = row.detail or f"{said}\n{CURE}"
                row.error += int(bad.sum())
    return row


def _results(test, x, dtype):
    """Return y, dx and the gradients of the parameters, computed in this dtype."""
    twin = copy_as(test.layer, dtype)
    y, cache = twin.forward(x.astype(dtype), not test.mode)
    dx = twin.backward(test.dy.astype(dtype), cache)
    return {"y": y, "dx": dx} | {f"d{key}": p.grad for key, p in twin.params().items()}
