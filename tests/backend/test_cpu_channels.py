"""The blockwise passes against the reference, for every way of cutting the arrays."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgan.backend import reference
from scratchgan.backend.cpu import channels
from scratchgan.backend.cpu import threads as cpu_threads

shapes = st.one_of(
    st.tuples(st.integers(1, 300), st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
)


@pytest.fixture(autouse=True)
def threads_again():
    yield
    cpu_threads.set_threads()


@contextmanager
def in_pieces(threads):
    """Cut even small arrays into blocks, and give them to threads."""
    before = cpu_threads.SMALL, channels.BLOCK
    cpu_threads.set_threads(threads)
    cpu_threads.SMALL, channels.BLOCK = 0, 512
    try:
        yield
    finally:
        cpu_threads.SMALL, channels.BLOCK = before


def results(ops, x, dy, vectors, slope):
    """Each operation by a backend, and what it writes into: lists of arrays, by name."""
    gamma, beta, mean, sigma, running_mean, running_var, dgamma, dbeta = (v.copy() for v in vectors)
    biased, total, matrix = x.copy(), beta.copy(), x.reshape(-1, x.shape[-1])
    ops.add_bias_(biased, beta)
    ops.add_rows_(total, matrix)
    s, q = ops.batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma)
    found = {
        "leaky_relu": [ops.leaky_relu(x, slope)],
        "leaky_relu_grad": [ops.leaky_relu_grad(dy, ops.leaky_relu(x, slope), slope)],
        "add_bias_": [biased],
        "sum_rows": [ops.sum_rows(matrix)],
        "add_rows_": [total],
        "batch_norm": [ops.batch_norm(x, mean, sigma, gamma, beta)],
        "batch_norm_sums_": [s, q, dgamma, dbeta],
        "batch_norm_grad": [ops.batch_norm_grad(dy, x, mean, sigma, gamma, s, q)],
    }
    if len(matrix) > 1:
        moments = ops.batch_moments_(running_mean, running_var, x, 0.9, 0.1)
        found["batch_moments_"] = [*moments, running_mean, running_var]
    return found


def compare(shape, slope, dtype, tolerance):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    vectors = rng.standard_normal((8, shape[-1])).astype(dtype)
    vectors[2:4] = x.mean(tuple(range(x.ndim - 1)), dtype=float), 1 + rng.random(shape[-1])
    before = x.copy(), dy.copy()
    wanted = results(reference, *(v.astype(float) for v in (x, dy, vectors)), slope)
    found = results(channels, x, dy, vectors, slope)
    assert found.keys() == wanted.keys()
    for name, arrays in found.items():
        for got, exact in zip(arrays, wanted[name], strict=True):
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
        cpu_threads.set_threads(threads)
    compare((128, 32, 32, 24), 0.2, "float32", 1e-6)


def test_an_array_that_is_not_contiguous_gets_its_bias():
    y = np.zeros((6, 4)).T
    channels.add_bias_(y, np.arange(6.0))
    assert (y == np.arange(6)).all()


def test_the_variance_of_values_far_from_zero():
    """In one pass, as mean of squares less square of mean, nothing would be left of it."""
    x = 1e4 + np.random.default_rng(0).standard_normal((100_000, 3)).astype(np.float32)
    mean, sigma = channels.batch_moments_(*np.zeros((2, 3), np.float32), x, 0.9, 0)
    exact = x.astype(float)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(sigma**2, exact.var(0), rtol=1e-4)


@pytest.mark.parametrize("rows", [1000, 1024, 1025, 200_001])
def test_many_float32_rows_are_summed_to_the_last_digits(rows):
    a = np.random.default_rng(0).random((rows, 3), np.float32)
    exact = a.sum(0, dtype=float)
    found = channels.sum_rows(a)
    assert found.dtype == np.float32
    assert np.abs(found / exact - 1).max() < 2e-7
