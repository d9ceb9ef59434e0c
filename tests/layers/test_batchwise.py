"""Pack and MinibatchStd: layers that look at several samples at once."""

import math

import numpy as np
import pytest

from scratchgan import Dense, MinibatchStd, Pack, Sequential, ShapeError, Tanh

# ---- Pack ------------------------------------------------------------------------------------


def test_neighbours_stand_side_by_side():
    x = np.arange(12.0).reshape(6, 2)
    y, cache = Pack(3).forward(x)
    np.testing.assert_array_equal(y, [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])
    np.testing.assert_array_equal(Pack(3).backward(y, cache), x)


def test_images_keep_their_pixels_and_stack_their_channels():
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 2))
    y, cache = Pack(2).forward(x)
    assert y.shape == (2, 3, 5, 4)
    np.testing.assert_array_equal(y[1, 2, 4], [*x[2, 2, 4], *x[3, 2, 4]])
    np.testing.assert_array_equal(Pack(2).backward(y, cache), x)


def test_a_pack_of_one_and_an_empty_batch():
    x = np.random.default_rng(0).standard_normal((4, 3))
    np.testing.assert_array_equal(Pack(1).forward(x)[0], x)
    y, cache = Pack(2).forward(np.zeros((0, 4, 4, 3)))
    assert y.shape == (0, 4, 4, 6)
    assert Pack(2).backward(y, cache).shape == (0, 4, 4, 3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 3), r"Pack\(2\): expected a multiple of 2 samples, got input of shape \(5, 3\)$"),
        ((4,), r"Pack\(2\): expected input of shape \(N, C\), got \(4,\)$"),
    ],
)
def test_what_cannot_be_packed_is_refused(shape, message):
    with pytest.raises(ShapeError, match=message):
        Pack(2).forward(np.zeros(shape))


@pytest.mark.parametrize("m", [0, -2, 1.5, "2"])
def test_a_pack_has_a_whole_number_of_samples(m):
    with pytest.raises(ValueError, match=r"Pack\(m=.*\): expected an int >= 1, got "):
        Pack(m)


# ---- MinibatchStd ----------------------------------------------------------------------------


@pytest.mark.parametrize("train", [True, False])
def test_the_new_channel_holds_the_mean_standard_deviation(train):
    x = np.array([[1.0, 10], [3, 10], [5, 40], [7, 40]])  # of variance 5 and 225
    y, _ = MinibatchStd(eps=1e-12).forward(x, train)
    np.testing.assert_array_equal(y[:, :2], x)
    np.testing.assert_allclose(y[:, 2], (math.sqrt(5) + 15) / 2, rtol=1e-9)


def test_one_number_for_all_pixels():
    x = np.random.default_rng(0).standard_normal((5, 3, 4, 2))
    y, _ = MinibatchStd().forward(x)
    assert y.shape == (5, 3, 4, 3)
    np.testing.assert_allclose(y[..., 2], x.std(0).mean(), rtol=1e-6)


@pytest.mark.parametrize("x", [np.full((4, 3), 7.0), np.ones((1, 3))], ids=["alike", "alone"])
def test_samples_that_do_not_differ_give_no_nan(x):
    layer = MinibatchStd(eps=1e-4)
    with np.errstate(all="raise"):
        y, cache = layer.forward(x)
        dx = layer.backward(np.ones_like(y), cache)
        jt, bend = layer.double_backward(np.ones_like(x), np.ones_like(y), cache)
    np.testing.assert_allclose(y[:, -1], 1e-2)
    np.testing.assert_allclose(dx, 1)
    np.testing.assert_allclose(jt[:, -1], 0, atol=1e-12)
    np.testing.assert_allclose(bend, 0, atol=1e-12)


def test_a_collapsed_batch_stands_out():
    rng = np.random.default_rng(0)
    varied, collapsed = rng.standard_normal((2, 64, 10))
    collapsed = collapsed[:1] + 1e-3 * varied
    s = [MinibatchStd().forward(x)[0][0, -1] for x in (varied, collapsed)]
    assert s[0] > 500 * s[1] > 0


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 3), r"expected at least one sample, got input of shape \(0, 3\)$"),
        ((3,), r"expected input of shape \(N, C\), got \(3,\)$"),
    ],
)
def test_what_has_no_deviation_is_refused(shape, message):
    with pytest.raises(ShapeError, match=r"MinibatchStd\(eps=1e-08\): " + message):
        MinibatchStd().forward(np.zeros(shape))


@pytest.mark.parametrize("eps", [0, -1e-8, float("nan")])
def test_eps_must_be_positive(eps):
    with pytest.raises(ValueError, match=r"MinibatchStd\(eps=.*\): expected 0 < eps < inf, got "):
        MinibatchStd(eps=eps)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: MinibatchStd(eps=1e-3), (5, 4)),
        (lambda: MinibatchStd(eps=1e-3), (4, 3, 2, 3)),
        (lambda: Pack(2), (6, 3)),
        (lambda: Pack(3), (6, 2, 3, 2)),
        (lambda: Sequential(Pack(2), Dense(6, 4), Tanh(), MinibatchStd(), Dense(5, 1)), (8, 3)),
    ],
)
def test_both_orders_against_autograd(reference, make, shape, dtype):
    for seed in range(3):
        reference.assert_first_order_agrees(make(), shape, dtype, seed)
        reference.assert_second_order_agrees(make(), shape, dtype, seed)
