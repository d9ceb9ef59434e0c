import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgan import LeakyReLU, ReLU, Sigmoid, Softplus, Tanh

from .pytorch import assert_agrees, dtypes, few, seeds


@pytest.mark.parametrize(
    ("layer", "x", "y", "slope"),
    [
        (LeakyReLU(0.1), [-2, 0, 3], [-0.2, 0, 3], [0.1, 0.1, 1]),
        (Tanh(), [-1e4, 0, 1e4], [-1, 0, 1], [0, 1, 0]),
        (Sigmoid(), [-1e4, 0, 1e4], [0, 0.5, 1], [0, 0.25, 0]),
        (Softplus(), [-1e4, 0, 1e4], [0, math.log(2), 1e4], [0, 0.5, 1]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_at_extremes(layer, x, y, slope, dtype):
    with np.errstate(over="raise", invalid="raise"):
        found, cache = layer.forward(np.array(x, dtype))
        dx = layer.backward(np.ones_like(found), cache)
        _, bend = layer.double_backward(np.ones_like(found), np.ones_like(found), cache)
    np.testing.assert_allclose(found, y, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(dx, slope, rtol=1e-6, atol=1e-6)
    assert bend is None or np.isfinite(bend).all()


@pytest.mark.parametrize("slope", [1.0, -0.2])
def test_a_bad_slope_is_named(slope):
    message = rf"LeakyReLU\(slope={slope}\): expected 0 <= slope < 1, got {slope}$"
    with pytest.raises(ValueError, match=message):
        LeakyReLU(slope)


@pytest.mark.torch
@dtypes
@pytest.mark.parametrize("make", [lambda: LeakyReLU(0.2), LeakyReLU, ReLU, Tanh, Sigmoid, Softplus])
@given(st.lists(few, min_size=1, max_size=3), seeds)
def test_elementwise(dtype, make, shape, seed):
    assert_agrees(make(), (3, *shape), dtype, seed)
