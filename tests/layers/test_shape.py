"""Reshape, Flatten, UpSample2D, Dropout."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgan import Dropout, Flatten, Reshape, Sequential, UpSample2D

from .pytorch import assert_agrees, dtypes, few, seeds
from .refusal import assert_shape_refused

# ---- shapes ----------------------------------------------------------------------------------


def test_flatten_and_reshape_keep_the_order_and_go_back():
    x = np.arange(24.0).reshape(2, 3, 4)
    flat, shape = Flatten().forward(x)
    np.testing.assert_array_equal(flat, np.arange(24).reshape(2, 12))
    np.testing.assert_array_equal(Flatten().backward(flat, shape), x)
    y, cache = Reshape((2, 6)).forward(x)
    np.testing.assert_array_equal(y, np.arange(24).reshape(2, 2, 6))
    np.testing.assert_array_equal(Reshape((2, 6)).backward(y, cache), x)
    assert Reshape((2, 6)).adjoint(y).shape == Flatten().adjoint(flat).shape == (2, 12)


def test_flatten_takes_any_shape():
    for shape in [(2, 3), (2, 3, 4), (2, 1, 1, 1, 5)]:
        y, _ = Flatten().forward(np.zeros(shape))
        assert y.shape == (2, np.prod(shape[1:]))


def test_upsampling_copies_pixels():
    x = np.array([[1.0, 2], [3, 4]])[None, :, :, None]
    y, _ = UpSample2D(2).forward(x)
    wanted = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(y[0, :, :, 0], wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Reshape((2, 3)),
            r"Reshape\(\(2, 3\)\): expected 6 numbers per sample, got input of shape \(4, 5\)$",
        ),
        (
            lambda: UpSample2D(2),
            r"UpSample2D\(2\): expected input of shape \(N, H, W, C\), got \(4, 5\)$",
        ),
    ],
)
def test_a_wrong_shape_is_named(make, message):
    assert_shape_refused(make, (4, 5), message)


# ---- Dropout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    n = 40_000
    y, cache = Dropout(rate).initialize(1).forward(np.ones((200, 200), "float32"))
    share = (y == 0).mean()
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / n)
    assert abs(y.mean() - 1) < 5 * math.sqrt(rate / (1 - rate) / n)
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-6)
    np.testing.assert_array_equal(Dropout(rate).backward(np.ones_like(y), cache), y)


def test_dropout_is_seeded_and_draws_anew_each_time():
    def masks(seed):
        layer = Dropout(0.5).initialize(seed)
        return [layer.forward(np.ones((9, 9)))[0] for _ in range(2)]

    np.testing.assert_array_equal(masks(1), masks(1))
    assert (masks(1)[0] != masks(1)[1]).any()
    assert (masks(1)[0] != masks(2)[0]).any()


def test_two_dropouts_of_a_network_drop_different_numbers():
    net = Sequential(Dropout(0.5), Dropout(0.5)).initialize(1)
    y, _ = net.forward(np.ones((100, 100)))
    assert abs((y == 0).mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 10_000)


def test_dropout_by_itself_needs_no_initialisation():
    masks = [Dropout(0.5, seed=s).forward(np.ones((9, 9)))[0] for s in (1, 1, 2)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_dropout_of_nothing_and_in_evaluation_changes_nothing():
    x = np.random.default_rng(0).standard_normal((5, 5))
    np.testing.assert_array_equal(Dropout(0).forward(x)[0], x)
    y, cache = Dropout(0.9).forward(x, train=False)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(Dropout(0.9).backward(x, cache), x)


# ---- arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dropout(1), r"Dropout\(rate=1\): expected 0 <= rate < 1, got 1$"),
        (lambda: Dropout(-0.1), r"Dropout\(rate=-0\.1\): expected 0 <= rate < 1, got -0\.1$"),
        (lambda: UpSample2D(0), r"UpSample2D\(factor=0\): expected an int >= 1, got 0$"),
        (lambda: UpSample2D(1.5), r"UpSample2D\(factor=1\.5\): expected an int >= 1, got 1\.5$"),
    ],
)
def test_a_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- PyTorch ---------------------------------------------------------------------------------


@pytest.mark.torch
@dtypes
@given(st.lists(few, min_size=1, max_size=3), seeds)
def test_flatten(dtype, shape, seed):
    assert_agrees(Flatten(), (3, *shape), dtype, seed)


@pytest.mark.torch
@dtypes
@given(few, few, few, few, st.integers(1, 3), seeds)
def test_upsampling(dtype, n, height, width, channels, factor, seed):
    assert_agrees(UpSample2D(factor), (n, height, width, channels), dtype, seed)


@pytest.mark.torch
@dtypes
def test_reshape(dtype):
    assert_agrees(Reshape((2, 3, 2)), (4, 12), dtype, 0)
