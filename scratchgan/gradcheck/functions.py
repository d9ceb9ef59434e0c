"""Gradient checks of plain functions: a forward with its backward, or f with its derivative.

The inputs are the caller's. They are copied, and every call gets fresh copies: a function that
writes into its input is accused of that, and of nothing that follows from it. With a random dout,
each gradient of S = <out, dout> is compared with differences of S.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from inspect import Parameter, Signature, signature
from itertools import product
from typing import Any

import numpy as np

from ..layers.base import Layer
from .check import _first_smooth
from .hints import explain
from .layer import FEW
from .report import FIRST, KinkError, Report, Row, gradient_row, same_row

MOVE = 1e-3  # how far inputs on a kink are moved, relative to their size
LARGE = ("float32", "float64", 100.0), ("float64", "longdouble", 1000.0)
SEED = "seed the random numbers inside, or pass the mask as an input;\nnothing more can be checked"
TWICE = "backward changes the cache: compute in new arrays, and take nothing out of it"
PLAIN = "x is an array: write np.where or np.maximum instead of `if`, np.exp instead of math.exp"
MIXES = "f mixes entries (as a softmax does), so a slope is not enough: write df(x, dy) -> dx"
SMALL = "give exp only arguments below 0, or use np.tanh, np.logaddexp"


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
        (labels, masks) and other objects (numbers, tuples, a dict of settings) get no gradient.
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
        raise TypeError(f"inputs: expected a list of arrays, got {inputs!r}")
    names = _parameters("forward", forward, len(inputs), "the inputs")
    _parameters("backward", backward, 2, "dout and the cache")
    arrays = [
        _array(name, value) if isinstance(value, (np.ndarray, list)) else value
        for name, value in zip(names, inputs, strict=True)
    ]
    if not any(map(_is_checked, arrays)):
        kinds = ", ".join(type(value).__name__ for value in inputs) or "nothing"
        cure = "write x.astype(float), or np.array(0.5) for a number"
        raise ValueError(f"inputs: expected a float array among them, got {kinds}; {cure}")
    return _check(FunctionsUnderTest, (forward, backward), arrays, names, seed)


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
        As of `check_functions`, and with a row for large inputs: at 100 in float32 and 1000 in
        float64, y and dx must be finite where they are finite in the next larger type.

    Raises
    ------
    TypeError, ValueError
        As `check_functions`.
    """
    _parameters("f", f, 1, "x")
    _parameters("df", df, 1 + _takes_dy(df), "x, or x and dy")
    return _check(FunctionUnderTest, (f, df), [_array("x", x).astype(float)], ["x"], seed)


class _Failed(Exception):  # noqa: N818
    """A check failed, and no other can follow: ``_Failed(name of the check, detail)``."""


