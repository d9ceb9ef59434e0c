"""BatchNorm and LayerNorm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgan import BatchNorm, LayerNorm, ShapeError, get_backend
from scratchgan.layers import MinibatchStd

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


@pytest.mark.parametrize("far", [10, 100, 1000, 1e4, 1e6, 1e7])
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
        assert_close(single, exact, 1e-6 * (far / 10 if 10 < far < 1000 else 1))


@pytest.fixture(params=["numpy", "reference"])
def backend(request):
    """One of the two that compute on NumPy arrays, and then the usual one again."""
    yield get_backend(request.param)
    get_backend("numpy")


NORMS = {"batch": lambda: BatchNorm(8), "layer": lambda: LayerNorm(8), "std": MinibatchStd}
each_norm = pytest.mark.parametrize("make", NORMS.values(), ids=list(NORMS))


@each_norm
@pytest.mark.parametrize("value", [10.1, 1000.1, 10000.1, -1e6 - 0.5, 3e30])
@pytest.mark.parametrize("shape", [(128, 8), (7, 8), (3, 40, 50, 8)])
def test_a_constant_channel_gives_0_not_rounding_noise(backend, make, value, shape):
    layer, x = make().initialize(), np.full(shape, value, np.float32)
    y, cache = layer.forward(x)
    if y.shape == x.shape:
        assert not y.any()
    dy = np.random.default_rng(0).standard_normal(y.shape).astype(np.float32)
    dx, exact = layer.backward(dy, cache), make().initialize(dtype="float64")
    _, exact_cache = exact.forward(x.astype(float))
    assert_close(dx, exact.backward(dy.astype(float), exact_cache), 1e-5)


@each_norm
@pytest.mark.parametrize("far", [1e4, 1e6])
def test_both_orders_far_from_zero_are_those_of_float64(backend, make, far):
    """The channels lie at 0, near and far; the inputs of both dtypes are the same numbers."""
    rng, results = np.random.default_rng(0), []
    x = (rng.standard_normal((200, 8)) + np.array([0, 1, far, -far, 0, 1, far, 2 * far])).astype(
        "float32"
    )
    if make is NORMS["layer"]:
        x = (rng.standard_normal((200, 8)) + far * np.arange(200)[:, None]).astype("float32")
    t, dy = rng.standard_normal((2, 200, 9)).astype("float32")
    for dtype in ("float32", "float64"):
        layer = make().initialize(dtype=dtype)
        y, cache = layer.forward(x.astype(dtype))
        slope = dy[:, : y.shape[1]].astype(dtype)
        dx = layer.backward(slope, cache)
        results.append((y, dx, *layer.double_backward(t[:, :8].astype(dtype), slope, cache)))
    for single, exact in zip(*results, strict=True):
        assert single.dtype == np.float32
        assert_close(single, exact, 5e-6)


@pytest.mark.parametrize("value", [0.0, 10000.1, -1e6 - 0.5])
def test_running_statistics_reach_a_constant_channel(value):
    """In float32 a tenth of a small step is rounded away: the mean would stop on its way."""
    layer, x = BatchNorm(8).initialize(), np.full((16, 8), value, np.float32)
    for _ in range(400):
        layer.forward(x)
    np.testing.assert_array_equal(layer.running_mean, x[0])
    assert not layer.forward(x, train=False)[0].any()


def test_a_decay_of_1_keeps_the_running_mean_far_from_zero_too():
    layer = BatchNorm(8, decay=1).initialize()
    layer.forward(np.full((16, 8), 1e6 + 0.5, np.float32))
    assert not layer.running_mean.any()


def test_huge_numbers_are_normalised():
    """Their squares are infinite in float32."""
    x = (1e25 * np.random.default_rng(0).standard_normal((50, 3))).astype(np.float32)
    with np.errstate(over="ignore"):  # the running variance cannot hold theirs
        y, _ = BatchNorm(3).initialize().forward(x)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)


def test_a_far_channel_leaves_the_others_as_they_are():
    x = np.random.default_rng(0).standard_normal((300, 2)).astype(np.float32)
    alone = BatchNorm(2).initialize()
    beside = BatchNorm(3).initialize()
    wide = np.concatenate([x, np.full((300, 1), 1e6, np.float32)], 1)
    assert_close(beside.forward(wide)[0][:, :2], alone.forward(x)[0], 2e-7)
    assert_close(beside.running_mean[:2], alone.running_mean, 2e-7)


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
        (lambda: BatchNorm(3, eps=0), r"BatchNorm\(eps=0\): expected 0 < eps < inf, got 0$"),
        (
            lambda: BatchNorm(3, decay=1.5),
            r"BatchNorm\(decay=1\.5\): expected 0 <= decay <= 1, got 1\.5$",
        ),
        (lambda: BatchNorm(3, decay=-0.1), r"expected 0 <= decay <= 1, got -0\.1$"),
        (lambda: LayerNorm(3, eps=-1), r"LayerNorm\(eps=-1\): expected 0 < eps < inf, got -1$"),
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
