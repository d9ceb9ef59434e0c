"""Param and Module: keys, flat vectors, seeds, state, and what is found once."""

import copy
import pickle

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Param,
    ReLU,
    Residual,
    Sequential,
    SpectralNorm,
    Tanh,
)
from scratchgan.backend import get_backend, ops_of
from scratchgan.backend.cpu import ops as numpy_ops
from scratchgan.gan import Config, build
from scratchgan.gradcheck import check
from scratchgan.layers.params import Module
from scratchgan.optim import EMA, SGD


def network():
    return Sequential(
        Conv2D(1, 2, kernel=3, padding=1),
        BatchNorm(2),
        Residual(Conv2D(2, 2, kernel=1, bias=False), LeakyReLU(0.2)),
        Sequential(Flatten(), Dense(32, 4), LayerNorm(4)),
        Dropout(0.5),
        Dense(4, 1),
    )


KEYS = ["0.w", "0.b", "1.gamma", "1.beta", "2.0.w"]
KEYS += ["3.1.w", "3.1.b", "3.2.gamma", "3.2.beta", "5.w", "5.b"]
BUFFERS = ["1.running_mean", "1.running_var"]


@pytest.fixture
def net():
    return network().initialize(7)


def pass_through(net, seed=0):
    """Forward and backward in training, so that gradients and buffers move."""
    rng = np.random.default_rng(seed)
    y, cache = net.forward(rng.standard_normal((6, 4, 4, 1)).astype(net.theta.dtype))
    net.backward(rng.standard_normal(y.shape).astype(net.theta.dtype), cache)
    return y


# ---- one flat vector -------------------------------------------------------------------------


def test_keys_are_position_and_letter_and_nest(net):
    assert list(net.params()) == KEYS
    assert net.params()["3.1.w"] is net.layers[3].layers[1].w
    assert list(net.sublayers())[:5] == ["", "0", "1", "2", "2.0"]


def test_sizes_before_and_after_initialisation(net):
    assert network().size == net.size == net.theta.size == net.grad.size
    assert net.size == (9 * 2 + 2) + 4 + 4 + (32 * 4 + 4) + 8 + 5


def test_values_are_views_in_the_order_of_the_keys(net):
    net.theta[...] = np.arange(net.size)
    net.grad[...] = -np.arange(net.size)
    params = net.params().values()
    flat = np.concatenate([p.value.ravel() for p in params])
    np.testing.assert_array_equal(flat, net.theta)
    np.testing.assert_array_equal(np.concatenate([p.grad.ravel() for p in params]), net.grad)
    assert all(np.shares_memory(p.value, net.theta) for p in params)
    assert all(np.shares_memory(p.grad, net.grad) for p in params)


def test_parts_have_flat_views_of_their_own(net):
    part = net.layers[3]
    part.theta[...] = 5
    part.grad[...] = 6
    assert (net.params()["3.1.w"].value == 5).all()
    assert (net.theta == 5).sum() == part.size
    part.zero_grad()
    assert not net.grad.any()


def test_backward_fills_the_flat_gradient_and_zero_grad_empties_it(net):
    grad = net.grad
    pass_through(net)
    # The bias in front of BatchNorm alone has a gradient of zero, but for rounding.
    assert all(p.grad.any() for key, p in net.params().items() if key != "0.b")
    net.zero_grad()
    assert net.grad is grad
    assert not grad.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_that_asked_for(dtype):
    net = network().initialize(dtype=dtype)
    arrays = [net.theta, net.grad, *net.state_dict().values(), pass_through(net)]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


def test_float32_is_the_default():
    assert network().initialize().theta.dtype == "float32"


def test_initialize_returns_the_network_and_takes_a_backend_module():
    net = network()
    assert net.initialize(0, backend=numpy_ops) is net


def test_the_seed_decides_values_and_dropout():
    def result(seed):
        net = network().initialize(seed)
        return net.theta, pass_through(net)

    for a, b, other in zip(result(1), result(1), result(2), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != other).any()
    by_generator = network().initialize(np.random.default_rng(1)).theta
    np.testing.assert_array_equal(by_generator, network().initialize(1).theta)


