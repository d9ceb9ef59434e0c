"""Offsets, entries of very different sizes, numbers, and inputs that a function refuses."""

import numpy as np
import pytest

from scratchgan import Layer
from scratchgan.gradcheck import check, check_function, check_functions, check_loss

X = np.random.default_rng(0).standard_normal((3, 4))
FINITE = "finite at large inputs"


def failed(report):
    return [row.check for row in report.rows if not row.passed]


@pytest.mark.parametrize(
    ("f", "wrong", "x"),
    [
        (lambda x: x + 1e16, lambda x: 2 + 0 * x, X),
        (lambda x: 1e9 + 1e-6 * x, lambda x: 2e-6 + 0 * x, X),
        (lambda x: 1e6 + 1e-8 * x, lambda x: 2e-8 + 0 * x, X),
        (lambda x: (x**2).sum() + 1e16, lambda x: 7 * x, X),
        (lambda x: 1 / (1 + np.exp(-x)), lambda x: 2 * np.exp(-x), np.full(4, 40.0)),
        (np.square, lambda x: 3 * x, np.full(4, 1e100)),
        (np.square, lambda x: np.where(x < 2, 3, 2) * x, [1e-6, 1, 1e6, 1e9]),
        (np.sin, lambda x: 2 * np.cos(x), 1e6 + X),
    ],
)
def test_a_wrong_slope_is_not_hidden_by_large_numbers(f, wrong, x):
    assert "dx" in failed(check_function(f, wrong, x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def softmax_back(x, dy):
    y = softmax(x)
    return y * (dy - (dy * y).sum())


@pytest.mark.parametrize(
    ("f", "df", "x"),
    [
        *((np.sin, np.cos, far + X) for far in (1e5, 1e6)),
        (np.cos, lambda x: -np.sin(x), 1e6 + X),
        (softmax, softmax_back, [0.5, 1, 1.5, -1e9]),
        (np.log, lambda x: 1 / x, [1e-7, 0.5, 0.3, 0.2]),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x), [1e-8, 4, 100]),
        (np.square, lambda x: 2 * x, np.full(4, 1e100)),
        (np.square, lambda x: 2 * x, [1e-6, 1, 1e6, 1e9]),
    ],
)
def test_a_right_slope_passes_at_every_scale(f, df, x):
    report = check_function(f, df, x)
    assert report.passed and not report.notes, report


class Columns(Layer):
    def __init__(self, first, factor):
        self.slope, self.factor = np.array([first, 1, 1, 1]), np.array([1, *[factor] * 3])

    def forward(self, x, train=True):
        return x * self.slope.astype(x.dtype), None

    def backward(self, dy, cache, into_params=True):
        return dy * (self.slope * self.factor).astype(dy.dtype)


@pytest.mark.parametrize(("first", "factor"), [(1e8, 1.05), (1e9, 1.5), (1e10, 2), (1e12, -1)])
def test_a_wide_column_does_not_hide_narrow_ones(first, factor):
    assert "dx" in failed(check(Columns(first, factor), (3, 4)))
    assert check(Columns(first, 1), (3, 4)).passed


def prelu(x, a):
    return np.where(x > 0, x, a * x), (x, a)


@pytest.mark.parametrize("a", [0.25, np.float64(0.25), np.float32(0.25), np.array(0.25)])
def test_a_number_with_a_gradient_is_checked(a):
    def backward(dout, cache, factor=1):
        x, a = cache
        return np.where(x > 0, 1, a) * dout, factor * (dout * np.minimum(x, 0)).sum()

    assert "da" in [row.check for row in check_functions(prelu, backward, [X, a]).rows]
    assert check_functions(prelu, backward, [X, a]).passed
    assert failed(check_functions(prelu, lambda *pair: backward(*pair, 2), [X, a])) == ["da"]


class Refuses(Layer):
    def forward(self, x, train=True):
        if np.abs(x).max() > 50:
            raise ValueError("too large")
        return 2 * x, None

    def backward(self, dy, cache, into_params=True):
        return 2 * dy


def test_large_inputs_that_a_layer_refuses_are_not_tried():
    report = check(Refuses(), (3, 4))
    assert report.passed and FINITE not in str(report)


def test_an_error_in_a_loss_is_a_row():
    assert failed(check_loss(lambda x: x[9, 9, 9], (3, 4))) == ["loss runs"]


def test_large_inputs_are_tried_for_functions_and_losses():
    def bare(x):
        y = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        return y, y

    def back(dout, y):
        return y * (dout - (dout * y).sum(1, keepdims=True))

    assert failed(check_functions(bare, back, [X])) == [FINITE]

    def bce(x):
        return np.log(1 + np.exp(x)).sum(), 1 / (1 + np.exp(-x))

    assert failed(check_loss(bce, (3, 4))) == [FINITE]
    assert check_loss(lambda x: (np.logaddexp(0, x).sum(), bce(x)[1]), (3, 4)).passed
