"""Spectral normalisation: the singular value, its gradient, and what keeps it up to date."""

import copy

import numpy as np
import pytest

from scratchgan import (
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    LeakyReLU,
    ReLU,
    Sequential,
    ShapeError,
    SpectralNorm,
    Tanh,
)
from scratchgan.layers.init import normal
from scratchgan.optim import EMA, SGD, Adam, RMSprop
from scratchgan.penalties import gradient_penalty, r1, wgan_gp

from ..compare import assert_close

KINDS = {
    "dense": (lambda: Dense(6, 5), (4, 6)),
    "conv": (lambda: Conv2D(2, 3, kernel=(3, 2), stride=2, padding=1), (2, 5, 4, 2)),
    "conv without bias": (lambda: Conv2D(2, 3, kernel=3, bias=False), (2, 5, 4, 2)),
    "transposed": (lambda: ConvTranspose2D(3, 2, kernel=4, stride=2, padding=1), (2, 3, 4, 3)),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def wrapped(kind, seed=0):
    make, shape = KINDS[kind]
    return SpectralNorm(make()).initialize(seed, dtype="float64"), shape


def normal_weights(net, x):
    """Ŵ, as the cache holds it."""
    return net.forward(x)[1][1].w.value


# ---- the singular value ----------------------------------------------------------------------


@each_kind
def test_s_is_the_largest_singular_value(kind):
    net, shape = wrapped(kind)
    for _ in range(300):
        net.after_update()
    u, s, v = np.linalg.svd(net.matrix())
    assert net.u @ net.matrix() @ net.v == pytest.approx(s[0], rel=1e-9)
    assert abs(net.u @ u[:, 0]) == pytest.approx(1, rel=1e-6)
    assert abs(net.v @ v[0]) == pytest.approx(1, rel=1e-6)
    weights = normal_weights(net, np.zeros(shape))
    assert np.linalg.norm(weights.reshape(net.matrix().shape), 2) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_s_is_near_from_the_start(seed):
    """The iterations of `reset` run on the weights that were drawn, not on those before."""
    net = Sequential(Tanh(), SpectralNorm(Dense(30, 20))).initialize(seed).layers[1]
    s = np.linalg.norm(net.layer.w.value, 2)
    assert 0.9 * s < net.u @ net.layer.w.value @ net.v < 1.0001 * s


@each_kind
def test_y_is_that_of_the_divided_weights(kind):
    net, shape = wrapped(kind)
    net.theta += 0.1
    x = np.random.default_rng(0).standard_normal(shape)
    plain = copy.deepcopy(net.layer)
    plain.w.value /= net.u @ net.matrix() @ net.v
    assert_close(net.forward(x)[0], plain.forward(x)[0], 1e-12)


def test_a_dense_network_of_slope_one():
    layers = [SpectralNorm(Dense(6, 16)), LeakyReLU(0.2), SpectralNorm(Dense(16, 8)), ReLU()]
    net = Sequential(*layers, SpectralNorm(Dense(8, 1))).initialize(1, dtype="float64")
    net.theta *= 50
    for layer in net.layers[::2]:
        for _ in range(300):
            layer.after_update()
    a, b = np.random.default_rng(0).standard_normal((2, 500, 6))
    rise = np.linalg.norm(net.forward(a)[0] - net.forward(b)[0], axis=1)
    assert (rise <= np.linalg.norm(a - b, axis=1) * (1 + 1e-9)).all()


def test_forward_and_backward_move_neither_vector():
    net, shape = wrapped("dense")
    before = net.state_dict()
    x = np.ones(shape)
    for train in (True, False):
        y, cache = net.forward(x, train)
        net.backward(np.ones_like(y), cache)
        net.double_backward(x, np.ones_like(y), cache)
    np.testing.assert_equal(net.state_dict(), before)


def test_the_cache_outlives_an_update():
    """It holds u, v and Ŵ of its own forward."""
    net, shape = wrapped("conv")
    x = np.random.default_rng(0).standard_normal(shape)
    y, cache = net.forward(x)
    wanted = net.backward(y, cache), net.grad.copy()
    optimiser = SGD(net, lr=0.1)
    optimiser.step()
    net.zero_grad()
    np.testing.assert_array_equal(net.backward(y, cache), wanted[0])
    np.testing.assert_array_equal(net.grad, wanted[1])


# ---- weights without a direction -------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_zero_give_zeros_and_can_leave_them(dtype):
    net = SpectralNorm(Dense(4, 3, init=lambda rng, shape: np.zeros(shape)))
    with np.errstate(all="raise"):
        net.initialize(0, dtype=dtype)
        x = np.ones((2, 4), dtype)
        y, cache = net.forward(x)
        net.backward(np.ones_like(y), cache)
        assert not y.any()
        np.testing.assert_array_equal(net.layer.w.grad, np.full((4, 3), 2, dtype))  # s = 1
        np.testing.assert_allclose([np.linalg.norm(a) for a in (net.u, net.v)], 1, rtol=1e-6)
        SGD(net, lr=0.5).step()
        for _ in range(3):
            net.after_update()
    assert net.u @ net.layer.w.value @ net.v == pytest.approx(np.sqrt(12))  # all entries are -1


@pytest.mark.parametrize("size", [1e-30, 1e-25, 1.0, 1e18, 1e25])
def test_the_size_of_the_weights_does_not_matter(size):
    """The squares of tiny and huge ones are 0 and infinite in float32."""
    found = []
    for dtype in ("float32", "float64"):
        net = SpectralNorm(Dense(6, 5, bias=False, init=normal(size))).initialize(0, dtype=dtype)
        for _ in range(3):
            net.after_update()
        y, _ = net.forward(np.eye(6, dtype=dtype))
        found.append((y, net.u, net.v))
    for single, exact in zip(*found, strict=True):
        assert_close(single, exact, 1e-4)


# ---- the optimisers keep it up to date -------------------------------------------------------


@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_each_step_of_an_optimiser_is_followed_by_one_iteration(kind):
    net = Sequential(SpectralNorm(Dense(8, 6)), Tanh(), Dense(6, 1)).initialize(0, dtype="float64")
    layer, rng = net.layers[0], np.random.default_rng(1)
    optimiser = kind(net, lr=1e-2, clip_weights=0.5)
    for _ in range(3):
        u = layer.u.copy()
        net.grad[...] = rng.standard_normal(net.size)
        optimiser.step()
        v = layer.layer.w.value.T @ u
        assert_close(layer.v, v / np.linalg.norm(v), 1e-12)
        u = layer.layer.w.value @ layer.v
        assert_close(layer.u, u / np.linalg.norm(u), 1e-12)


def test_s_follows_weights_that_move_slowly():
    net = SpectralNorm(Dense(20, 10)).initialize(0, dtype="float64")
    optimiser, rng = SGD(net, lr=0.01), np.random.default_rng(1)
    for _ in range(300):
        net.grad[...] = rng.standard_normal(net.size)
        optimiser.step()
    assert net.u @ net.matrix() @ net.v == pytest.approx(np.linalg.norm(net.matrix(), 2), rel=0.02)


# ---- keys, copies, state ---------------------------------------------------------------------


def test_keys_and_name():
    net = Sequential(Flatten(), SpectralNorm(Dense(3, 2))).initialize()
    assert list(net.params()) == ["1.layer.w", "1.layer.b"]
    assert sorted(net.state_dict()) == ["1.layer.b", "1.layer.w", "1.u", "1.v"]
    assert repr(net.layers[1]) == "SpectralNorm(Dense(3, 2))"


def test_the_dtype_of_the_vectors():
    net = SpectralNorm(Dense(3, 2)).initialize(dtype="float32")
    net.after_update()
    assert {net.u.dtype, net.v.dtype, net.forward(np.ones((1, 3), "f4"))[0].dtype} == {
        np.dtype("float32")
    }


def test_a_loaded_network_computes_the_same_to_the_last_digit():
    net, shape = wrapped("conv", seed=1)
    net.theta += 0.1  # u and v are no singular vectors any more
    other, _ = wrapped("conv", seed=2)
    other.load_state_dict(net.state_dict())
    x = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_array_equal(other.forward(x)[0], net.forward(x)[0])
    np.testing.assert_equal(other.state_dict(), net.state_dict())


def test_a_copy_shares_nothing():
    net, shape = wrapped("dense")
    state = net.state_dict()
    twin = copy.deepcopy(net)
    x = np.ones(shape)
    np.testing.assert_array_equal(twin.forward(x)[0], net.forward(x)[0])
    twin.theta += np.arange(twin.size)
    twin.after_update()
    assert np.shares_memory(twin.layer.w.value, twin.theta)
    np.testing.assert_equal(net.state_dict(), state)


def test_the_running_mean_has_the_newest_vectors():
    net, shape = wrapped("dense")
    average, optimiser = EMA(net, decay=0.5), SGD(net, lr=0.1)
    net.grad[...] = np.random.default_rng(0).standard_normal(net.size)
    optimiser.step()
    average.update()
    np.testing.assert_array_equal(average.mean.u, net.u)
    assert not np.shares_memory(average.mean.u, net.u)
    assert np.isfinite(average.mean.forward(np.ones(shape), train=False)[0]).all()


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [ReLU(), Flatten(), Sequential(Dense(2, 2)), Dense, None])
def test_only_linear_layers_with_weights_can_be_wrapped(layer):
    with pytest.raises(TypeError, match=r"SpectralNorm: expected a Dense or a convolution, got "):
        SpectralNorm(layer)


