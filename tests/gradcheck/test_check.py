import copy

import numpy as np
import pytest

from scratchgan import BatchNorm, Dense, Dropout, Layer, ReLU, Sequential, Tanh
from scratchgan.gradcheck import Report, Row, check, check_loss
from scratchgan.gradcheck.finite import derivative, probe


def test_the_layer_is_not_touched():
    net = Sequential(Dense(4, 3), BatchNorm(3), Dropout(0.3)).initialize(1)
    net.grad += 1
    before = copy.deepcopy([net.state_dict(), net.grad, net.layers[2].rng.bit_generator.state])
    assert check(net, (5, 4)).passed
    after = [net.state_dict(), net.grad, net.layers[2].rng.bit_generator.state]
    np.testing.assert_equal(after, before)


def test_a_layer_without_initial_values_stays_so():
    layer = Dense(4, 3)
    assert check(layer, (2, 4)).passed
    assert layer.theta is None


def test_the_seed_decides():
    errors = [[row.error for row in check(Tanh(), (3, 2), seed).rows] for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]


def test_the_own_values_of_the_layer_are_checked():
    """Where only the initial values are wrong, a check must start from those that are set."""

    class WrongWhereLarge(Dense):
        def adjoint(self, dy, in_shape=None):
            return super().adjoint(dy) * (1 if abs(self.w.value).max() < 50 else 2)

    layer = WrongWhereLarge(3, 2)
    assert check(layer, (2, 3)).passed
    layer.initialize().w.value[...] = 100
    assert not check(layer, (2, 3)).passed


def test_without_second_order_a_note_says_so():
    class OnlyFirst(Dense):
        def double_backward(self, t, dy, cache):
            raise NotImplementedError

    report = check(OnlyFirst(3, 2), (2, 3))
    assert report.passed
    assert "the second order was not checked" in str(report)
    assert not any("second" in row.check for row in report.rows)


def test_a_layer_from_layer_alone():
    class Cube(Layer):
        def forward(self, x, train=True):
            return x**3, x

        def backward(self, dy, cache, into_params=True):
            return 3 * cache**2 * dy

        def double_backward(self, t, dy, cache):
            return 3 * cache**2 * t, 6 * cache * t * dy

    assert check(Cube(), (3, 4)).passed


def test_backward_that_returns_nothing_is_a_failure():
    class ReturnsNothing(Tanh):
        def backward(self, dy, cache, into_params=True):
            pass

    report = check(ReturnsNothing(), (2, 2))
    failed = [row.check for row in report.rows if not row.passed]
    assert failed in (["backward runs"], ["dx has the shape of x"])


def test_forward_that_returns_no_cache_is_refused():
    class NoCache(Tanh):
        def forward(self, x, train=True):
            return self.f(x)

    with pytest.raises(
        (TypeError, ValueError), match=r"NoCache\(\)\.forward: expected \(y, cache\), .* got <class"
    ):
        check(NoCache(), (2, 2))


def ragged(x):
    """It looks the same at every scale of differences: rough."""
    return 1e-3 * np.sin(1e9 * x)


def test_what_has_no_slope_is_reported_and_not_compared():
    class Ragged(Layer):
        def forward(self, x, train=True):
            return ragged(x), x

        def backward(self, dy, cache, into_params=True):
            return dy

    report = check(Ragged(), (3, 3))
    assert not report.passed
    assert "differences do not settle" in str(report)


def test_a_long_net_of_kinks_is_not_accused():
    layers = [part for _ in range(6) for part in (Dense(12, 12), ReLU())]
    assert check(Sequential(*layers), (4, 12)).passed


def test_a_large_array_is_probed_along_directions():
    class OneWrongRow(Dense):
        def weight_grad(self, x, dy):
            dw = super().weight_grad(x, dy)
            dw[7] *= 1.01
            return dw

    report = check(OneWrongRow(70, 70), (4, 70))
    failed = {row.check for row in report.rows if not row.passed}
    assert {"dw", "second order dw"} <= failed
    assert "along direction" in str(report)
    assert check(Dense(70, 70), (4, 70)).passed


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_a_failure(bad):
    class NotFinite(Tanh):
        def backward(self, dy, cache, into_params=True):
            dx = super().backward(dy, cache)
            dx[0, 0] = bad
            return dx

    report = check(NotFinite(), (2, 2))
    assert not report.passed
    assert "not finite" in str(report)


def test_the_table():
    report = Report("what", [Row("dx", 1e-12, 1e-7), Row("dw", 0.5, 1e-7, "worst\nhint: none")])
    assert not report.passed
    assert str(report).splitlines() == [
        "gradcheck what",
        "  check     error   allowed",
        "  dx      1.0e-12     1e-07  ok",
        "  dw      5.0e-01     1e-07  FAILED",
        "      worst",
        "      hint: none",
        "  1 of 2 checks FAILED",
    ]
    assert report.worst() == 0.5
    assert report.worst("dx") == 1e-12
    assert report.worst("db") == 0


