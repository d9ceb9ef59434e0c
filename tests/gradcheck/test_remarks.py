"""What a report says beside the numbers: where the layer's code breaks off, and what is wanted."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from scratchgan import Dense, Layer, LinearMap, Param, Sequential, ShapeError, Sigmoid, Tanh
from scratchgan.gradcheck import check

from . import planted


class Identity(Layer):
    """Right, and what the wrong ones are made from."""

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


class FailsAtSecondOrder(Identity):
    def double_backward(self, t, dy, cache):
        return t[:, 7], None


FORWARD = "hint: wanted is forward(self, x, train=True)"
BACKWARD = "hint: wanted is backward(self, dy, cache, into_params=True)"
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
        (SixColumns(), "forward", "ValueError: matmul", "# of six columns", SHAPE),
        (FailsInside(), "forward", "LinAlgError: ", "# NumPy raises deep inside", SHAPE),
        (FailsInEvaluation(), "forward", "IndexError: ", "x[:, 7]), None", "is out of bounds"),
        (
            NoCacheForTangent(),
            "double_backward",
            "TypeError: NoCacheForTangent.double_backward()",
            "def double_backward(self, t, dy):",
            "hint: wanted is double_backward(self, t, dy, cache)",
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
        (NoApply(), "NotImplementedError: NoApply() has no apply|hint: wanted is apply(self, x)"),
    ],
    ids=str,
)
def test_a_method_that_is_not_there_is_a_row_that_says_how_it_is_declared(layer, says):
    (row,) = check(layer, (4, 5)).rows
    assert (row.check, row.passed) == ("forward runs", False)
    for part in says.split("|"):
        assert part in row.detail


def test_what_goes_wrong_in_evaluation_only_is_no_matter_of_the_input_shape():
    assert "input shape" not in str(check(FailsInEvaluation(), (4, 5)))


def test_a_layer_that_refuses_the_shape_itself_raises():
    with pytest.raises(
        ShapeError, match=r"Dense\(6, 2\): expected input of shape \(N, 6\), got \(4, 5\)$"
    ):
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
        (planted.ParamsWithoutBias(6, 4), "backward_params = backward", "db"),
        (planted.TrainsAtSecondOrder(6, 4), "double_backward leaves inputs alone", "w"),
        (planted.ReplacesAtSecondOrder(6, 4), "double_backward twice adds twice", "dB/dw"),
    ],
    ids=str,
)
def test_the_array_with_the_worst_entry_is_named(wrong, row, array):
    (found,) = [r for r in check(wrong, (4, 6)).rows if r.check == row]
    assert re.match(rf"worst in {array} at \(\d.*\): \S+, \S+ wanted\nhint: \S", found.detail)


def failures(layer, shape=(4, 6)):
    """The rows that failed in training."""
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
def test_a_replaced_gradient_is_no_fault_of_backward_params(layer):
    assert failures(layer) == ["gradients add up"]


@pytest.mark.parametrize(("layer", "there"), [(Dense(6, 2), True), (ReplacesInBackward(), False)])
def test_backward_params_has_a_row_where_a_layer_defines_it(layer, there):
    rows = [row.check for row in check(layer, (4, 6)).rows]
    assert "gradients add up" in rows
    assert ("backward_params = backward" in rows) is there


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
def test_arrays_named_in_statistics_and_params_are_no_matter_of_a_note(layer):
    assert "of its own" not in str(check(layer, (4, 6)))


# ---- what is returned ------------------------------------------------------------------------


class Scaled(Identity):
    """y = a x, with a parameter, and a curvature of its own."""

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
    """`Scaled`, with this done to dx where no gradients are wanted."""

    class Changed(Scaled):
        def backward(self, dy, cache, into_params=True):
            dx = super().backward(dy, cache, into_params)
            return dx if into_params else change(dx)

    return Changed()


def tangent(change):
    """`Scaled`, with this done to what double_backward returns."""

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
    assert row.error == np.inf and row.detail.startswith("worst in dx at (0, 0): nan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda dx: None, "dx is of <class 'NoneType'>, an array of shape (4, 6) wanted"),
        (lambda dx: dx[:2], "dx has shape (2, 6), an array of shape (4, 6) wanted"),
    ],
)
def test_a_dx_of_another_shape_is_named(change, said):
    assert failed(without_params(change))["into_params=False"].detail == said


@pytest.mark.parametrize(
    ("change", "what", "said"),
    [
        (lambda jt, bend: (jt[:, :5], bend), "J t", "J t has shape (4, 5), "),
        (lambda jt, bend: (None, None), "J t", "J t is of <class 'NoneType'>, "),
        (lambda jt, bend: (jt, jt[0]), "dB/dx", "dB/dx has shape (6,), "),
    ],
)
def test_a_second_order_of_another_shape_is_named(change, what, said):
    row = failed(tangent(change))[f"shape of {what}"]
    assert row.detail == f"{said}an array of shape (4, 6) wanted"


def test_of_an_error_in_pythons_own_library_the_users_line_is_shown():
    class Fails(Identity):
        def forward(self, x, train=True):
            return random.choice([]), x

    (row,) = check(Fails(), (4, 6)).rows
    assert Path(__file__).name in row.detail and "random.choice([])" in row.detail