def test_what_is_not_initialised_says_so():
    with pytest.raises(RuntimeError, match=r"SpectralNorm\(Dense\(3, 2\)\) is not initialised"):
        SpectralNorm(Dense(3, 2)).forward(np.ones((1, 3)))


def test_a_wrong_shape_is_named():
    with pytest.raises(
        ShapeError, match=r"Dense\(3, 2\): expected input of shape \(N, 3\), got \(1, 4\)$"
    ):
        SpectralNorm(Dense(3, 2)).initialize().forward(np.ones((1, 4), "float32"))


# ---- second order through a whole critic -----------------------------------------------------


def critic():
    return Sequential(
        SpectralNorm(Conv2D(1, 3, kernel=3, stride=2, padding=1)),
        Tanh(),
        Flatten(),
        SpectralNorm(Dense(12, 4, bias=False)),
        Tanh(),
        SpectralNorm(Dense(4, 1)),
    ).initialize(0, dtype="float64")


@pytest.mark.parametrize("penalty", [wgan_gp(), r1()], ids=["wgan-gp", "r1"])
def test_a_gradient_penalty_against_differences(penalty):
    net, rng = critic(), np.random.default_rng(1)
    net.theta += 0.1 * rng.standard_normal(net.size)
    x = rng.standard_normal((3, 4, 4, 1))
    net.zero_grad()
    gradient_penalty(net, x, penalty)
    gradient, h, found = net.grad.copy(), 1e-5, np.zeros(net.size)
    for i in range(net.size):
        values, start = [], net.theta[i]
        for sign in (1, -1):
            net.theta[i] = start + sign * h
            values.append(gradient_penalty(net, x, penalty))
        net.theta[i] = start
        found[i] = (values[0] - values[1]) / (2 * h)
    assert np.abs(found).max() > 1e-3
    assert_close(gradient, found, 1e-7)