def test_no_rows_and_no_number_are_no_success():
    assert not Report("nothing").passed
    assert not Row("dx", np.nan, 1).passed
    assert Row("dx", 1, 1).passed


# ---- losses ----------------------------------------------------------------------------------


def square(x):
    return (x**2).sum(), 2 * x


def test_check_loss_passes_what_is_right():
    assert check_loss(square, (3, 4)).passed
    assert check_loss(lambda a, b: ((a * b).sum(), b, a), (5,), (5,)).passed


@pytest.mark.parametrize(
    ("wrong", "row", "says"),
    [
        (lambda x: ((x**2).sum(), -2 * x), "d/d input 0", "wrong sign"),
        (lambda x: ((x**2).mean(), 2 * x), "d/d input 0", "every entry is 12 times"),
        (lambda x: ((x**2).sum(), np.zeros_like(x)), "d/d input 0", "zero everywhere"),
        (lambda x: ((x**2).sum(), 2 * x[0]), "d/d input 0", "expected shape (3, 4), got (4,)"),
        (lambda x: (0.0, x), "d/d input 0", "the true gradient is zero"),
        (lambda x: (ragged(x).sum(), x), "d/d input 0", "do not settle"),
    ],
)
def test_check_loss_finds_what_is_wrong(wrong, row, says):
    report = check_loss(wrong, (3, 4))
    assert [r.check for r in report.rows if not r.passed] == [row]
    assert says in str(report)


def test_check_loss_finds_a_loss_that_writes_into_its_input():
    def writes(x):
        x *= 2
        return (x**2).sum(), 2 * x

    failed = [row for row in check_loss(writes, (3,)).rows if not row.passed]
    assert any("left alone" in row.check and "in input 0 at (" in row.detail for row in failed)


def test_check_loss_visits_some_entries_of_a_large_array():
    calls = []

    def counted(x):
        calls.append(1)
        return square(x)[0] / 2, x

    assert check_loss(counted, (30, 30)).passed
    assert len(calls) < 150
    assert not check_loss(lambda x: (square(x)[0], 2.1 * x), (30, 30)).passed
    calls.clear()
    assert check_loss(counted, (4, 5)).passed
    assert len(calls) > 20 * 6


def cross_entropy(p):
    if not ((p > 0) & (p < 1)).all():
        raise ValueError("expected probabilities")
    return -(np.log(p) + np.log(1 - p)).sum(), (1 / (1 - p) - 1 / p).astype(p.dtype)


@pytest.mark.parametrize("between", [(0.01, 0.99), (0, 1), (0.2, 0.3), (1e-3, 2e-3)])
def test_check_loss_draws_from_the_range_that_it_is_given(between):
    seen = []

    def loss(p, factor=1):
        seen.append(p)
        value, gradient = cross_entropy(p)
        return value, factor * gradient

    for seed in range(3):
        report = check_loss(loss, (4, 5), seed=seed, between=between)
        assert report.passed, str(report)
        assert not check_loss(lambda p: loss(p, 2), (4, 5), seed=seed, between=between).passed
    assert all(between[0] <= p.min() and p.max() <= between[1] for p in seen)
    assert np.ptp(seen[0]) > 0.5 * (between[1] - between[0])


@pytest.mark.parametrize("between", [(1, 0), (0, 0), (0, np.inf), (np.nan, 1)])
def test_check_loss_refuses_what_is_no_range(between):
    with pytest.raises(ValueError, match="expected between="):
        check_loss(square, (3,), between=between)


# ---- differences -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (np.sin, 1),
        (np.exp, 1),
        (lambda s: 3 * s + 1e4, 3),
        (lambda s: (1 + s) ** 9, 9),
        (lambda s: 5.0, 0),
        (lambda s: np.maximum(s + 5e-5, 0), 1),  # a kink within the first step only
    ],
)
def test_a_derivative_and_its_doubt(f, slope):
    value, doubt, noise = derivative(f)
    assert abs(value - slope) <= 1e-7 * max(slope, 1)
    assert doubt + noise <= 1e-6 * max(slope, 1)


@pytest.mark.parametrize("f", [abs, lambda s: max(s, 0), lambda s: float(s > 0)])
def test_a_kink_or_jump_at_the_place_itself_is_doubtful(f):
    assert derivative(f)[1] > 0.1


@pytest.mark.parametrize(("every", "places"), [(True, 24), (False, 8 + 4)])
def test_probe_puts_everything_back(every, places):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4))
    before = x.copy()
    where, claimed, found, doubts, noises = probe(lambda: x**2, x, 2 * x, rng, every)
    np.testing.assert_array_equal(x, before)
    assert len(where) == len(claimed) == len(found) == len(doubts) == len(noises) == places
    np.testing.assert_allclose(found, claimed, rtol=0, atol=1e-8)


def test_a_report_is_true_if_it_passed():
    """So that ``assert check(...)`` is the test that it looks like."""
    assert check(Dense(3, 2), (4, 3))
    assert not Report("nothing")
    assert not Report("one row", [Row("dx", 1.0, 1e-7)])