def test_both_dtypes_start_from_the_same_values():
    single, double = (network().initialize(3, dtype=d).theta for d in ("float32", "float64"))
    np.testing.assert_array_equal(single, double.astype("float32"))


def test_initialising_again_starts_afresh(net):
    fresh = net.state_dict()
    pass_through(net)
    net.initialize(7)
    np.testing.assert_equal(net.state_dict(), fresh)
    assert not net.grad.any()


def test_a_layer_twice_is_refused():
    dense = Dense(3, 3)
    for net in (Sequential(dense, dense), Sequential(dense, Residual(Tanh(), dense))):
        with pytest.raises(ValueError, match="one layer is used twice"):
            net.initialize()
    assert dense.theta is None


def test_a_layer_without_parameters_may_stand_twice():
    relu = ReLU()
    net = Sequential(Dense(3, 3), relu, Dense(3, 3), relu).initialize()
    assert net.size == 24


def test_a_network_without_parameters():
    net = Sequential(Tanh(), Flatten()).initialize()
    assert net.theta.shape == (0,)
    assert net.state_dict() == {}
    assert net.params() == {}
    net.zero_grad()
    net.load_state_dict({})


def test_parts_in_lists_and_attributes_of_a_users_layer():
    class Branches(Dense):
        def __init__(self):
            super().__init__(2, 3)
            self.branches = [Dense(2, 1), Dense(2, 2, bias=False)]
            self.names = ["a", "b"]

    layer = Branches().initialize()
    assert list(layer.params()) == ["w", "b", "branches.0.w", "branches.0.b", "branches.1.w"]
    assert layer.size == 6 + 3 + 3 + 4


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["copy", "pickle"]
)
def test_a_copy_is_as_whole_as_the_original(net, twin):
    """Its parameters must be views of its own theta, or an optimiser would train nothing."""
    other = twin(net)
    np.testing.assert_array_equal(other.theta, net.theta)
    other.theta[...] = 0
    assert not any(p.value.any() for p in other.params().values())
    assert net.theta.any()


def test_the_parts_of_a_copy_are_its_own(net):
    """Also those that `initialize` has found once: they must not lead back to the original."""
    other = copy.deepcopy(net)
    assert list(other.params()) == list(net.params())
    assert list(other.sublayers()) == list(net.sublayers())
    originals = {id(part) for part in (*net.params().values(), *net.sublayers().values())}
    assert not originals & {id(p) for p in (*other.params().values(), *other.sublayers().values())}
    before, state = pass_through(copy.deepcopy(other)), net.state_dict()
    pass_through(other)
    SGD(other, lr=0.1).step()
    assert (pass_through(other) != before).any()
    np.testing.assert_equal(net.state_dict(), state)


def test_a_copy_of_a_part_stands_alone(net):
    part = copy.deepcopy(net.layers[3])
    assert list(part.params()) == ["1.w", "1.b", "2.gamma", "2.beta"]
    part.theta += 1
    assert all(np.shares_memory(p.value, part.theta) for p in part.params().values())
    assert not np.shares_memory(part.theta, net.theta)
    assert part.initialized() is part


# ---- the tree is walked once -----------------------------------------------------------------

GAMES = {
    "plain": {},
    "mean of G": {"ema": 0.99},
    "l2": {"l2_generator": 1e-4},
    "wgan-gp": {"loss": "wasserstein", "penalty": "wgan-gp", "d_norm": "layer", "d_steps": 2},
    "wgan-gp through BatchNorm": {"model": "dcgan-16x1-w2", "penalty": "wgan-gp"},
    "r1 and r2": {"loss": "relativistic", "penalty": "r1+r2", "d_norm": "none"},
    "spectral": {"loss": "hinge", "d_norm": "spectral", "g_optimiser": "sgd"},
    "clipped": {"loss": "wasserstein", "clip_weights": 0.1, "d_optimiser": "rmsprop"},
    "several at once": {"pack": 2, "minibatch_std": True, "instance_noise": 0.1},
    "dcgan": {"model": "dcgan-16x1-w2-up-drop0.3", "d_norm": "spectral", "ema": 0.9},
    "concat": {"condition": "concat", "classes": 3, "penalty": "r1", "ema": 0.9},
    "projection": {"condition": "projection", "classes": 3, "d_norm": "spectral"},
    "classifier": {"condition": "classifier", "classes": 3, "l2_generator": 1e-4},
}


