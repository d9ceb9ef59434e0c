"""Two functions under test: a forward with its backward, or f with its derivative.

They get float64, and fresh copies in every call. With a random dout, each gradient of
S = <out, dout> is compared with differences of S.
"""

import copy
from contextlib import suppress
from itertools import product

import numpy as np

from ..layers.base import Layer
from .calls import takes_dy
from .hints import explain
from .report import FEW, FIRST, KinkError, Row, first, gradient_row, same_row
from .single import LARGE, large_row

SEED = "seed the random numbers inside, or pass the mask as an input;\nnothing more can be checked"
TWICE = "backward changes the cache: compute in new arrays, and take nothing out of it"
PLAIN = "x is an array: write np.where or np.maximum instead of `if`, np.exp instead of math.exp"
MIXES = "f mixes entries (as a softmax does), so a slope is not enough: write df(x, dy) -> dx"


class _Failed(Exception):  # noqa: N818
    """A check failed, and no other can follow: ``_Failed(name of the check, detail)``."""


class PairUnderTest:
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
        self.checked = [i for i, a in enumerate(inputs) if is_checked(a)]
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
        rest = "return one for each float array among the inputs, in their order"
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
        real = [isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in inputs]
        inputs = [a.astype(dtype) if r else a for a, r in zip(inputs, real, strict=True)]
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
        self.expect_floats(self.words[2], out)
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

    def expect_floats(self, name, out):
        """Refuse an output of which no differences can be made."""
        if not np.isfinite(out).all():
            place = first(~np.isfinite(out))
            hint = "choose inputs where it is finite (on the command line, --between LOW HIGH)"
            raise _Failed(f"{name} is finite", f"{name} at {place} is {out[place]}\nhint: {hint}")
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
        a, every = a.copy(), a.size <= FEW

        def S():  # noqa: N802
            inputs = self.copies()
            inputs[i] = a.copy()
            try:
                return self.forward(inputs)[0] * self.dout
            except _Failed:  # a step out of the domain of forward
                return np.full_like(out, np.nan, float)

        size = np.linalg.norm(self.dout) / max(size_of(a), 1.0)
        try:
            row = gradient_row(f"d{name}", FIRST, S, a, claimed, self.rng, size, every)
        except KinkError:
            self.kink = f"{name} {_kink(S, a) if every else 'is where differences do not settle'}"
            raise
        self.report.rows.append(row)

    def dtypes(self):
        """Add a note on float64 from float32, which is no mistake, and the row on large inputs."""
        with suppress(Exception), np.errstate(all="ignore"):
            names, found = (
                [self.words[2], *self.gradients],
                self.results("float32", self.inputs, self.dout),
            )
            wide = [n for n, a in zip(names, found, strict=True) if np.ndim(a) and a.dtype == float]
            if wide:
                note = f"float32 inputs give float64 in {', '.join(wide)}"
                self.report.notes.append(f"{note}: no mistake, but slower")

        def results(dtype, *inputs):
            names = [self.words[2], *self.gradients]
            found = self.results(dtype, inputs, 1.0)
            return {n: a for n, a in zip(names, found, strict=True) if a is not None}

        self.report.rows += large_row(results, self.inputs, LARGE)


class FunctionUnderTest(PairUnderTest):
    """A function of one array and its derivative, and the rows of all checks."""

    words = "f", "df", "y", "dy"

    def forward(self, inputs):
        """Return y, and no cache."""
        return self.output(self.call(0, *inputs)), None

    def backward(self, dout, cache, inputs):
        """Return [dx], from df(x, dy), or as df(x) * dy."""
        (x,) = inputs
        if takes_dy(self.functions[1]):
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
        if not row.passed and out.ndim and not takes_dy(self.functions[1]):
            x.flat[0] += 0.1 * size_of(x)
            if (self.forward([x])[0] != out).flat[1:].any():
                row.detail += f"\nhint: {MIXES}"


def is_checked(value):
    """Return True for the inputs that have a gradient."""
    return isinstance(value, np.ndarray) and value.dtype == float


def size_of(a):
    """Return the mean size of an array's entries; 1 if all are 0."""
    return np.abs(a).mean() or 1.0


def smallest(a):
    """Return the size of an array's smallest entry that is not 0, at most 1."""
    return np.abs(a[a != 0]).min(initial=1.0)


def _kink(function, x):
    """Say at which entry of x a function has a kink; or that its differences do not settle.

    At a kink, the slopes to the right and to the left differ as much at a small step as at a large
    one. Where a function only bends, they differ a tenth as much at a tenth of the step.
    """
    middle, bends = function().sum(), np.zeros((2, *x.shape))
    for k, place in product(range(2), np.ndindex(x.shape)):
        start, h = x[place], 10.0 ** (-5 - k) * (abs(x[place]) or smallest(x))
        for step in (h, -h):
            x[place] = start + step
            bends[k][place] += (function().sum() - middle) / h
        x[place] = start
    far, near = np.abs(np.nan_to_num(bends))
    place = tuple(map(int, np.unravel_index(near.argmax(), x.shape)))
    if 0.5 * far[place] < near[place] < 2 * far[place]:  # rounding grows tenfold
        return f"at {place} lies on a kink, where there is no gradient"
    return "is where differences do not settle"
