"""Evaluation is checked as training is, and large inputs in float32 as small ones in float64."""

import numpy as np
import pytest

from scratchgan import Layer, Sequential
from scratchgan.gradcheck import check


class Function(Layer):
    """y = f(x) and dx = slope(x) dy."""

    def __init__(self, f, slope):
        self.f, self.slope = f, slope

    def forward(self, x, train=True):
        return self.f(x), x

    def backward(self, dy, cache, into_params=True):
        return self.slope(cache) * dy


class Triple(Layer):
    """The same forward in both modes; ``factor`` of backward in evaluation."""

    factor, bend = 3, 3

    def forward(self, x, train=True):
        return 3 * x, train

    def backward(self, dy, cache, into_params=True):
        return (3 if cache else self.factor) * dy

    def double_backward(self, t, dy, cache):
        return 3 * t, None if cache or self.bend == 3 else t * dy


class HalfInEvaluation(Triple):
    factor = 1.5


class BendsInEvaluation(Triple):
    bend = 0


def failed(layer, shape=(4, 5)):
    return [row.check for row in check(layer, shape).rows if not row.passed]


@pytest.mark.parametrize(
    ("layer", "rows"),
    [
        (Triple(), []),
        (HalfInEvaluation(), ["dx (evaluation)", "<J t, dy> = <t, J^T dy> (evaluation)"]),
        (BendsInEvaluation(), ["second order dx (evaluation)"]),
    ],
    ids=str,
)
def test_evaluation_is_checked_where_forward_is_the_same(layer, rows):
    assert failed(layer) == rows
    assert failed(Sequential(layer)) == rows


def test_what_is_the_same_in_both_modes_is_not_differentiated_twice():
    calls = []

    class Counted(Triple):
        def forward(self, x, train=True):
            calls.append(train)
            return super().forward(x, train)

    check(Counted(), (4, 5))
    assert calls.count(False) < 20 < 100 < calls.count(True)


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def tanh_of_exp(x):
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


FINITE = "finite at large inputs"
OVERFLOWS = {
    "tanh by exp": (tanh_of_exp, lambda x: 1 - np.tanh(x) ** 2),
    "softplus by exp": (lambda x: np.log(1 + np.exp(x)), sigmoid),
    "backward by exp": (lambda x: np.logaddexp(0, x), lambda x: np.exp(x) / (1 + np.exp(x))),
    "swish by exp": (
        lambda x: x * np.exp(x) / (1 + np.exp(x)),
        lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    ),
}
HONEST = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "exp": (np.exp, np.exp),
    "x^20": (lambda x: x**20, lambda x: 20 * x**19),
    "softplus": (lambda x: np.logaddexp(0, x), sigmoid),
    "1 / (1 + exp(-x))": (
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: 1 / (1 + np.exp(-x)) * (1 - 1 / (1 + np.exp(-x))),
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", OVERFLOWS)
def test_what_overflows_only_on_its_way_is_found(name):
    layer = Function(*OVERFLOWS[name])
    assert failed(layer) == [FINITE, f"{FINITE} (evaluation)"]
    assert "overflows in float32" in str(check(layer, (4, 5)))
    assert "expected" in str(check(layer, (4, 5)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", HONEST)
def test_what_is_finite_or_too_large_for_float32_is_not_accused(name):
    for seed in range(3):
        report = check(Function(*HONEST[name]), (4, 5), seed)
        assert report.passed, str(report)
        assert FINITE in [row.check for row in report.rows]