# ---- PyTorch ---------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@each_kind
def test_both_orders_against_autograd(reference, kind, dtype):
    make, shape = KINDS[kind]
    for seed in range(5):
        reference.assert_first_order_agrees(SpectralNorm(make()), shape, dtype, seed)
        reference.assert_second_order_agrees(SpectralNorm(make()), shape, dtype, seed)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_against_the_spectral_norm_of_pytorch(torch, kind):
    """Theirs is the matrix (out, ...), ours (..., out): their u is our v."""
    net, shape = wrapped(kind)
    layer, rng = net.layer, np.random.default_rng(3)
    x = rng.standard_normal(shape)
    if kind == "dense":
        theirs, weights = torch.nn.Linear(*layer.w.shape), layer.w.value.T
        u, x_ = net.u, x
    else:
        theirs = torch.nn.Conv2d(2, 3, layer.kernel, layer.stride, layer.padding)
        weights = layer.w.value.transpose(3, 2, 0, 1)
        u = net.u.reshape(*layer.kernel, 2).transpose(2, 0, 1).ravel()  # channels first
        x_ = x.transpose(0, 3, 1, 2)
    theirs = torch.nn.utils.parametrizations.spectral_norm(theirs.double()).eval()
    given = theirs.parametrizations.weight
    with torch.no_grad():
        given.original.copy_(torch.tensor(weights.copy()))
        theirs.bias.copy_(torch.tensor(layer.b.value))
        given[0]._u.copy_(torch.tensor(net.v))
        given[0]._v.copy_(torch.tensor(u))

    y, cache = net.forward(x)
    net.backward(y, cache)
    y_ = theirs(torch.tensor(x_))
    (y_ * y_.detach()).sum().backward()
    assert_close(y, y_.detach().movedim(1, -1), 1e-12)
    axes = (1, 0) if kind == "dense" else (2, 3, 1, 0)  # their weights in our order
    assert_close(layer.w.grad, given.original.grad.permute(axes), 1e-12)
    assert_close(layer.b.grad, theirs.bias.grad, 1e-12)

    theirs.train()  # there each forward iterates once
    for _ in range(300):
        net.after_update()
        theirs(torch.tensor(x_))
    assert_close(normal_weights(net, x), theirs.weight.detach().permute(axes), 1e-9)
