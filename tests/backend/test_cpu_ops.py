"""Every fast operation on the CPU against the reference, in both precisions."""

import inspect

import numpy as np
import pytest

from scratchgan.backend import reference
from scratchgan.backend.cpu import ops as cpu_ops
from scratchgan.backend.cpu import optim

from ..compare import assert_close

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def calls():
    """A call of each operation that has a form of its own: name, arguments."""
    x, dy = 2 + 3 * normal(40, 5, 6), normal(40, 5, 6, seed=1)
    mean, beta, s, q, dgamma, dbeta = normal(6, 6, seed=2)
    gamma, sigma, var = 1 + np.random.default_rng(3).random((3, 6))
    image, w, geometry = normal(3, 8, 7, 2), normal(4, 3, 2, 5), ((2, 1), ((1, 1), (0, 1)))
    dimage = normal(3, 4, 6, 5)
    theta, grad, m = normal(3, 5003)
    v = m**2
    return [
        ("adam_", theta, grad, m, v, 0.1, 0.5, 0.999, 1e-8),
        ("adam_", theta, grad, 0 * m, 0 * v, 0.1, 0.5, 0.999, 1e-8),
        ("add_bias_", x, beta),
        ("add_rows_", beta, x.reshape(-1, 6)),
        ("batch_moments_", mean, var, x, 0.9, 1e-5),
        ("batch_norm", x, mean, sigma, gamma, beta),
        ("batch_norm_grad", dy, x, mean, sigma, gamma, s, q),
        ("batch_norm_sums_", dgamma, dbeta, dy, x, mean, sigma),
        ("batch_norm_sums_", None, None, dy, x, mean, sigma),
        ("conv2d", image, w, *geometry),
        ("conv2d_adjoint", dimage, w, *geometry, (8, 7)),
        ("conv2d_weight_grad", image, dimage, (4, 3), *geometry),
        ("ema_", theta, grad, 0.999),
        ("leaky_relu", x, 0.2),
        ("leaky_relu", x, 0),
        ("leaky_relu_grad", dy, x, 0.2),
        ("leaky_relu_grad", dy, x, 0),
        ("matmul", normal(20, 30), normal(30, 10)),
        ("matmul", normal(20, 1), normal(1, 10)),
        ("rmsprop_", theta, grad, v, 0.1, 0.99, 1e-8),
        ("sgd_", theta, grad, m, 0.1, 0.9),
        ("sum_rows", x.reshape(-1, 6)),
    ]


@pytest.mark.parametrize("block", [optim.BLOCK, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_fast_operation_is_the_reference(dtype, block, monkeypatch):
    """The reference computes in float64, from the same numbers."""
    monkeypatch.setattr(optim, "BLOCK", block)
    for name, *arguments in calls():
        own = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in arguments]
        exact = [a.astype(float) if isinstance(a, np.ndarray) else a for a in own]
        pairs = zip(
            arrays(getattr(cpu_ops, name)(*own), own),
            arrays(getattr(reference, name)(*exact), exact),
            strict=True,
        )
        for found, wanted in pairs:
            assert found.dtype == dtype, name
            assert_close(found, wanted, TOLERANCE[dtype], name)


def arrays(results, arguments):
    """The arrays that a call returned, and those that it may have written into."""
    results = results if isinstance(results, tuple) else (results,)
    return [a for a in (*results, *arguments) if isinstance(a, np.ndarray)]


def test_every_fast_operation_is_called_above():
    own = {
        name
        for name in reference.__all__
        if inspect.isfunction(getattr(reference, name))
        and getattr(cpu_ops, name) is not getattr(reference, name)
    }
    assert own == {name for name, *_ in calls()} | {"limit_blas_threads"}
