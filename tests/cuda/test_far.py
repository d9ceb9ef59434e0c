"""Layers, penalties and optimisers on CuPy's stand-in, with numbers that float32 hardly holds."""

import numpy as np
import pytest

from scratchgan import BatchNorm, Dense, LayerNorm, SpectralNorm
from scratchgan.layers import MinibatchStd
from scratchgan.optim import SGD, Adam, RMSprop
from scratchgan.penalties import around, wgan_gp

from ..compare import assert_close


@pytest.mark.parametrize("make", [lambda: BatchNorm(4), lambda: LayerNorm(4), MinibatchStd])
@pytest.mark.parametrize("spread", [0, 1])
def test_numbers_far_from_zero(ops, make, spread):
    rng = np.random.default_rng(0)
    x = (1e6 + 0.5 + spread * rng.standard_normal((30, 4))).astype(np.float32)
    t, dy = rng.standard_normal((2, 30, 5)).astype(np.float32)
    results = []
    for backend, dtype in ((ops, "float32"), ("numpy", "float64")):
        layer = make().initialize(0, backend=backend, dtype=dtype)
        array = ops.asarray if backend is ops else np.asarray
        y, cache = layer.forward(array(x.astype(dtype)))
        slope = array(dy[:, : y.shape[1]].astype(dtype))
        dx = layer.backward(slope, cache)
        results.append((y, dx, *layer.double_backward(array(t[:, :4].astype(dtype)), slope, cache)))
    for single, exact in zip(*results, strict=True):
        assert single.dtype == "float32"
        assert_close(ops.to_host(single), exact, 1e-5)


def test_evaluation_of_a_constant_channel(ops):
    layer = BatchNorm(2).initialize(backend=ops)
    x = ops.asarray(np.full((8, 2), 10000.1, np.float32))
    for _ in range(300):
        layer.forward(x)
    y, cache = layer.forward(x, train=False)
    assert not ops.to_host(y).any()
    assert ops.to_host(layer.backward(y, cache)).dtype == "float32"


@pytest.mark.parametrize("size", [0, 1e-30, 1e-25, 1, 1e20, 1e25])
def test_slopes_of_gradients_of_any_size(ops, size):
    g = (size * np.random.default_rng(0).standard_normal((4, 9))).astype(np.float32)
    with np.errstate(over="ignore"):
        _, slope = wgan_gp()(ops.asarray(g))
    assert_close(ops.to_host(slope), wgan_gp()(g.astype(float))[1], 1e-6)


@pytest.mark.parametrize("size", [1e-25, 1, 1e25])
def test_a_gradient_is_clipped(ops, size):
    net = Dense(9, 1).initialize(backend=ops)
    net.grad[...] = size
    SGD(net, lr=0, clip_norm=0.5).step()
    assert_close(ops.to_host(net.grad), np.full(10, min(size, 0.5 / 10**0.5)), 1e-5)


@pytest.mark.parametrize("kind", [Adam, RMSprop])
def test_a_huge_gradient_does_not_freeze_an_entry(ops, kind):
    net = Dense(9, 1).initialize(backend=ops)
    optimiser = kind(net, lr=0.1)
    before = ops.to_host(net.theta)
    net.grad[...] = 1e30
    optimiser.step()
    step = -0.1 if kind is Adam else -1
    assert_close(ops.to_host(net.theta) - before, np.full(10, step), 1e-4)
    assert all(np.isfinite(ops.to_host(getattr(optimiser, name))).all() for name in kind.moments)


def test_spectral_norm_of_tiny_weights(ops):
    init = lambda rng, shape: 1e-25 * rng.standard_normal(shape)  # noqa: E731
    there, here = (
        SpectralNorm(Dense(6, 5, init=init)).initialize(0, backend=b, dtype=d)
        for b, d in ((ops, "float32"), ("numpy", "float64"))
    )
    assert_close(ops.to_host(there.u), here.u, 1e-4)


def test_noise_around_equal_samples_is_none(ops):
    real = ops.asarray(np.full((6, 5), 10000.1, np.float32))
    assert (ops.to_host(around(real, np.random.default_rng(0))) == ops.to_host(real)).all()
