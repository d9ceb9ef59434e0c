"""Initial values."""

import math

import numpy as np
import pytest

from scratchgan import Dense, Sequential, init


@pytest.mark.parametrize(
    ("draw", "shape", "variance"),
    [
        (init.normal(), (100, 300), 0.02**2),
        (init.normal(0.5), (100, 300), 0.25),
        (init.he, (100, 300), 2 / 100),
        (init.he, (4, 4, 20, 60), 2 / (16 * 20)),
        (init.glorot, (100, 300), 2 / 400),
        (init.glorot, (4, 4, 20, 60), 2 / (16 * 80)),
    ],
)
def test_initial_values_have_the_variance_of_the_paper(draw, shape, variance):
    w = draw(np.random.default_rng(0), shape)
    n = w.size
    assert w.shape == shape
    assert abs(w.mean()) < 5 * math.sqrt(variance / n)
    assert abs(w.var() / variance - 1) < 5 * math.sqrt(2 / n)


def test_glorot_is_uniform_within_its_bound():
    w = init.glorot(np.random.default_rng(0), (20, 40))
    bound = math.sqrt(6 / 60)
    assert 0.99 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize(("draw", "value"), [(init.zeros, 0), (init.ones, 1)])
def test_constants(draw, value):
    np.testing.assert_array_equal(draw(None, (2, 3)), np.full((2, 3), value))


def test_layers_use_the_initialiser_they_are_given():
    net = Sequential(Dense(300, 300, init=init.normal(3.0)), Dense(300, 10)).initialize()
    w, b = net.layers[0].w.value, net.layers[0].b.value
    assert w.std() == pytest.approx(3, rel=0.02)
    assert not b.any()
    assert np.abs(net.layers[1].w.value).max() <= math.sqrt(6 / 310) * (1 + 1e-6)
