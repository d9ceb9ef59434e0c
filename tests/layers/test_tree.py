"""The tree of layers: keys, flat vectors, seeds, state."""

import copy
import math
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
    Tanh,
    init,
)
from scratchgan.backend.cpu import ops as numpy_ops


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
STATISTICS = ["1.running_mean", "1.running_var"]


@pytest.fixture
def net():
    return network().initialize(7)


def pass_through(net, seed=0):
    """Forward and backward in training, so that gradients and statistics move."""
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
        with pytest.raises(ValueError, match="stands in it twice"):
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


# ---- state -----------------------------------------------------------------------------------


def test_the_state_holds_parameters_and_statistics(net):
    pass_through(net)
    state = net.state_dict()
    assert sorted(state) == sorted(KEYS + STATISTICS)
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
            r"5\.w: shape \(1, 4\) given, \(4, 1\) wanted",
        ),
        (lambda s: s.update({"5.b": np.float32(0)}), r"5\.b: shape \(\) given, \(1,\) wanted"),
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
    with pytest.raises(ValueError, match="neither value nor shape"):
        Param()


# ---- initial values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "shape", "variance"),
    [
        (init.normal(), (100, 300), 0.02**2),
        (init.normal(0.5), (100, 300), 0.25),
        (init.he, (100, 300), 2 / 100),
        (init.he, (4, 4, 20, 60), 2 / (16 * 20)),
        (init.glorot, (100, 300), 2 / 400),
        (init.glorot, (4, 4, 20, 60), 2 / (16 * 80)),
    ],
)
def test_initial_values_have_the_variance_of_the_paper(draw, shape, variance):
    w = draw(np.random.default_rng(0), shape)
    n = w.size
    assert w.shape == shape
    assert abs(w.mean()) < 5 * math.sqrt(variance / n)
    assert abs(w.var() / variance - 1) < 5 * math.sqrt(2 / n)


def test_glorot_is_uniform_within_its_bound():
    w = init.glorot(np.random.default_rng(0), (20, 40))
    bound = math.sqrt(6 / 60)
    assert 0.99 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize(("draw", "value"), [(init.zeros, 0), (init.ones, 1)])
def test_constants(draw, value):
    np.testing.assert_array_equal(draw(None, (2, 3)), np.full((2, 3), value))


def test_layers_use_the_initialiser_they_are_given():
    net = Sequential(Dense(300, 300, init=init.normal(3.0)), Dense(300, 10)).initialize()
    w, b = net.layers[0].w.value, net.layers[0].b.value
    assert w.std() == pytest.approx(3, rel=0.02)
    assert not b.any()
    assert np.abs(net.layers[1].w.value).max() <= math.sqrt(6 / 310) * (1 + 1e-6)


# ---- summary ---------------------------------------------------------------------------------


def test_summary_is_a_table(capsys, net):
    state = net.state_dict()
    assert net.summary((4, 4, 1)) is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "output", "shape", "parameters"]
    assert lines[1].split()[:2] == ["input", "(4,"]
    assert "(4, 4, 2)" in lines[2] and lines[2].endswith(" 20")
    assert lines[-2].startswith("Dense(4, 1)") and lines[-2].endswith(" 5")
    assert lines[-1].split() == ["total", str(net.size)]
    assert len(lines) == 3 + len(net.layers)
    assert len({len(line) for line in lines}) == 1
    np.testing.assert_equal(net.state_dict(), state)


def test_summary_of_a_network_that_starts_with_dense_needs_no_shape(capsys):
    net = Sequential(Dense(100, 128), LeakyReLU(0.2), Dense(128, 784))
    net.summary()
    out = capsys.readouterr().out
    assert "(100,)" in out
    assert "12,928" in out
    assert "114,064" in out
    assert net.theta is None


def test_summary_asks_for_the_shape_where_it_must():
    with pytest.raises(ValueError, match=r"give input_shape, such as summary\(\(28, 28, 1\)\)"):
        network().summary()
