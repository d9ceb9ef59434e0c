"""The operations against their formulas: convolution against loops, functions against math.

All of it holds for the reference and for the fast forms on the CPU.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scratchgan.backend import conv_reference, reference
from scratchgan.backend.cpu import ops as cpu_ops

from ..compare import assert_close

# ---- convolution -----------------------------------------------------------------------------


def by_loops(x, w, stride, padding):
    """Seven loops, one for each letter of the formula."""
    (SH, SW), ((top, bottom), (left, right)) = stride, padding
    N, H, W, C = x.shape
    KH, KW, _, O = w.shape  # noqa: E741
    Y = (H + top + bottom - KH) // SH + 1
    X = (W + left + right - KW) // SW + 1
    y = np.zeros((N, Y, X, O))
    for n, i, j, o, p, q, c in itertools.product(*map(range, (N, Y, X, O, KH, KW, C))):
        row, column = i * SH + p - top, j * SW + q - left
        if 0 <= row < H and 0 <= column < W:
            y[n, i, j, o] += x[n, row, column, c] * w[p, q, c, o]
    return y


pads = st.tuples(st.integers(0, 2), st.integers(0, 2))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw):
    """x, w, stride and padding, each side of its own."""
    n, height, width = draw(st.integers(1, 2)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    kernel, stride, padding = draw(pairs), draw(pairs), (draw(pads), draw(pads))
    assume(all(s + sum(p) >= k for s, p, k in zip((height, width), padding, kernel, strict=True)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    c_in, c_out = draw(pairs)
    x = rng.standard_normal((n, height, width, c_in))
    return x, rng.standard_normal((*kernel, c_in, c_out)), stride, padding


implementations = pytest.mark.parametrize("ops", [reference, cpu_ops], ids=["reference", "cpu"])


@implementations
@given(convolutions())
def test_convolution_is_what_seven_loops_say(ops, convolution):
    x, w, stride, padding = convolution
    wanted = by_loops(x, w, stride, padding)
    assert_close(ops.conv2d(x, w, stride, padding), wanted, 1e-12)


@implementations
@given(convolutions(), st.integers(0, 2**32))
def test_the_three_products_are_adjoint(ops, convolution, seed):
    """<conv(x), dy> = <x, adjoint(dy)> = <w, weight_grad(x, dy)>."""
    x, w, stride, padding = convolution
    y = ops.conv2d(x, w, stride, padding)
    dy = np.random.default_rng(seed).standard_normal(y.shape)
    dx = ops.conv2d_adjoint(dy, w, stride, padding, x.shape[1:3])
    dw = ops.conv2d_weight_grad(x, dy, w.shape[:2], stride, padding)
    assert (dx.shape, dw.shape) == (x.shape, w.shape)
    scale = np.linalg.norm(y) * np.linalg.norm(dy) + 1e-300
    assert abs((y * dy).sum() - (x * dx).sum()) <= 1e-12 * scale
    assert abs((y * dy).sum() - (w * dw).sum()) <= 1e-12 * scale


@given(convolutions(), st.integers(0, 2**32))
def test_im2col_and_col2im_are_adjoint(convolution, seed):
    x, w, stride, padding = convolution
    cols = conv_reference.im2col(x, w.shape[:2], stride, padding)
    other = np.random.default_rng(seed).standard_normal(cols.shape)
    back = conv_reference.col2im(other, stride, padding, x.shape[1:3])
    assert back.shape == x.shape
    scale = np.linalg.norm(cols) * np.linalg.norm(other) + 1e-300
    assert abs((cols * other).sum() - (x * back).sum()) <= 1e-12 * scale


def test_im2col_in_numbers():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    cols = conv_reference.im2col(x, (2, 2), (1, 2), ((0, 0), (0, 1)))
    assert cols.shape == (1, 2, 2, 2, 2, 1)
    np.testing.assert_array_equal(cols[0, :, :, :, :, 0].reshape(4, 4), PATCHES)


PATCHES = [[0, 1, 3, 4], [2, 0, 5, 0], [3, 4, 6, 7], [5, 0, 8, 0]]


@implementations
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolution_keeps_the_dtype_and_its_arguments(ops, dtype):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 4, 4, 3)).astype(dtype), np.ones((3, 3, 3, 2), dtype)
    geometry = (2, 2), ((1, 1), (1, 1))
    dy = np.ones((2, 2, 2, 2), dtype)
    before = [a.copy() for a in (x, w, dy)]
    results = [
        ops.conv2d(x, w, *geometry),
        ops.conv2d_adjoint(dy, w, *geometry, (4, 4)),
        ops.conv2d_weight_grad(x, dy, (3, 3), *geometry),
    ]
    assert {a.dtype for a in results} == {np.dtype(dtype)}
    np.testing.assert_equal([x, w, dy], before)


# ---- elementwise -----------------------------------------------------------------------------

numbers = st.floats(-700, 700)


@implementations
@given(numbers)
def test_sigmoid_and_softplus_are_their_formulas(ops, x):
    a = np.array([x])
    sigmoid, softplus = ops.sigmoid(a), ops.softplus(a)
    wanted = math.exp(x) / (1 + math.exp(x)) if x < 0 else 1 / (1 + math.exp(-x))
    np.testing.assert_allclose(sigmoid, wanted, rtol=1e-13)
    wanted = math.log1p(math.exp(x)) if x < 0 else x + math.log1p(math.exp(-x))
    np.testing.assert_allclose(softplus, wanted, rtol=1e-13)


@implementations
@given(numbers, numbers)
def test_tanh_and_its_slope(ops, x, dy):
    y = ops.tanh(np.array([x]))
    np.testing.assert_allclose(y, math.tanh(x), rtol=1e-15)
    slope = (1 - y) * (1 + y) * dy
    np.testing.assert_allclose(ops.tanh_grad(np.array([dy]), y), slope, atol=1e-15 * abs(dy))


@implementations
@given(numbers, st.floats(0, 0.99), numbers)
def test_leaky_relu_and_its_slope(ops, x, slope, dy):
    y = ops.leaky_relu(np.array([x]), slope)
    assert y[0] == (x if x > 0 else slope * x)
    positive = ops.leaky_relu_grad(np.array([dy]), y, slope)[0]
    assert positive == pytest.approx(dy if y[0] > 0 else slope * dy, rel=1e-15)


@implementations
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elementwise_functions_keep_the_dtype_and_do_not_overflow(ops, dtype):
    x = np.array([-1e30, -100, 0, 100, 1e30], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        results = [
            ops.sigmoid(x),
            ops.softplus(x),
            ops.tanh(x),
            ops.tanh_grad(x, ops.tanh(x)),
            ops.leaky_relu(x, 0.2),
            ops.leaky_relu_grad(x, x, 0.2),
            ops.leaky_relu_grad(x, x, 0),
        ]
    assert {a.dtype for a in results} == {np.dtype(dtype)}
    assert all(np.isfinite(a).all() for a in results)
    np.testing.assert_allclose(results[0], [0, 0, 0.5, 1, 1], atol=1e-40)


@implementations
@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 3, 2)])
def test_batch_normalisation_is_its_formulas(ops, shape):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, *shape))
    running_mean, running_var, gamma, beta, dgamma, dbeta = before = rng.random((6, shape[-1]))
    before = before.copy()
    axes, M = tuple(range(x.ndim - 1)), x.size // shape[-1]

    mean, sigma = ops.batch_moments_(running_mean, running_var, x, 0.9, 0.1)
    assert_close(mean, x.mean(axes), 1e-14)
    assert_close(sigma**2, x.var(axes) + 0.1, 1e-14)
    assert_close(running_mean, 0.9 * before[0] + 0.1 * x.mean(axes), 1e-14)
    assert_close(running_var, 0.9 * before[1] + 0.1 * x.var(axes, ddof=1), 1e-14)

    xhat = (x - mean) / sigma
    assert_close(ops.batch_norm(x, mean, sigma, gamma, beta), gamma * xhat + beta, 1e-14)

    s, q = ops.batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma)
    assert_close(s, dy.sum(axes), 1e-14)
    assert_close(q, (xhat * dy).sum(axes), 1e-14)
    assert_close(dgamma, before[4] + q, 1e-14)
    assert_close(dbeta, before[5] + s, 1e-14)
    alone = ops.batch_norm_sums_(None, None, dy, x, mean, sigma)
    for found, again in zip(alone, (s, q), strict=True):
        assert_close(found, again, 0)

    dx = ops.batch_norm_grad(dy, x, mean, sigma, gamma, s, q)
    assert_close(dx, gamma * (dy - s / M - xhat * q / M) / sigma, 1e-13)


@implementations
def test_rows_are_added_to_what_is_there(ops):
    total, a = np.arange(3.0), np.random.default_rng(0).standard_normal((5, 3))
    ops.add_rows_(total, a)
    assert_close(total, np.arange(3) + a.sum(0), 1e-15)


@implementations
def test_host_arrays_pass_through(ops):
    x = np.ones(3, "float32")
    assert ops.to_host(x) is ops.asarray(x) is x
    assert ops.asarray([1, 2], "float64").dtype == "float64"
    assert ops.device_count() == 0
    assert ops.synchronize() is None


@implementations
def test_what_a_step_takes_from_the_host_is_made_on_the_spot(ops):
    drawn = ops.host_array(lambda: np.arange(3), (3,), "float32")
    assert drawn.dtype == "float32" and drawn.tolist() == [0, 1, 2]
    made = np.ones(2, bool)
    assert ops.host_array(lambda: made, (2,), bool) is made
    assert ops.host_scalars(lambda: (1.5, 2), 2) == (1.5, 2)
    assert ops.free_memory() > 1 << 60
    assert ops.upload(made) is made
    assert ops.allow_tf32(True) is None