@pytest.mark.filterwarnings("ignore:gradient penalty through BatchNorm")
@pytest.mark.parametrize("game", GAMES)
def test_no_training_step_walks_the_tree_again(monkeypatch, game):
    config = Config(**{"data": "random", "model": "mlp-small", "batch_size": 8} | GAMES[game])
    size = 16 if "dcgan" in config.model else 28
    images = np.random.default_rng(0).integers(0, 256, (24, size, size, 1), np.uint8)
    labels = np.arange(24) % 3 if config.condition else None
    trainer = build(config, images, "numpy", labels)
    before = trainer.generator.theta.copy(), trainer.discriminator.theta.copy()

    def walks(self):
        raise AssertionError(f"{self} is walked in a training step")

    for kind in (Module, Sequential):
        monkeypatch.setattr(kind, "parts", walks)
    for _ in range(2):
        trainer.step()
    assert (trainer.generator.theta != before[0]).any()
    assert (trainer.discriminator.theta != before[1]).any()


def test_and_the_test_above_would_see_a_walk(monkeypatch, net):
    monkeypatch.setattr(Sequential, "parts", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network().params()
    assert list(net.params()) == KEYS


def test_an_average_follows_buffers_at_every_depth(net):
    average = EMA(net, decay=0.5)
    pass_through(net)
    average.update()
    live = net.layers[1].running_mean  # it was 0, and the first decay is 2/11
    np.testing.assert_allclose(average.mean.layers[1].running_mean, 9 / 11 * live, rtol=1e-6)
    assert live.any()
    assert not np.shares_memory(average.mean.layers[1].running_mean, net.layers[1].running_mean)


def test_what_is_found_does_not_keep_a_network_alive():
    """A network that refers to itself would stay in memory until the garbage collector runs."""
    import gc
    import weakref

    net = network().initialize()
    net.params(), net.sublayers()
    gone, theta = weakref.ref(net), weakref.ref(net.theta.base)
    gc.disable()
    try:
        del net
        assert gone() is None and theta() is None
    finally:
        gc.enable()


def with_more_outputs(net):
    net.layers[3].layers[1].w = Param(shape=(32, 6))
    net.layers[3].layers[1].b = Param(shape=(6,))
    net.layers[3].layers[2].gamma, net.layers[3].layers[2].beta = (
        Param(np.ones(6)),
        Param(shape=(6,)),
    )
    net.layers[5].w = Param(shape=(6, 1))


def with_another_block(net):
    net.layers[3].layers = (Flatten(), SpectralNorm(Dense(32, 4)))


def with_fewer_layers(net):
    net.layers = (*net.layers[:3], Sequential(Flatten(), Dense(32, 1)))


@pytest.mark.parametrize("change", [with_more_outputs, with_another_block, with_fewer_layers])
def test_initialising_again_finds_what_has_changed_since(net, change):
    change(net)
    wanted = network()
    change(wanted)
    net.initialize(3), wanted.initialize(3)
    np.testing.assert_equal(net.state_dict(), wanted.state_dict())
    assert net.size == net.theta.size == wanted.theta.size
    params = net.params().values()
    np.testing.assert_array_equal(np.concatenate([p.value.ravel() for p in params]), net.theta)
    for part in net.sublayers().values():
        assert part.initialized().theta.size == part.size
    np.testing.assert_array_equal(pass_through(net), pass_through(wanted))


def test_a_network_of_layers_that_were_initialised_before_binds_them_anew(net):
    outer = Sequential(net, Tanh()).initialize(1, dtype="float64")
    assert list(outer.params()) == [f"0.{key}" for key in KEYS]
    outer.theta[...] = np.arange(outer.size)
    assert net.layers[5].b.value == outer.size - 1
    assert net.theta.dtype == "float64" and np.shares_memory(net.theta, outer.theta)
    assert net.initialized() is net


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda net: net.layers[3].initialize(), r"3\.1\.w"),
        (lambda net: net.layers[5].initialize(), r"5\.w"),
        (lambda net: setattr(net.layers[5], "b", Param(np.zeros(1))), r"5\.b"),
        (with_another_block, r"3\.1\.layer\.w"),
    ],
)
def test_a_part_that_is_not_in_theta_any_more_is_named(net, change, key):
    change(net)
    message = rf"{key} is not in theta: a sublayer was initialised afterwards; call initialize\(\) "
    for call in (net.state_dict, lambda: net.load_state_dict({}), lambda: SGD(net, lr=0.1)):
        with pytest.raises(RuntimeError, match=message + "once, on the outermost network$"):
            call()


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="initialize: expected dtype float32 or float64, got 'f2'"):
        network().initialize(dtype="f2")


