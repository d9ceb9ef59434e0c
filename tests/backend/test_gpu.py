"""On a CUDA device: CuPy computes what NumPy computes, in layers, losses, optimisers, penalties.

The single operations are compared in ``test_cuda_ops.py``, on a device as on the CPU.
"""

import numpy as np
import pytest

from scratchgan import Dense, LeakyReLU, Sequential, losses
from scratchgan.catalogue import layer_cases, network_cases
from scratchgan.optim import SGD, Adam, RMSprop
from scratchgan.penalties import gradient_penalty, interpolate, r1, wgan_gp

from ..compare import assert_close

pytestmark = pytest.mark.gpu

SUBJECTS = [(repr(layer), layer, shape) for layer, shape in layer_cases()] + network_cases()


def run(layer, shape, ops, train):
    """y, dx, J t, dB/dx, both gradients and the state, from the same seed on this backend."""
    rng = np.random.default_rng(1)
    layer.initialize(2, backend=ops, dtype="float64")
    layer.theta += ops.asarray(0.3 * rng.standard_normal(layer.size))
    x, t = (ops.asarray(a) for a in rng.standard_normal((2, *shape)))
    y, cache = layer.forward(x, train)
    dy = ops.asarray(rng.standard_normal(y.shape))
    layer.zero_grad()
    dx = layer.backward(dy, cache)
    first = layer.grad.copy()
    jt, bend = layer.double_backward(t, dy, cache)
    found = {"y": y, "dx": dx, "dtheta": first, "J t": jt, "second order": layer.grad - first}
    if bend is not None:
        found["dB/dx"] = bend
    assert {type(a) for a in found.values()} == {ops.xp.ndarray}
    return {key: ops.to_host(a) for key, a in found.items()} | layer.state_dict()


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("name", "layer", "shape"), SUBJECTS, ids=[f"{i}-{s[0][:30]}" for i, s in enumerate(SUBJECTS)]
)
def test_layers(cupy_ops, numpy_ops, name, layer, shape, train):
    wanted = run(layer, shape, numpy_ops, train)
    found = run(layer, shape, cupy_ops, train)
    assert found.keys() == wanted.keys()
    for key in wanted:
        assert_close(found[key], wanted[key], 1e-10, f"{key} of {name}")


@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_optimisers(cupy_ops, numpy_ops, kind):
    thetas = []
    for ops in (numpy_ops, cupy_ops):
        net = Dense(50, 700).initialize(1, backend=ops, dtype="float64")
        optimiser, rng = (
            kind(net, lr=1e-2, weight_decay=0.1, clip_norm=1.0, clip_weights=0.07),
            np.random.default_rng(2),
        )
        for _ in range(20):
            net.grad[...] = ops.asarray(rng.standard_normal(net.size))
            optimiser.step()
        resumed = kind(net, lr=1e-2)
        resumed.load_state_dict(optimiser.state_dict())
        resumed.step()
        thetas.append(ops.to_host(net.theta))
    assert_close(thetas[1], thetas[0], 1e-10)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_losses(cupy_ops, name):
    real, fake = np.random.default_rng(0).standard_normal((2, 6, 1)) * 5
    loss = losses.adversarial(name)

    def both_sides(real, fake):
        against = [real] if loss.relativistic else []
        return [*loss.discriminator(real, fake), *loss.generator(fake, *against)]

    wanted = both_sides(real, fake)
    found = both_sides(cupy_ops.asarray(real), cupy_ops.asarray(fake))
    for f, w in zip(found, wanted, strict=True):
        assert_close(cupy_ops.to_host(f), w, 1e-10)


def test_cross_entropy(cupy_ops):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    wanted = losses.softmax_cross_entropy(logits, labels)
    found = losses.softmax_cross_entropy(cupy_ops.asarray(logits), cupy_ops.asarray(labels))
    for f, w in zip(found, wanted, strict=True):
        assert_close(cupy_ops.to_host(f), w, 1e-10)


@pytest.mark.parametrize("penalty", [wgan_gp(), wgan_gp(target=0.1, one_sided=True), r1()])
def test_penalties(cupy_ops, numpy_ops, penalty):
    results = []
    for ops in (numpy_ops, cupy_ops):
        net = Sequential(Dense(5, 8), LeakyReLU(0.2), Dense(8, 1))
        net.initialize(1, backend=ops, dtype="float64")
        real, fake = (ops.asarray(a) for a in np.random.default_rng(2).standard_normal((2, 6, 5)))
        x = interpolate(real, fake, np.random.default_rng(3))
        value = gradient_penalty(net, x, penalty)
        results.append([ops.to_host(a) for a in (value, net.grad, x)])
    for f, w in zip(results[1], results[0], strict=True):
        assert_close(f, w, 1e-10)


def test_arrays_go_there_and_back(cupy_ops):
    x = np.arange(5.0)
    there = cupy_ops.asarray(x, "float32")
    assert there.dtype == "float32"
    np.testing.assert_array_equal(cupy_ops.to_host(there), x)
    cupy_ops.synchronize()
    assert cupy_ops.device_count() >= 1
