import math

import numpy as np
import pytest

from scratchgan import GaussianNoise, Sequential

SHAPE = (200, 200)


def test_the_noise_has_the_deviation_asked_for():
    x = np.full(SHAPE, 3.0, "float32")
    noise = GaussianNoise(0.5).initialize(1).forward(x)[0] - x
    assert noise.dtype == "float32"
    assert abs(noise.mean()) < 5 * 0.5 / 200
    assert abs(noise.std() / 0.5 - 1) < 5 / (math.sqrt(2) * 200)
    assert abs((np.abs(noise) < 0.5).mean() - 0.6827) < 5 * 0.47 / 200


def test_in_evaluation_and_without_deviation_it_does_nothing():
    x = np.random.default_rng(0).standard_normal((5, 5))
    np.testing.assert_array_equal(GaussianNoise(0.5).forward(x, train=False)[0], x)
    np.testing.assert_array_equal(GaussianNoise(0).forward(x)[0], x)


def test_it_is_seeded_and_draws_anew_each_time():
    def draws(seed):
        layer = GaussianNoise(1).initialize(seed)
        return [layer.forward(np.zeros((9, 9)))[0] for _ in range(2)]

    np.testing.assert_array_equal(draws(1), draws(1))
    assert (draws(1)[0] != draws(1)[1]).all()
    assert (draws(1)[0] != draws(2)[0]).all()
    y, _ = Sequential(GaussianNoise(1), GaussianNoise(1)).initialize(1).forward(np.zeros(SHAPE))
    assert abs(y.std() - math.sqrt(2)) < 0.05


def test_its_deviation_can_be_lowered_between_steps():
    layer, x = GaussianNoise(1.0, seed=4), np.zeros(SHAPE, "float32")
    for std in (0.3, np.float64(0.1), 0):
        layer.std = std
        y, _ = layer.forward(x)
        assert y.dtype == "float32"
        assert y.std() == pytest.approx(std, rel=0.02)


def test_single_and_double_precision_see_the_same_noise():
    double, single = (GaussianNoise(1, seed=2).forward(np.zeros(9, t))[0] for t in ("f8", "f4"))
    np.testing.assert_array_equal(double, single)


def test_the_gradient_goes_through():
    dy = np.ones((2, 3))
    layer = GaussianNoise(1)
    _, cache = layer.forward(np.zeros((2, 3)))
    np.testing.assert_array_equal(layer.backward(dy, cache), dy)
    jt, bend = layer.double_backward(dy, dy, cache)
    np.testing.assert_array_equal(jt, dy)
    assert bend is None


@pytest.mark.parametrize("std", [-0.1, float("nan"), float("inf")])
def test_a_deviation_that_cannot_be_is_refused(std):
    with pytest.raises(
        ValueError, match=r"GaussianNoise\(std=.*\): expected a finite number >= 0, got "
    ):
        GaussianNoise(std)