class FunctionsUnderTest:
    """A forward and a backward, copies of the inputs, and the rows of all checks.

    Parameters
    ----------
    functions : pair of callable
    inputs : list
        The arrays of float64 are those whose gradients are checked.
    names : list of str
        One for each input.
    rng : np.random.Generator
    report : Report
        Rows and notes are added to it.
    """

    words = "forward", "backward", "out", "dout"

    def __init__(self, functions, inputs, names, rng, report):
        self.functions, self.inputs, self.names = functions, inputs, names
        self.rng, self.report, self.dout, self.kink = rng, report, 1.0, ""
        self.checked = [i for i, a in enumerate(inputs) if _is_checked(a)]
        self.gradients = [f"d{names[i]}" for i in self.checked]  # their names

    # ---- one call ----------------------------------------------------------------------------

    def call(self, which, *arguments):
        """Call one of the two functions; an error in its code becomes a failed row."""
        try:
            return self.functions[which](*arguments)
        except Exception as error:
            told = explain(error, Layer())
            if "truth value of an array" in told or "converted to Python scalar" in told:
                told += f"\nhint: {PLAIN}"
            raise _Failed(f"{self.words[which]} runs", told) from error

    def forward(self, inputs):
        """Return out, an array, and the cache."""
        result = self.call(0, *inputs)
        if isinstance(result, (tuple, list)) and len(result) == 2:
            return self.output(result[0]), result[1]
        got = f"{len(result)} objects" if isinstance(result, tuple) else type(result)
        cure = "for f(x) -> y without a cache there is check_function(f, df, x)"
        raise ValueError(f"forward: expected (out, cache), got {got}; {cure}")

    def output(self, out):
        """Return what the first function computed as an array; refuse all but real numbers."""
        if not isinstance(out, (tuple, list)) and np.asarray(out).dtype.kind in "fiu":
            return np.asarray(out)
        cure = "; for forward(...) -> (out, cache) there is check_functions"
        got = f"{type(out)}{cure if isinstance(out, tuple) else ''}"
        raise ValueError(f"{self.words[0]}: expected {self.words[2]} as an array, got {got}")

    def backward(self, dout, cache, inputs):
        """Return copies of the gradients of the checked inputs; None where there is none."""
        found = self.call(1, dout, cache)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(found) == len(self.inputs):
            found = [g for i, g in enumerate(found) if i in self.checked or g is not None]
        if len(found) == len(self.checked) and any(g is not None for g in found):
            return [self.copied(*pair) for pair in zip(self.gradients, found, strict=True)]
        wanted = f"{len(self.checked)} ({', '.join(self.gradients)})"
        got = f"{len(found)} ({', '.join(type(g).__name__ for g in found)})"
        rest = "integers, numbers and other objects have no gradient, or None"
        check = "backward returns one gradient an input"
        raise _Failed(check, f"expected {wanted}, got {got}\nhint: {rest}")

    def copied(self, name, gradient):
        """Return a gradient as a new array, or None."""
        with suppress(ValueError):  # lists with rows of different lengths
            if gradient is None or np.asarray(gradient).dtype.kind in "fiu":
                return None if gradient is None else np.array(gradient)
        raise _Failed(f"{name} is an array", f"expected real numbers, got {type(gradient)}")

    def copies(self):
        """Return fresh copies of all inputs."""
        return copy.deepcopy(self.inputs)

    def results(self, dtype, inputs, dout):
        """Return out and the gradients, computed with the checked inputs in another dtype."""
        inputs = [a.astype(dtype) if _is_checked(a) else a for a in inputs]
        out, cache = self.forward(copy.deepcopy(inputs))
        dout = np.broadcast_to(dout, out.shape).astype(dtype) if out.ndim else 1.0
        return [out, *self.backward(dout, cache, inputs)]

    # ---- rows --------------------------------------------------------------------------------

    def check_all(self):
        """Add all rows to the report."""
        try:
            self.check_each()
        except _Failed as failed:
            check, detail = failed.args
            self.report.rows.append(Row(check, np.inf, 0, detail))

    def check_each(self):
        """Add one row after the other, until there is no point in going on."""
        given = self.copies()
        out, cache = self.forward(given)
        self.fit(self.words[2], out)
        if out.ndim:
            self.dout = self.rng.standard_normal(out.shape)
        alone = self.left_alone(given, cache)
        again, cache = self.forward(self.copies())
        if not self.same("forward repeats itself", [self.words[2]], [again], [out], SEED):
            return
        claimed = self.backward(copy.copy(self.dout), cache, self.copies())
        if alone and cache is not None:  # else the cache may have changed with an input
            found = self.backward(copy.copy(self.dout), cache, self.copies())
            pairs = zip(self.gradients, found, claimed, strict=True)
            there = [pair for pair in pairs if pair[1] is not None]
            self.same("a cache can be used twice", *map(list, zip(*there, strict=True)), TWICE)
        for i, gradient in zip(self.checked, claimed, strict=True):
            self.gradient(i, gradient, out)
        self.dtypes()

    def fit(self, name, out):
        """Refuse an output of which no differences can be made."""
        if not np.isfinite(out).all():
            place = _first(~np.isfinite(out))
            raise _Failed(f"{name} is finite", f"{name} at {place} is {out[place]}")
        if out.dtype in (np.float16, np.float32):
            detail = f"{name} is {out.dtype}\nhint: differences need float64: cast nothing inside"
            raise _Failed("float64 stays float64", detail)

    def left_alone(self, given, cache):
        """Add a row: neither function writes into an input or dout. Return True if so."""
        arrays = [i for i, a in enumerate(given) if isinstance(a, np.ndarray)]
        names, before = [self.names[i] for i in arrays], [self.inputs[i] for i in arrays]
        guilty, dout = self.words[0], copy.copy(self.dout)
        if all(np.array_equal(given[i], a) for i, a in zip(arrays, before, strict=True)):
            guilty = self.words[1]
            self.backward(dout, cache, given)
        after = [*(given[i] for i in arrays), dout]
        names, before = [*names, self.words[3]], [*before, self.dout]
        cure = f"{guilty} writes into it: compute in a new array"
        return self.same("inputs left alone", names, after, before, cure)

    def same(self, what, names, arrays, expected, cure):
        """Add a row: these arrays should be equal. Return True if they are."""
        pair = ([np.asarray(a, float) for a in group] for group in (arrays, expected))
        row = same_row(what, names, *pair)
        if not row.passed:
            row.detail = row.detail.partition("\nhint: ")[0] + f"\nhint: {cure}"
        self.report.rows.append(row)
        return row.passed

    def gradient(self, i, claimed, out):
        """Add a row: the gradient of input i against differences of S = <out, dout>."""
        name, a = self.names[i], self.inputs[i]
        if claimed is None:
            self.report.notes.append(f"no gradient of {name} (None): it was not checked")
            return
        # The steps of the differences fit numbers near 1. A power of 2 scales without rounding.
        scale = 2.0 ** np.round(np.log2(_size(a)))
        u, every = np.asarray(a / scale), a.size <= FEW

        def S():  # noqa: N802
            inputs = self.copies()
            inputs[i] = np.asarray(u * scale)
            return (self.forward(inputs)[0] * self.dout).sum() / scale

        size = np.linalg.norm(out) * np.linalg.norm(self.dout) / scale
        try:
            row = gradient_row(f"d{name}", FIRST, S, u, claimed, self.rng, size, every)
        except KinkError:
            self.kink = f"{name} at {_sharpest(S, u)}" if every else f"an entry of {name}"
            raise
        self.report.rows.append(row)

    def dtypes(self):
        """Add a note if results are float64 where the inputs are float32: no mistake."""
        with suppress(Exception), np.errstate(all="ignore"):
            found = zip(
                [self.words[2], *self.gradients],
                self.results("float32", self.copies(), self.dout),
                strict=True,
            )
            wide = [name for name, a in found if a is not None and a.ndim and a.dtype == float]
            if wide:
                note = f"float32 inputs give float64 in {', '.join(wide)}"
                self.report.notes.append(f"{note}: no mistake, but slower")