# ---- state -----------------------------------------------------------------------------------


def test_the_state_holds_parameters_and_buffers(net):
    pass_through(net)
    state = net.state_dict()
    assert sorted(state) == sorted(KEYS + BUFFERS)
    for key, param in net.params().items():
        np.testing.assert_array_equal(state[key], param.value)
    np.testing.assert_array_equal(state["1.running_var"], net.layers[1].running_var)


def test_the_state_is_a_copy(net):
    state = net.state_dict()
    before = copy.deepcopy(state)
    net.theta += 1
    pass_through(net)
    np.testing.assert_equal(state, before)


def test_a_loaded_network_computes_the_same(net):
    pass_through(net)
    other = network().initialize(8)
    theta = other.theta
    other.load_state_dict(net.state_dict())
    assert other.theta is theta
    x = np.ones((2, 4, 4, 1), "float32")
    results = [n.forward(x, train=False)[0] for n in (net, other)]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s.pop("3.1.w"), r"3\.1\.w: missing"),
        (lambda s: s.pop("1.running_var"), r"1\.running_var: missing"),
        (lambda s: s.update(what=np.zeros(1)), "what: not a part of this network"),
        (
            lambda s: s.update({"5.w": np.zeros((1, 4))}),
            r"5\.w: expected shape \(4, 1\), got \(1, 4\)$",
        ),
        (lambda s: s.update({"5.b": np.float32(0)}), r"5\.b: expected shape \(1,\), got \(\)$"),
        (lambda s: (s.pop("0.b"), s.update(x=0)), r"0\.b: missing; x: not a part"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_changed(net, damage, message):
    before = net.state_dict()
    state = {key: a + 1 for key, a in before.items()}
    damage(state)
    with pytest.raises(ValueError, match=message):
        net.load_state_dict(state)
    np.testing.assert_equal(net.state_dict(), before)


# ---- before initialisation -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Dense(2, 3), (1, 2)),
        (Conv2D(1, 1, kernel=1), (1, 2, 2, 1)),
        (BatchNorm(2), (3, 2)),
        (LayerNorm(2), (3, 2)),
        (Sequential(Tanh(), Dense(2, 3)), (1, 2)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_initialised_says_so(layer, shape):
    calls = [
        lambda: layer.forward(np.ones(shape)),
        layer.state_dict,
        layer.zero_grad,
        lambda: layer.load_state_dict({}),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match=r"is not initialised: call \.initialize\(seed\)"):
            call()


# ---- Param -----------------------------------------------------------------------------------


def test_a_param_of_a_given_value():
    value = np.array([[1.0, 2], [3, 4]])
    param = Param(value)
    assert (param.shape, param.size) == ((2, 2), 4)
    np.testing.assert_array_equal(param.grad, np.zeros((2, 2)))
    layer = Dense(2, 2, bias=False)
    layer.w = param
    layer.initialize(dtype="float64")
    np.testing.assert_array_equal(layer.w.value, value)
    layer.theta += 1
    np.testing.assert_array_equal(value, [[1, 2], [3, 4]])  # it was copied


def test_a_param_of_a_given_gradient():
    grad = np.ones(3)
    assert Param(np.zeros(3), grad).grad is grad


def test_a_param_of_nothing_is_refused():
    with pytest.raises(ValueError, match="Param: expected a value or a shape, got neither"):
        Param()


def test_what_is_initialised_without_a_backend_keeps_the_reference():
    reference = get_backend("reference")
    net = Sequential(Dense(3, 2), Tanh()).initialize(0)
    net.summary()
    assert check(net, (4, 3)).passed
    assert ops_of(net.theta) is reference
