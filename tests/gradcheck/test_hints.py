"""Hints of a report: the line where the layer's code fails, the worst entry, and what to do."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from scratchgan import Dense, Layer, LinearMap, Param, Sequential, ShapeError, Sigmoid, Tanh
from scratchgan.gradcheck import check
from scratchgan.layers import Elementwise

from . import planted


class Identity(Layer):
    """A right layer; the wrong ones derive from it."""

    def forward(self, x, train=True):
        return x.copy(), None

    def backward(self, dy, cache, into_params=True):
        return dy.copy()


class NoTrain(Identity):
    def forward(self, x):
        return x.copy(), None


class NoIntoParams(Identity):
    def backward(self, dy, cache):
        return dy.copy()


class NoForward(Layer):
    pass


class NoApply(LinearMap):
    pass


class SixColumns(Identity):
    def __init__(self):
        self.w = Param(np.ones((6, 2)))

    def forward(self, x, train=True):
        return x @ self.w.value, x  # of six columns


class FailsInside(Identity):
    def forward(self, x, train=True):
        return np.linalg.inv(x), x  # NumPy raises deep inside


class FailsInEvaluation(Identity):
    def forward(self, x, train=True):
        return (x if train else x[:, 7]), None


class NoCacheForTangent(Identity):
    def double_backward(self, t, dy):
        return t, None


class OtherNameForTheSwitch(Identity):
    def backward(self, dy, cache, learn=True):
        return dy.copy()


class NoInShape(LinearMap):
    def apply(self, x):
        return 2 * x

    def adjoint(self, dy):
        return 2 * dy


class SlopeWithoutValue(Elementwise):
    def f(self, x):
        return 2 * x

    def df(self):
        return 2


class FailsAtSecondOrder(Identity):
    def double_backward(self, t, dy, cache):
        return t[:, 7], None


FORWARD = "hint: declare it as forward(self, x, train=True)"
BACKWARD = "hint: declare it as backward(self, dy, cache, into_params=True)"
SHAPE = "hint: is (4, 5) an input shape that the layer takes?"


@pytest.mark.parametrize(
    ("layer", "method", "error", "line", "hint"),
    [
        (NoTrain(), "forward", "TypeError: NoTrain.forward()", "def forward(self, x):", FORWARD),
        (
            Sequential(Tanh(), NoTrain()),
            "forward",
            "TypeError: NoTrain.forward()",
            "def forward(self, x):",
            FORWARD,
        ),
        (
            NoIntoParams(),
            "backward",
            "TypeError: NoIntoParams.backward()",
            "def backward(self, dy, cache):",
            BACKWARD,
        ),
        (
            OtherNameForTheSwitch(),
            "backward",
            "TypeError: OtherNameForTheSwitch.backward()",
            "def backward(self, dy, cache, learn=True):",
            BACKWARD,
        ),
        (
            NoInShape(),
            "backward",
            "TypeError: NoInShape.adjoint()",
            "def adjoint(self, dy):",
            "hint: declare it as adjoint(self, dy, in_shape=None)",
        ),
        (
            Sequential(Dense(5, 4), SlopeWithoutValue()),
            "backward",
            "TypeError: SlopeWithoutValue.df()",
            "def df(self):",
            "hint: declare it as df(self, y)",
        ),
        (SixColumns(), "forward", "ValueError: matmul", "# of six columns", SHAPE),
        (FailsInside(), "forward", "LinAlgError: ", "# NumPy raises deep inside", SHAPE),
        (FailsInEvaluation(), "forward", "IndexError: ", "x[:, 7]), None", "is out of bounds"),
        (
            NoCacheForTangent(),
            "double_backward",
            "TypeError: NoCacheForTangent.double_backward()",
            "def double_backward(self, t, dy):",
            "hint: declare it as double_backward(self, t, dy, cache)",
        ),
        (FailsAtSecondOrder(), "double_backward", "IndexError: ", "t[:, 7], None", ""),
    ],
    ids=lambda value: str(value) if isinstance(value, Layer) else "",
)
def test_an_error_is_a_row_with_the_line_of_the_layers_own_file(layer, method, error, line, hint):
    row = check(layer, (4, 5)).rows[-1]
    assert row.check == f"{method} runs" and not row.passed
    said, place, *_ = row.detail.splitlines()
    assert error in said
    file, number, _ = place.split(":", 2)
    assert (file, place.endswith(line)) == (__file__, True), place
    assert Path(__file__).read_text().splitlines()[int(number) - 1].strip().endswith(line)
    assert hint in row.detail


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (NoForward(), f"NotImplementedError: NoForward() has no forward|{FORWARD}"),
        (
            NoApply(),
            "NotImplementedError: NoApply() has no apply|hint: declare it as apply(self, x)",
        ),
    ],
    ids=str,
)
def test_a_method_that_is_not_there_is_a_row_that_says_how_it_is_declared(layer, says):
    (row,) = check(layer, (4, 5)).rows
    assert (row.check, row.passed) == ("forward runs", False)
    for part in says.split("|"):
        assert part in row.detail


def test_an_error_in_evaluation_only_is_not_blamed_on_the_input_shape():
    assert "input shape" not in str(check(FailsInEvaluation(), (4, 5)))


REFUSED = r"Dense\(6, 2\): expected input of shape \(N, 6\), got \(4, 5\)"


def test_a_layer_that_refuses_the_shape_itself_raises():
    with pytest.raises(ShapeError, match=REFUSED):
        check(Dense(6, 2), (4, 5))


@pytest.mark.parametrize(
    ("wrong", "row", "array"),
    [
        (planted.WritesIntoX(), "x, dy and weights left alone", "x"),
        (planted.WritesIntoDy(), "x, dy and weights left alone", "dy"),
        (planted.TrainsInBackward(6, 4), "x, dy and weights left alone", "w"),
        (planted.RollsDice(), "forward repeats itself", "y"),
        (planted.ScalesCache(), "a cache can be used twice", "dx"),
        (planted.KeepsInput(6, 4), "two batches in flight", "dw"),
        (planted.DoublesDxForG(), "into_params=False", "dx"),
        (planted.IgnoresIntoParams(6, 4), "into_params=False", "d[wb]"),
        (planted.ReplacesGradient(6, 4), "gradients add up", "d[wb]"),
        (planted.OnlyWithoutBias(6, 4), 'into_params="only"', "db"),
        (planted.TrainsAtSecondOrder(6, 4), "double_backward leaves inputs alone", "w"),
        (planted.ReplacesAtSecondOrder(6, 4), "double_backward twice adds twice", "dB/dw"),
    ],
    ids=str,
)
def test_the_array_with_the_worst_entry_is_named(wrong, row, array):
    (found,) = [r for r in check(wrong, (4, 6)).rows if r.check == row]
    assert re.match(rf"worst in {array} at \(\d.*\): expected \S+, got \S+\nhint: \S", found.detail)


def failures(layer, shape=(4, 6)):
    """Names of the rows that failed in training."""
    rows = [row for row in check(layer, shape).rows if not row.passed]
    return [row.check for row in rows if "(evaluation)" not in row.check]


class RollsDiceInEvaluation(planted.RollsDice):
    def forward(self, x, train=True):
        return Tanh.forward(self, x) if train else super().forward(x)


def test_nothing_follows_a_forward_that_does_not_repeat_itself():
    last = check(planted.RollsDice(), (4, 6)).rows[-1]
    assert (last.check, last.passed) == ("forward repeats itself", False)
    assert "a Generator kept on the layer" in last.detail
    report = check(RollsDiceInEvaluation(), (4, 6))
    assert [row.check for row in report.rows if not row.passed] == [report.rows[-1].check]
    assert report.rows[-1].check == "forward repeats itself (evaluation)"


class ReplacesInBackward(SixColumns):
    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad[...] = cache.T @ dy
        return dy @ self.w.value.T


@pytest.mark.parametrize("layer", [ReplacesInBackward(), Sequential(ReplacesInBackward(), Tanh())])
def test_a_replaced_gradient_is_no_fault_of_into_params_only(layer):
    assert failures(layer) == ["gradients add up"]


@pytest.mark.parametrize(
    ("layer", "there"), [(Dense(6, 2), True), (ReplacesInBackward(), True), (Tanh(), False)]
)
def test_into_params_only_has_a_row_where_a_layer_has_parameters(layer, there):
    rows = [row.check for row in check(layer, (4, 6)).rows]
    assert ("gradients add up" in rows) is there
    assert ('into_params="only"' in rows) is there


class HalfTheSlope(Sigmoid):
    def df(self, y):
        return y  # without (1 - y)


def test_a_forgotten_factor_of_single_entries_is_among_the_guesses():
    (row,) = [row for row in check(HalfTheSlope(), (4, 6)).rows if row.check == "dx"]
    assert "a factor that is not the same for\nevery entry" in row.detail


class Plain(Identity):
    """Scales each column by numbers that nobody will ever learn."""

    def __init__(self):
        self.scale, self.count = np.ones(6), np.zeros(1, int)
        self.shift = np.zeros(6)

    def forward(self, x, train=True):
        return x * self.scale.astype(x.dtype), None


class Buffered(Plain):
    buffers = ("scale", "shift")


@pytest.mark.parametrize("layer", [Plain(), Sequential(Dense(6, 6), Plain())])
def test_plain_arrays_are_said_not_to_be_learned(layer):
    report = check(layer, (4, 6))
    (note,) = [note for note in report.notes if "second order" not in note]
    assert note.startswith("Plain() has no parameters, but arrays of its own (scale, shift), which")
    assert "not learned: make each a Param, or name it in `buffers`" in str(report)


@pytest.mark.parametrize("layer", [Buffered(), SixColumns(), Dense(6, 2)])
def test_buffers_and_params_make_no_note(layer):
    assert "of its own" not in str(check(layer, (4, 6)))


# ---- what is returned ------------------------------------------------------------------------


class Scaled(Identity):
    """y = a x, with the parameter a, and a second order."""

    def __init__(self):
        self.a = Param(np.ones(6))

    def forward(self, x, train=True):
        return x * self.a.value, x

    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.a.grad += (dy * cache).sum(0)
        return dy * self.a.value

    def double_backward(self, t, dy, cache):
        self.a.grad += (dy * t).sum(0)
        return t * self.a.value, None


def without_params(change):
    """A `Scaled` that changes dx where into_params is False."""

    class Changed(Scaled):
        def backward(self, dy, cache, into_params=True):
            dx = super().backward(dy, cache, into_params)
            return dx if into_params else change(dx)

    return Changed()


def tangent(change):
    """A `Scaled` that changes what double_backward returns."""

    class Changed(Scaled):
        def double_backward(self, t, dy, cache):
            return change(*super().double_backward(t, dy, cache))

    return Changed()


def failed(layer):
    return {row.check: row for row in check(layer, (4, 6)).rows if not row.passed}


def test_the_original_is_right():
    assert not failed(Scaled())


def test_a_nan_is_an_error_in_whichever_array_it_is():
    row = failed(without_params(lambda dx: dx * np.nan))["into_params=False"]
    assert row.error == np.inf
    assert re.match(r"worst in dx at \(0, 0\): expected [\d.-]+, got nan\n", row.detail)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda dx: None, "dx: expected an array of shape (4, 6), got <class 'NoneType'>"),
        (lambda dx: dx[:2], "dx: expected an array of shape (4, 6), got shape (2, 6)"),
    ],
)
def test_a_dx_of_another_shape_is_named(change, said):
    assert failed(without_params(change))["into_params=False"].detail == said


@pytest.mark.parametrize(
    ("change", "what", "said"),
    [
        (lambda jt, bend: (jt[:, :5], bend), "J t", "got shape (4, 5)"),
        (lambda jt, bend: (None, None), "J t", "got <class 'NoneType'>"),
        (lambda jt, bend: (jt, jt[0]), "dB/dx", "got shape (6,)"),
    ],
)
def test_a_second_order_of_another_shape_is_named(change, what, said):
    row = failed(tangent(change))[f"shape of {what}"]
    assert row.detail == f"{what}: expected an array of shape (4, 6), {said}"


def test_an_error_in_pythons_own_library_shows_the_users_line():
    class Fails(Identity):
        def forward(self, x, train=True):
            return random.choice([]), x

    (row,) = check(Fails(), (4, 6)).rows
    assert Path(__file__).name in row.detail and "random.choice([])" in row.detail


# ---- one mistake, one accusation -------------------------------------------------------------


class Swish(Layer):
    """A right layer, with a second order; the wrong ones derive from it."""

    def forward(self, x, train=True):
        s = 1 / (1 + np.exp(-x))
        return x * s, (x, s)

    def backward(self, dy, cache, into_params=True):
        x, s = cache
        return dy * (s + x * s * (1 - s))

    def double_backward(self, t, dy, cache):
        x, s = cache
        d = s * (1 - s)
        return t * (s + x * d), t * dy * (2 * d + x * d * (1 - 2 * s))


class InPlace(Swish):
    def backward(self, dy, cache, into_params=True):
        x, s = cache
        dy *= s + x * s * (1 - s)
        return dy


class WrongBackward(Swish):
    def backward(self, dy, cache, into_params=True):
        return dy * cache[1]


class ClipsInForward(planted.Dense):
    def forward(self, x, train=True):
        self.w.value *= 0.99
        return super().forward(x, train)


FOLLOWS = "this may follow from"


def accusations(layer):
    """The failed rows that do not say that they follow from another."""
    rows = [row for row in check(layer, (4, 6)).rows if not row.passed]
    assert all(("hint:" in row.detail) <= (FOLLOWS not in row.detail) for row in rows)
    return [row.check for row in rows if FOLLOWS not in row.detail]


@pytest.mark.parametrize(
    ("layer", "row"),
    [
        (InPlace(), "x, dy and weights left alone"),
        (WrongBackward(), "dx"),
        (planted.WritesIntoX(), "x, dy and weights left alone"),
        (planted.TrainsInBackward(6, 4), "x, dy and weights left alone"),
        (ClipsInForward(6, 4), "x, dy and weights left alone"),
        (planted.ScalesCache(), "a cache can be used twice"),
        (planted.SignOfBias(6, 4), "db"),
        (planted.ForgottenGamma(6), "dx"),
    ],
    ids=str,
)
def test_one_mistake_is_one_accusation(layer, row):
    assert accusations(layer) == [row]


def test_a_right_swish_is_not_accused():
    assert accusations(Swish()) == []


def test_a_wrong_second_order_is_still_accused():
    class NoBend(Swish):
        def double_backward(self, t, dy, cache):
            return super().double_backward(t, dy, cache)[0], None

    assert accusations(NoBend()) == ["second order dx"]


# ---- hints of small deviations ---------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1 + 1e-6, 1 + 1e-5, 1 - 1e-5, 1 + 9e-5])
def test_a_ratio_near_one_is_no_forgotten_factor(ratio):
    class Rounded(Swish):
        def backward(self, dy, cache, into_params=True):
            return (super().backward(dy, cache) * ratio).astype(dy.dtype)

    said = failed(Rounded())["dx"].detail
    assert f"every entry is {ratio:.8g} times what it should be: an epsilon, or a constant" in said


def test_small_deviations_that_differ_are_an_epsilon_too():
    class Epsilon(Identity):
        def forward(self, x, train=True):
            return x / np.sqrt(x * x + 1), x

        def backward(self, dy, cache, into_params=True):
            return (dy / (cache * cache + 1 + 1e-5) ** 1.5).astype(dy.dtype)

    assert "an epsilon, or a constant that was rounded" in failed(Epsilon())["dx"].detail


def test_a_factor_of_two_is_still_one():
    class Twice(Swish):
        def backward(self, dy, cache, into_params=True):
            return 2 * super().backward(dy, cache)

    assert "2 times what it should be: a factor is forgotten" in failed(Twice())["dx"].detail