class FunctionUnderTest(FunctionsUnderTest):
    """A function of one array and its derivative, and the rows of all checks."""

    words = "f", "df", "y", "dy"

    def forward(self, inputs):
        """Return y, and no cache."""
        return self.output(self.call(0, *inputs)), None

    def backward(self, dout, cache, inputs):
        """Return [dx], from df(x, dy), or as df(x) * dy."""
        (x,) = inputs
        if _takes_dy(self.functions[1]):
            return [self.copied("dx", self.call(1, x, dout))]
        slope, y_shape = self.copied("df(x)", self.call(1, x)), np.shape(dout)
        if y_shape not in ((), x.shape):
            cure = "hint: f is not entry by entry: write df(x, dy) -> dx"
            raise _Failed("y has the shape of x", f"expected {x.shape}, got {y_shape}\n{cure}")
        if np.shape(slope) != x.shape:
            detail = f"expected {x.shape}, got {np.shape(slope)}"
            raise _Failed("df(x) has the shape of x", detail)
        return [slope * dout]

    def gradient(self, i, claimed, out):
        """Add a row as for any input; a slope cannot be right where f mixes entries."""
        super().gradient(i, claimed, out)
        row, (x,) = self.report.rows[-1], self.copies()
        if not row.passed and out.ndim and not _takes_dy(self.functions[1]):
            x.flat[0] += 0.1 * _size(x)
            if (self.forward([x])[0] != out).flat[1:].any():
                row.detail += f"\nhint: {MIXES}"

    def dtypes(self):
        """Add a row: y and dx are finite at large inputs, where they should be."""
        super().dtypes()
        row = Row("finite at large inputs", 0, 0)
        for (dtype, wider, large), sign in product(LARGE, (1, -1)):
            x = np.resize([sign * large, -sign * large], self.inputs[0].shape)
            with suppress(Exception), np.errstate(all="ignore"):
                both = (self.results(kind, [x], 1.0) for kind in (dtype, wider))
                for name, got, true in zip(("y", "dx"), *both, strict=True):
                    fits = np.isfinite(true) & (abs(true) <= np.finfo(dtype).max)
                    if row.passed and (wrong := fits & ~np.isfinite(got)).any():
                        place = _first(wrong)
                        values = f"expected {true[place]:.6g}, got {got[place]}"
                        told = f"{name} where x is +-{large:g}, in {dtype}: {values}"
                        row = Row(row.check, np.inf, 0, f"{told}\nhint: {SMALL}")
        self.report.rows.append(row)


