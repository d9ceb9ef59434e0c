"""The blockwise passes against one line of NumPy each, for every way of cutting the arrays."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgan.backend.cpu import channels as fused
from scratchgan.backend.cpu import threads as workers

shapes = st.one_of(
    st.tuples(st.integers(1, 300), st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
)


@pytest.fixture(autouse=True)
def threads_again():
    yield
    workers.set_threads()


@contextmanager
def in_pieces(threads):
    """Cut even small arrays into blocks, and give them to threads."""
    before = workers.SMALL, fused.BLOCK
    workers.set_threads(threads)
    workers.SMALL, fused.BLOCK = 0, 512
    try:
        yield
    finally:
        workers.SMALL, fused.BLOCK = before


def plain(x, dy, a, b, c, slope):
    """Each operation in one line, in float64."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    return {
        "leaky_relu": np.where(x > 0, x, slope * x),
        "leaky_relu_grad": np.where(x > 0, dy, slope * dy),
        "add_bias_": x + b,
        "sum_rows": x.reshape(-1, x.shape[-1]).sum(0),
        "channel_moments": (mean, ((x - mean) ** 2).mean(axes)),
        "channel_affine": a * (x - mean) + b,
        "channel_sums": (dy.sum(axes), ((x - mean) * dy).sum(axes)),
        "channel_affine_grad": a * dy + b * (x - mean) + c,
    }


def found(x, dy, a, b, c, slope):
    """The same by the backend."""
    y = x.copy()
    fused.add_bias_(y, b)
    mean = x.mean(tuple(range(x.ndim - 1)), dtype=float).astype(x.dtype)
    return {
        "leaky_relu": fused.leaky_relu(x, slope),
        "leaky_relu_grad": fused.leaky_relu_grad(dy, fused.leaky_relu(x, slope), slope),
        "add_bias_": y,
        "sum_rows": fused.sum_rows(x.reshape(-1, x.shape[-1])),
        "channel_moments": fused.channel_moments(x),
        "channel_affine": fused.channel_affine(x, mean, a, b),
        "channel_sums": fused.channel_sums(dy, x, mean),
        "channel_affine_grad": fused.channel_affine_grad(dy, x, mean, a, b, c),
    }


def compare(shape, slope, dtype, tolerance):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    a, b, c = (rng.standard_normal(shape[-1]).astype(dtype) for _ in range(3))
    before = x.copy(), dy.copy()
    wanted = plain(*(v.astype(float) for v in (x, dy, a, b, c)), slope)
    for name, value in found(x, dy, a, b, c, slope).items():
        pairs = zip(value, wanted[name], strict=True) if isinstance(value, tuple) else None
        for got, exact in pairs or [(value, wanted[name])]:
            assert got.dtype == dtype and got.shape == exact.shape, name
            scale = max(1, np.abs(exact).max(), (x.size / x.shape[-1]) ** 0.5)
            assert np.abs(got - exact).max() <= tolerance * scale, name
    assert (x == before[0]).all() and (dy == before[1]).all()


@settings(max_examples=60, deadline=None)
@given(shapes, st.sampled_from([0.0, 0.2]), st.sampled_from([None, 1, 2, 3]))
def test_any_shape_in_any_pieces(shape, slope, threads):
    with in_pieces(threads) if threads else nullcontext():
        compare(shape, slope, "float64", 1e-13)


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_large_arrays_in_single_precision(threads):
    if threads:
        workers.set_threads(threads)
    compare((128, 32, 32, 24), 0.2, "float32", 1e-6)


def test_an_array_that_is_not_contiguous_gets_its_bias():
    y = np.zeros((6, 4)).T
    fused.add_bias_(y, np.arange(6.0))
    assert (y == np.arange(6)).all()


def test_the_variance_of_values_far_from_zero():
    """In one pass, as mean of squares less square of mean, nothing would be left of it."""
    x = 1e4 + np.random.default_rng(0).standard_normal((100_000, 3)).astype(np.float32)
    mean, var = fused.channel_moments(x)
    exact = x.astype(float)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var(0), rtol=1e-4)
