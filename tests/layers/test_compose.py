"""Sequential and Residual: networks."""

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    ConcatLabels,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    LinearMap,
    Param,
    Projection,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    UpSample2D,
)
from scratchgan.gradcheck import check

from .pytorch import assert_agrees, assert_first_order_agrees, assert_second_order_agrees, dtypes
from .refusal import assert_shape_refused
from .test_params import network


def test_a_residual_of_zero_is_the_identity():
    net = Residual(Dense(4, 4), Tanh(), Dense(4, 4, init=lambda rng, s: np.zeros(s)))
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(net.initialize(dtype="float64").forward(x)[0], x)


def test_in_evaluation_every_layer_is_told():
    net = Sequential(BatchNorm(2), Residual(Dropout(0.5), Sequential(BatchNorm(2))))
    net.initialize(dtype="float64")
    before = net.state_dict()
    x = np.random.default_rng(0).standard_normal((5, 2))
    first, _ = net.forward(x, train=False)
    second, _ = net.forward(x, train=False)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_equal(net.state_dict(), before)


def test_an_empty_batch_goes_through():
    net = Sequential(
        Conv2D(1, 2, kernel=3, stride=2, padding=1),
        LeakyReLU(0.2),
        UpSample2D(2),
        ConvTranspose2D(2, 2, kernel=2, stride=2),
        Flatten(),
        Dense(128, 1),
    ).initialize()
    y, cache = net.forward(np.zeros((0, 4, 4, 1), "float32"))
    assert y.shape == (0, 1)
    assert net.backward(y, cache).shape == (0, 4, 4, 1)
    assert not net.grad.any()


# ---- gradients without dx --------------------------------------------------------------------


@pytest.mark.parametrize("first", [[], [Flatten()], [Tanh(), Residual(Tanh())]])
@pytest.mark.parametrize("nested", [False, True])
def test_without_dx_backward_goes_no_further_than_it_must(first, nested):
    """Layers before the first parameters are not asked, and the first one not for dx."""
    asked = []

    class Watched(Dense):
        def adjoint(self, dy, in_shape=None):
            asked.append(self)
            return super().adjoint(dy, in_shape)

    rest = [Watched(4, 3), Tanh(), Watched(3, 2)]
    rest = [Sequential(*rest)] if nested else rest
    net = Sequential(*first, *rest).initialize(dtype="float64")
    y, cache = net.forward(np.ones((2, 4)))
    for layer in first:
        layer.backward = None  # a call would fail
    assert net.backward(np.ones_like(y), cache, into_params="only") is None
    assert [layer.w.shape for layer in asked] == [(3, 2)]
    assert all(p.grad.any() for p in net.params().values())


def test_without_dx_and_without_parameters_nothing_is_returned():
    net = Sequential(Flatten(), Tanh()).initialize(dtype="float64")
    y, cache = net.forward(np.ones((2, 4)))
    assert net.backward(np.ones_like(y), cache, into_params="only") is None


class Scale(Layer):
    """y = x * scale, as a user writes it who knows no more than ``if into_params``."""

    def __init__(self, columns):
        self.scale = Param(np.arange(1.0, columns + 1))

    def forward(self, x, train=True):
        return x * self.scale.value, x

    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.scale.grad += (cache * dy).sum(0)
        return dy * self.scale.value


class OwnLinear(LinearMap):
    """y = x w, with a backward that a user wrote."""

    def __init__(self, n_in, n_out):
        self.w = Param(shape=(n_in, n_out), init=lambda rng, shape: rng.standard_normal(shape))

    def apply(self, x):
        return x @ self.w.value

    def adjoint(self, dy, in_shape=None):
        return dy @ self.w.value.T

    def weight_grad(self, x, dy):
        return x.T @ dy

    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad += self.weight_grad(cache, dy)
        return self.adjoint(dy)


LABELS = np.array([1, 0, 1, 1])


@pytest.mark.parametrize(
    ("make", "labelled"),
    [
        (lambda: Sequential(Scale(3)), False),
        (lambda: Sequential(Tanh(), Scale(3), Tanh()), False),
        (lambda: Sequential(Dense(3, 3), Scale(3)), False),
        (lambda: Sequential(Scale(3), Sequential(Scale(3), Dense(3, 2))), False),
        (lambda: Residual(Scale(3)), False),
        (lambda: Sequential(Tanh(), Residual(Tanh(), Scale(3), OwnLinear(3, 3))), False),
        (lambda: SpectralNorm(OwnLinear(3, 2)), False),
        (lambda: Sequential(SpectralNorm(OwnLinear(3, 2)), Scale(2)), False),
        (lambda: ConcatLabels(Scale(5), Embedding(2, 2)), True),
        (
            lambda: ConcatLabels(
                Sequential(Scale(5), Dense(5, 1)), Sequential(Embedding(2, 2), Scale(2))
            ),
            True,
        ),
        (lambda: Projection(Scale(3), Embedding(2, 3), OwnLinear(3, 1)), True),
        (
            lambda: Sequential(
                Projection(
                    Sequential(Tanh(), Scale(3)),
                    Sequential(Embedding(2, 3), Scale(3)),
                    Sequential(Scale(3), OwnLinear(3, 1)),
                ),
                Scale(1),
            ),
            True,
        ),
    ],
)
def test_a_users_layer_that_only_asks_whether_is_right_in_every_network(make, labelled):
    """Gradients with and without dx are the same; without gradients, dx is."""
    net = make().initialize(3, dtype="float64")
    x = np.random.default_rng(0).standard_normal((4, 3))
    y, cache = net.forward((x, LABELS) if labelled else x)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx = net.backward(dy, cache)
    wanted = net.grad.copy()
    assert dx.shape == x.shape
    assert all(p.grad.any() for p in net.params().values())
    net.zero_grad()
    net.backward(dy, cache, into_params="only")
    np.testing.assert_array_equal(net.grad, wanted)
    net.zero_grad()
    np.testing.assert_array_equal(net.backward(dy, cache, into_params=False), dx)
    assert not net.grad.any()