def _check(kind, functions, inputs, names, seed):
    """Return the report of a ``kind`` of test; inputs on a kink are moved, and tried again."""
    shapes = [f"{name} {a.shape}" for name, a in zip(names, inputs, strict=True) if _is_checked(a)]
    titles = [getattr(function, "__name__", repr(function)) for function in functions]
    kinks = []

    def run(report, rng):
        moved = inputs
        if kinks:
            told = f"{kinks[0]} lies on a kink, where there is no gradient"
            report.notes.append(f"{told}: all inputs were moved by about {MOVE} of their size")
            steps = (
                MOVE * _size(a) * rng.standard_normal(a.shape) for a in inputs if _is_checked(a)
            )
            moved = [a + next(steps) if _is_checked(a) else a for a in inputs]
        test = kind(functions, moved, names, rng, report)
        try:
            test.check_all()
        except KinkError:
            kinks.append(test.kink)
            raise

    return _first_smooth(f"{', '.join(titles)} on {', '.join(shapes)}", seed, run)


def _signature(function):
    """Return a function's signature; that of ``f(*args)`` for some functions written in C."""
    try:
        return signature(function)
    except (TypeError, ValueError):
        return Signature([Parameter("args", Parameter.VAR_POSITIONAL)])


def _positional(function):
    """Return the parameters that a call without keywords fills."""
    kinds = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return [p for p in _signature(function).parameters.values() if p.kind in kinds]


def _takes_dy(df):
    """Return True for df(x, dy), False for df(x): the number of parameters without defaults."""
    return sum(p.default is p.empty for p in _positional(df)) > 1


def _parameters(word, function, count, wanted):
    """Return the names of a function's first parameters; refuse what does not take so many."""
    if not callable(function):
        raise TypeError(f"{word}: expected a function, got {function!r}")
    found = _signature(function)
    try:
        found.bind(*range(count))
    except TypeError as error:
        wanted = f"expected a function that takes {wanted}, {count} in all"
        raise ValueError(f"{word}{found}: {wanted}, but {error}") from None
    names = [p.name for p in _positional(function)]
    return [*names[:count], *(f"input {i}" for i in range(len(names), count))]


def _array(name, value):
    """Return a copy of an input: floats as float64, integers as they are."""
    try:
        array = np.array(value)
    except ValueError as error:  # a list with rows of different lengths
        raise ValueError(f"{name}: expected an array, got {value!r:.60}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers, got an array of {array.dtype}")
    if array.dtype.kind == "f":
        array = array.astype(float)
    if not array.size:
        raise ValueError(f"{name}: expected at least one entry, got shape {array.shape}")
    if not np.isfinite(array).all():
        place = _first(~np.isfinite(array))
        raise ValueError(f"{name}: expected finite numbers, got {array[place]} at {place}")
    return array


def _is_checked(value):
    """Return True for the inputs that have a gradient."""
    return isinstance(value, np.ndarray) and value.dtype == float


def _size(a):
    """Return the mean size of an array's entries; 1 if all are 0."""
    return np.abs(a).mean() or 1.0


def _first(mask):
    """Return the index of the first True."""
    return tuple(map(int, np.argwhere(mask)[0]))


def _sharpest(function, u, h=1e-5):
    """Return the index of the entry of u along which a function bends most."""
    middle, bends = function(), np.empty(u.shape)
    for place in np.ndindex(u.shape):
        start, bends[place] = u[place], -2 * middle
        for step in (h, -h):
            u[place] = start + step
            bends[place] += function()
        u[place] = start
    return tuple(map(int, np.unravel_index(np.abs(bends).argmax(), u.shape)))
