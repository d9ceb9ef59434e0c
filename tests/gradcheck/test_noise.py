"""Rounding hides differences: right gradients are not accused then, and wrong ones never pass."""

import numpy as np
import pytest

from scratchgan import Layer, Param
from scratchgan.gradcheck import check, check_loss

WIDE = np.array([1e6, 1, 1, 1, 1])
FIRST, LAST = np.eye(5)[[0, 4]]


def slope(x):
    return 1 - np.tanh(x) ** 2


class Function(Layer):
    """y = f(x) with dx = factor * f'(x) dy; the factor is a number, or one for each column."""

    def __init__(self, f, df, factor):
        self.f, self.df, self.factor = f, df, np.asarray(factor)

    def forward(self, x, train=True):
        return self.f(x).astype(x.dtype), x

    def backward(self, dy, cache, into_params=True):
        return (self.factor * self.df(cache) * dy).astype(dy.dtype)


CASES = {
    "a mask of -1e5": (lambda x: np.tanh(x) - 1e5 * LAST, slope),
    "a mask of -1e9": (lambda x: np.tanh(x) - 1e9 * LAST, slope),
    "all far away": (lambda x: np.tanh(x) - 1e9, slope),
    "added and taken away inside": (lambda x: (x + 1e9) - 1e9, np.ones_like),
    "the same in one column": (lambda x: (x + 1e9 * LAST) - 1e9 * LAST, np.ones_like),
    "a wide column": (lambda x: WIDE * np.tanh(x), lambda x: WIDE * slope(x)),
    "a narrow column": (lambda x: np.tanh(x) / WIDE, lambda x: slope(x) / WIDE),
    "tiny": (lambda x: 1e-12 * np.tanh(x), lambda x: 1e-12 * slope(x)),
    "huge": (lambda x: 1e12 * np.tanh(x), lambda x: 1e12 * slope(x)),
    "tiny changes of 1": (lambda x: 1 + 1e-9 * np.tanh(x), lambda x: 1e-9 * slope(x)),
}
WRONG = {
    "x 1.5": 1.5,
    "sign": -1,
    "zero": 0,
    "first column": 1 + 0.5 * FIRST,
    "last column": 1 + 0.5 * LAST,
    "no last column": 1 - LAST,
}


@pytest.mark.parametrize("name", CASES)
def test_a_right_gradient_passes(name):
    for seed in range(3):
        report = check(Function(*CASES[name], 1), (3, 5), seed)
        assert report.passed, str(report)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", CASES)
def test_a_wrong_gradient_fails(name, wrong):
    for seed in range(3):
        assert not check(Function(*CASES[name], WRONG[wrong]), (3, 5), seed).passed


@pytest.mark.parametrize("far", [1e11, 1e14, 1e17])
def test_where_all_is_hidden_the_report_cannot_tell(far):
    for factor in (1, 0, -1):
        report = check(Function(lambda x: np.tanh(x) - far, slope, factor), (3, 5))
        assert not report.passed
        assert "cannot tell" in str(report)


def test_the_wider_bound_is_stated():
    f, df = CASES["a mask of -1e9"]
    (row,) = [row for row in check(Function(f, df, 1), (3, 5)).rows if row.check == "dx"]
    assert row.passed and 1e-6 < row.tolerance < 1e-4
    (row,) = [row for row in check(Function(np.tanh, slope, 1), (3, 5)).rows if row.check == "dx"]
    assert row.tolerance == 1e-7


def test_the_near_columns_are_measured_as_finely_as_ever():
    f, df = CASES["a mask of -1e9"]
    assert not check(Function(f, df, 1 + 1e-6 * FIRST), (3, 5)).passed


class HugeBias(Layer):
    factor = 1

    def __init__(self):
        self.b = Param(np.full(5, 1e9))

    def forward(self, x, train=True):
        return x * x + self.b.value, x

    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.b.grad += self.factor * dy.sum(0)
        return 2 * cache * dy


@pytest.mark.parametrize("factor", [1, 1.5, -1, 0])
def test_a_huge_bias(factor):
    layer = HugeBias().initialize()
    layer.factor = factor
    layer.b.value[...] = 1e9
    assert check(layer, (3, 5)).passed is (factor == 1)


@pytest.mark.parametrize("factor", [1, 1.5, -1, 0])
@pytest.mark.parametrize(
    ("constant", "scale", "shape"),
    [(1e6, 1, (4, 5)), (1e9, 1, (4, 5)), (0, 1, (300, 100)), (0, 1e12, (4, 5)), (0, 1e-12, (4, 5))],
)
def test_a_loss_with_a_constant_a_scale_or_a_large_batch(constant, scale, shape, factor):
    def loss(x):
        return constant + scale * np.sin(x).sum(), (factor * scale * np.cos(x)).astype(x.dtype)

    assert check_loss(loss, shape).passed is (factor == 1)