class HandsOn(Layer):
    """y = x + f(x), by somebody who knows only True and False and hands the switch on."""

    def __init__(self, f):
        self.f = f

    def forward(self, x, train=True):
        y, cache = self.f.forward(x, train)
        return x + y, cache

    def backward(self, dy, cache, into_params=True):
        return dy + self.f.backward(dy, cache, into_params)


@pytest.mark.parametrize(
    "make",
    [
        lambda f: Sequential(HandsOn(f), Dense(3, 1)),
        lambda f: Sequential(Sequential(HandsOn(f), Tanh()), Dense(3, 1)),
        lambda f: Residual(HandsOn(f), Dense(3, 3)),
    ],
)
@pytest.mark.parametrize("f", [Dense(3, 3), Sequential(Dense(3, 3), Tanh()), Residual(Dense(3, 3))])
def test_a_users_layer_may_hand_the_switch_on(make, f):
    net = make(f).initialize(0, dtype="float64")
    x = np.random.default_rng(0).standard_normal((4, 3))
    y, cache = net.forward(x)
    net.backward(np.ones_like(y), cache)
    wanted = net.grad.copy()
    net.zero_grad()
    net.backward(np.ones_like(y), cache, into_params="only")
    np.testing.assert_array_equal(net.grad, wanted)
    assert check(HandsOn(f), (4, 3)).passed


# ---- errors ----------------------------------------------------------------------------------


def test_a_residual_that_changes_the_shape_is_named():
    message = r"Residual\(Dense\(3, 2\)\): expected layers that keep the shape \(4, 3\), got "
    assert_shape_refused(lambda: Residual(Dense(3, 2)), (4, 3), message + r"\(4, 2\)$")


@pytest.mark.parametrize("make", [Sequential, Residual])
def test_a_list_is_what_it_holds(make):
    a, b, c = Dense(3, 3), Tanh(), Sequential([Dense(3, 3)])
    for layers in ([[a, b, c]], [(a, b, c)], [[a, (b,)], c], [a, [[b], c]]):
        net = make(*layers)
        assert net.layers == (a, b, c)
        assert list(net.params()) == ["0.w", "0.b", "2.0.w", "2.0.b"]


@pytest.mark.parametrize("make", [Sequential, Residual])
@pytest.mark.parametrize("layers", [(), ([],), (Tanh,), (Tanh(), np.tanh), ([Tanh(), 3],)])
def test_a_network_is_made_of_layers(make, layers):
    with pytest.raises(TypeError, match=rf"^{make.__name__}: expected Layers, got (none|\[.+\])$"):
        make(*layers)


# ---- summary ---------------------------------------------------------------------------------


def test_summary_is_a_table(capsys):
    net = network().initialize(7)
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


@pytest.mark.parametrize("make", [network, lambda: Sequential(Tanh(), Flatten())])
def test_summary_asks_for_the_shape_where_it_must(make):
    message = r"expected an input_shape, such as summary\(\(28, 28, 1\)\)"
    with pytest.raises(ValueError, match=message):
        make().summary()


# ---- PyTorch ---------------------------------------------------------------------------------


def generator():
    return Sequential(
        Dense(5, 24, bias=False),
        BatchNorm(24),
        ReLU(),
        Reshape((2, 2, 6)),
        ConvTranspose2D(6, 4, kernel=4, stride=2, padding=1, bias=False),
        BatchNorm(4),
        LeakyReLU(0.2),
        UpSample2D(2),
        Conv2D(4, 2, kernel=3, padding="same"),
        Tanh(),
    )


def critic():
    return Sequential(
        Conv2D(2, 4, kernel=4, stride=2, padding=1),
        LayerNorm((4, 4, 4)),
        Softplus(),
        Residual(Conv2D(4, 4, kernel=3, padding="same"), Tanh(), Conv2D(4, 4, kernel=1)),
        Sequential(Flatten(), Dense(64, 6), Sigmoid()),
        Dense(6, 1),
    )


@pytest.mark.torch
@dtypes
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (generator, (6, 5)),
        (critic, (3, 8, 8, 2)),
        (lambda: Residual(Dense(6, 5), Softplus(), Residual(Tanh()), Dense(5, 6)), (4, 6)),
    ],
)
def test_networks(dtype, seed, make, shape):
    assert_agrees(make(), shape, dtype, seed)


@pytest.mark.torch
@pytest.mark.parametrize("train", [True, False])
def test_a_generator_in_both_modes(train):
    assert_first_order_agrees(generator(), (6, 5), "float64", train=train)
    assert_second_order_agrees(generator(), (6, 5), "float64", train=train)
