"""Gradient checks of plain functions: a forward with its backward, or f with its derivative.

The inputs are the caller's, so no others can be drawn, as for a layer, where one lies on a kink.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from .calls import parameters, takes_dy
from .check import _first_smooth
from .pair import FunctionUnderTest, PairUnderTest, is_checked, smallest
from .report import KinkError, Report, first

MOVE = 1e-3  # how far inputs on a kink are moved, relative to each entry


def check_functions(
    forward: Callable[..., tuple], backward: Callable[..., Any], inputs: Any, seed: int = 0
) -> Report:
    """Check a forward and its backward, written as in course exercises.

    A loss that returns its own gradient, ``loss, dx = softmax_loss(x, y)``, is such a forward: its
    cache is dx, and its backward is ``lambda dout, dx: dout * dx``.

    Parameters
    ----------
    forward : callable, (*inputs) -> (out, cache)
        ``out`` is an array, or a number such as a loss; ``cache`` may be anything.
    backward : callable, (dout, cache) -> gradients
        ``dout`` has the shape of ``out``; it is 1.0 if ``out`` is a number. One gradient for each
        float array of the inputs; or one for each input, with None where there is none. A float
        array whose gradient is None is not checked, and a note says so.
    inputs : sequence, or one array
        Float arrays (or lists of floats) are checked in float64. Arrays of integers or booleans
        (labels, masks) and other objects (tuples, a dict of settings) get no gradient. A float
        number is checked if backward returns a gradient for it.
        Each call gets a deep copy of them, so that no state goes from one call to the next.
    seed : int
        Seed of all random numbers: dout, directions.

    Returns
    -------
    Report
        Errors raised in the functions become a row. An input on a kink (that of a ReLU at 0, say)
        has no gradient: the check moves all inputs a little, and a note names the entry.

    Raises
    ------
    TypeError
        A function is not callable, or ``inputs`` is no sequence.
    ValueError
        A function does not take these arguments, or ``forward`` does not return (out, cache). An
        input is empty, not finite, or no array of real numbers; or none is a float array.
    """
    if isinstance(inputs, np.ndarray):
        inputs = [inputs]
    if not isinstance(inputs, (tuple, list)):
        raise TypeError(f"inputs: expected a list of arrays, got {type(inputs)}")
    names = parameters("forward", forward, len(inputs), f"{len(inputs)} inputs")
    parameters("backward", backward, 2, "(dout, cache)")
    arrays = [
        _array(name, value) if isinstance(value, (np.ndarray, list)) else value
        for name, value in zip(names, inputs, strict=True)
    ]
    if not any(map(is_checked, arrays)):
        kinds = ", ".join(type(value).__name__ for value in inputs) or "nothing"
        cure = "write x.astype(float), or np.array(0.5) for a number"
        raise ValueError(f"inputs: expected a float array among them, got {kinds}; {cure}")
    arrays = _with_numbers(forward, backward, arrays)
    return _check(PairUnderTest, (forward, backward), arrays, names, seed)


def check_function(f: Callable, df: Callable, x: Any, seed: int = 0) -> Report:
    """Check a function of one array and its derivative.

    Parameters
    ----------
    f : callable, (x) -> y
        Works entry by entry; or y is a number, and df(x) its gradient.
    df : callable, (x) -> slope, or (x, dy) -> dx
        The slope has the shape of x. A function with two parameters without defaults is taken for
        the second kind; then y may have any shape.
    x : array, list or number
        Checked in float64.
    seed : int
        Seed of all random numbers: dy, directions.

    Returns
    -------
    Report
        As of `check_functions`.

    Raises
    ------
    TypeError, ValueError
        As `check_functions`.
    """
    parameters("f", f, 1, "x alone")
    parameters("df", df, 1 + takes_dy(df), "x, or (x, dy)")
    return _check(FunctionUnderTest, (f, df), [_array("x", x).astype(float)], ["x"], seed)


def _check(kind, functions, inputs, names, seed):
    """Return the report of a ``kind`` of test; inputs on a kink are moved, and tried again."""
    shapes = [f"{name} {a.shape}" for name, a in zip(names, inputs, strict=True) if is_checked(a)]
    titles = [getattr(function, "__name__", repr(function)) for function in functions]
    kinks = []

    def moved(a, rng):
        far = MOVE * rng.standard_normal(a.shape).clip(-9, 9)  # too little to change a sign
        return np.where(a == 0, smallest(a) * np.abs(far), a * (1 + far))

    def run(report, rng):
        arrays = inputs
        if kinks:
            note = f"{kinks[0]}:\nall inputs were moved"
            report.notes.append(f"{note} by about {MOVE} of their size")
            arrays = [moved(a, rng) if is_checked(a) else a for a in inputs]
        test = kind(functions, arrays, names, rng, report)
        try:
            test.check_all()
        except KinkError:
            kinks.append(test.kink)
            raise

    return _first_smooth(f"{', '.join(titles)} on {', '.join(shapes)}", seed, run)


def _with_numbers(forward, backward, inputs):
    """Return the inputs; numbers whose gradient is returned become arrays without axes."""
    numbers = [i for i, a in enumerate(inputs) if isinstance(a, (float, np.floating))]
    if not numbers:
        return inputs
    floats = [i for i, a in enumerate(inputs) if i in numbers or is_checked(a)]
    with suppress(Exception), np.errstate(all="ignore"):
        out, cache = forward(*copy.deepcopy(inputs))
        found = backward(np.ones(np.shape(out))[()], cache)
        for places in range(len(inputs)), floats:
            if isinstance(found, (tuple, list)) and len(found) == len(places):
                filled = {i for i, g in zip(places, found, strict=True) if g is not None}
                filled &= set(numbers)
                return [np.array(a, float) if i in filled else a for i, a in enumerate(inputs)]
    return inputs


def _array(name, value):
    """Return a copy of an input: floats as float64, integers as they are."""
    try:
        array = np.array(value)
    except ValueError as error:
        message = f"{name}: expected an array, got a list with rows of different lengths"
        raise ValueError(message) from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers, got an array of {array.dtype}")
    if array.dtype.kind == "f":
        array = array.astype(float)
    if not array.size:
        raise ValueError(f"{name}: expected at least one entry, got shape {array.shape}")
    if not np.isfinite(array).all():
        place = first(~np.isfinite(array))
        raise ValueError(f"{name}: expected finite numbers, got {array[place]} at {place}")
    return array
