"""BatchNorm and LayerNorm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgan import BatchNorm, LayerNorm, ShapeError

from ..compare import assert_close
from .pytorch import (
    assert_agrees,
    assert_first_order_agrees,
    assert_second_order_agrees,
    dtypes,
    few,
    seeds,
    sizes,
)
from .refusal import assert_shape_refused


@pytest.mark.parametrize("shape", [(50, 3), (5, 4, 6, 3)])
def test_batch_norm_normalises_each_channel_over_batch_and_pixels(shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape) * [1, 10, 100] + [5, 0, -70]
    y, _ = BatchNorm(3, eps=1e-12).initialize(dtype="float64").forward(x)
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axes), 1, rtol=1e-9)


def test_running_statistics_in_numbers():
    layer = BatchNorm(1, decay=0.75).initialize(dtype="float64")
    layer.forward(np.array([[2.0], [6.0]]))  # mean 4, variance 8 with M - 1 = 1 below
    assert layer.running_mean == pytest.approx(0.25 * 4)
    assert layer.running_var == pytest.approx(0.75 * 1 + 0.25 * 8)
    layer.forward(np.array([[2.0], [6.0]]), train=False)
    assert layer.running_mean == pytest.approx(1)
    y, _ = layer.forward(np.array([[7.0]]), train=False)
    assert y == pytest.approx((7 - 1) / math.sqrt(2.75 + 1e-5))


@pytest.mark.parametrize(("decay", "mean"), [(0, 4), (1, 0)])
def test_the_ends_of_decay(decay, mean):
    layer = BatchNorm(1, decay=decay).initialize(dtype="float64")
    layer.forward(np.array([[2.0], [6.0]]))
    assert layer.running_mean == mean


def test_running_statistics_of_batches_tend_to_those_of_the_data():
    rng = np.random.default_rng(0)
    layer = BatchNorm(2, decay=0.99).initialize(dtype="float64")
    for _ in range(1500):
        layer.forward(rng.normal([3, -1], [2, 0.5], (8, 2)))
    np.testing.assert_allclose(layer.running_mean, [3, -1], atol=0.15)
    np.testing.assert_allclose(layer.running_var, [4, 0.25], rtol=0.15)


def test_what_evaluation_cached_stays_as_it_was_while_training_goes_on():
    rng = np.random.default_rng(0)
    net = BatchNorm(3).initialize(0, dtype="float64")
    x, dy = rng.standard_normal((2, 6, 3))
    net.forward(x)
    _, cache = net.forward(x, train=False)
    found = []
    for _ in range(2):
        net.zero_grad()
        found.append((net.backward(dy, cache), net.grad.copy()))
        net.forward(x + 5)  # moves the running statistics
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("far", [10, 1000])
def test_batch_norm_far_from_zero_in_single_precision(far):
    """Nothing may be lost that the rounding of x itself has left."""
    rng = np.random.default_rng(0)
    x = (far + rng.standard_normal((4096, 4))).astype(np.float32)
    dy = rng.standard_normal((4096, 4)).astype(np.float32)
    results = []
    for dtype in "float32", "float64":
        net = BatchNorm(4).initialize(0, dtype=dtype)
        y, cache = net.forward(x.astype(dtype))
        dx = net.backward(dy.astype(dtype), cache)
        results.append((y, dx, net.grad))
    for single, exact in zip(*results, strict=True):
        assert_close(single, exact, 1e-6 * max(1, far / 10))


def test_layer_norm_normalises_each_sample():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 2)) * 9 + 4
    for shape, axes in ((2, 3), ((5, 2), (2, 3)), ((4, 5, 2), (1, 2, 3))):
        y, _ = LayerNorm(shape, eps=1e-12).initialize(dtype="float64").forward(x)
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
        np.testing.assert_allclose(y.var(axes), 1, rtol=1e-9)


# ---- errors ----------------------------------------------------------------------------------

BATCH, LAYER = r"BatchNorm\(3\): expected ", r"LayerNorm\(\(2, 3\)\): expected "


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: BatchNorm(3), (4, 2), BATCH + r"input of shape \(N, 3\), got \(4, 2\)$"),
        (
            lambda: BatchNorm(3),
            (4, 2, 2, 1),
            BATCH + r"input of shape \(N, H, W, 3\), got \(4, 2, 2, 1\)$",
        ),
        (
            lambda: BatchNorm(3),
            (1, 3),
            BATCH + r"at least two values per channel, got input of shape \(1, 3\)$",
        ),
        (lambda: BatchNorm(3), (3,), BATCH + r"input of shape \(N, 3\), got \(3,\)$"),
        (
            lambda: LayerNorm((2, 3)),
            (4, 3, 2),
            LAYER + r"input of shape \(N, 2, 3\), got \(4, 3, 2\)$",
        ),
        (lambda: LayerNorm((2, 3)), (2, 3), LAYER + r"input of shape \(N, 2, 3\), got \(2, 3\)$"),
    ],
)
def test_a_wrong_shape_is_named(make, shape, message):
    assert_shape_refused(make, shape, message)


def test_evaluation_of_a_single_sample_is_no_error():
    y, _ = BatchNorm(3).initialize().forward(np.ones((1, 3), "float32"), train=False)
    assert y.shape == (1, 3)


def test_batch_norm_without_a_batch_axis_is_refused_in_evaluation_too():
    with pytest.raises(ShapeError, match=BATCH + r"input of shape \(N, 3\), got \(3,\)$"):
        BatchNorm(3).initialize().forward(np.ones(3, "float32"), train=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchNorm(3, eps=0), r"BatchNorm\(eps=0\): expected eps > 0, got 0$"),
        (
            lambda: BatchNorm(3, decay=1.5),
            r"BatchNorm\(decay=1\.5\): expected 0 <= decay <= 1, got 1\.5$",
        ),
        (lambda: BatchNorm(3, decay=-0.1), r"expected 0 <= decay <= 1, got -0\.1$"),
        (lambda: LayerNorm(3, eps=-1), r"LayerNorm\(eps=-1\): expected eps > 0, got -1$"),
    ],
)
def test_a_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- PyTorch ---------------------------------------------------------------------------------

batches = st.tuples(st.integers(5, 9), few) | st.tuples(few, sizes, sizes, few)


@pytest.mark.torch
@dtypes
@given(batches, st.floats(0, 1), st.floats(1e-5, 0.1), seeds)
def test_batch_norm_in_training(dtype, shape, decay, eps, seed):
    assert_agrees(BatchNorm(shape[-1], eps=eps, decay=decay), shape, dtype, seed)


@pytest.mark.torch
@dtypes
@given(batches, st.floats(1e-5, 0.1), seeds)
def test_batch_norm_in_evaluation(dtype, shape, eps, seed):
    assert_first_order_agrees(BatchNorm(shape[-1], eps=eps), shape, dtype, seed, train=False)
    assert_second_order_agrees(BatchNorm(shape[-1], eps=eps), shape, dtype, seed, train=False)


@pytest.mark.torch
@dtypes
@given(
    st.lists(few, max_size=2), st.lists(sizes, min_size=1, max_size=3), st.floats(1e-5, 0.1), seeds
)
def test_layer_norm(dtype, middle, normed, eps, seed):
    shape = (*middle, *normed) if middle else (2, *normed)
    assert_agrees(LayerNorm(tuple(normed), eps=eps), shape, dtype, seed)
