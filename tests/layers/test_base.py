"""What every layer promises: the rules of ``layers/base.py``, names, and errors."""

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    LinearMap,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    ShapeError,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    UpSample2D,
)
from scratchgan.catalogue import layer_cases
from scratchgan.layers import Elementwise, GaussianNoise, MinibatchStd, Pack, base

# ---- two batches in flight -------------------------------------------------------------------


class KeepsActivations(Dense):
    """What the layers of several public GANs do."""

    def forward(self, x, train=True):
        self.x = x
        return super().forward(x, train)

    def backward(self, dy, cache, into_params=True):
        return super().backward(dy, self.x, into_params)


def discriminator(first):
    return Sequential(first, LeakyReLU(0.2), Dense(8, 1)).initialize(1, dtype="float64")


def gradient_of_both(net, interleaved):
    """dS/dθ for S = sum of D(real) - sum of D(fake)."""
    real, fake = np.random.default_rng(0).standard_normal((2, 6, 5))
    net.zero_grad()
    a, real_cache = net.forward(real)
    if not interleaved:
        net.backward(np.ones_like(a), real_cache)
    b, fake_cache = net.forward(fake)
    if interleaved:
        net.backward(np.ones_like(a), real_cache)
    net.backward(-np.ones_like(b), fake_cache)
    return net.grad.copy()


def in_flight_error(first):
    net = discriminator(first)
    wanted = gradient_of_both(net, interleaved=False)
    return np.abs(gradient_of_both(net, interleaved=True) - wanted).max() / np.abs(wanted).max()


def test_real_and_fake_can_be_in_flight_together():
    assert in_flight_error(Dense(5, 8)) <= 1e-14


def test_and_the_test_above_would_see_activations_on_self():
    assert in_flight_error(KeepsActivations(5, 8)) > 0.1


@pytest.mark.parametrize(
    ("layer", "shape"), layer_cases(), ids=lambda value: repr(value)[:40].replace("/", "")
)
def test_no_layer_keeps_an_array_of_the_batch(layer, shape):
    layer.initialize(dtype="float64")
    known = {id(a) for part in layer.sublayers().values() for a in vars(part).values()}
    buffers = {name for part in layer.sublayers().values() for name in part.buffers}
    y, cache = layer.forward(np.random.default_rng(0).standard_normal(shape))
    layer.backward(np.ones_like(y), cache)
    for part in layer.sublayers().values():
        new = {name for name, a in vars(part).items() if id(a) not in known}
        assert new <= buffers, f"{part} keeps {new}"


# ---- inputs that are refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Dense(2, 3), (4, 2)),
        (Conv2D(2, 3, kernel=1), (1, 2, 2, 2)),
        (ConvTranspose2D(2, 3, kernel=1), (1, 2, 2, 2)),
        (BatchNorm(2), (4, 2)),
        (LayerNorm(2), (4, 2)),
        (UpSample2D(2), (1, 2, 2, 2)),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "complex128"])
def test_what_is_not_real_is_refused(layer, shape, dtype):
    layer.initialize()
    with pytest.raises(ShapeError, match=rf"expected input of dtype float32, got {dtype}"):
        layer.forward(np.ones(shape, dtype))


def test_the_other_float_is_refused():
    with pytest.raises(ShapeError, match=r"^Dense\(2, 3\): expected input of dtype float32, got "):
        Dense(2, 3).initialize().forward(np.ones((4, 2)))


def test_without_parameters_both_floats_are_taken_and_no_others():
    with pytest.raises(ShapeError, match="expected input of dtype float32 or float64, got int64"):
        UpSample2D(2).forward(np.ones((1, 2, 2, 2), "int64"))
    for dtype in ("float32", "float64"):
        assert UpSample2D(2).forward(np.ones((1, 2, 2, 2), dtype))[0].dtype == dtype


ANY_SHAPE = [
    Tanh(), Sigmoid(), Softplus(), ReLU(), LeakyReLU(0.2), Flatten(), Reshape(6), Dropout(0.5),
    GaussianNoise(0.1), Pack(2), MinibatchStd(), Sequential(Flatten()), Residual(Tanh()),
]  # fmt: skip


@pytest.mark.parametrize("layer", ANY_SHAPE, ids=repr)
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "complex64", ">f4", object])
def test_layers_without_weights_refuse_what_is_not_real_too(layer, train, dtype):
    message = r"\): expected input of dtype float32 or float64, got " + str(np.dtype(dtype))
    message = message.replace(" or float64", "( or float64)?")  # initialised, some expect one
    with pytest.raises(ShapeError, match=message + "$"):
        layer.initialize().forward(np.ones((4, 6), dtype), train)


@pytest.mark.parametrize("layer", [*ANY_SHAPE, BatchNorm(6), LayerNorm(6), Dense(6, 2)], ids=repr)
def test_a_list_is_no_array(layer):
    with pytest.raises(TypeError, match=r"^expected a NumPy or CuPy array, got list$"):
        layer.initialize().forward([[1.0] * 6] * 4)


@pytest.mark.parametrize("layer", [Flatten(), Reshape(1), Pack(1), MinibatchStd()], ids=repr)
def test_a_single_number_is_no_batch(layer):
    with pytest.raises(ShapeError, match=r"expected input of shape \(N, .*\), got \(\)$"):
        layer.forward(np.array(1.0))


@pytest.mark.parametrize(
    ("layer", "shape"), layer_cases(), ids=lambda value: repr(value)[:40].replace("/", "")
)
def test_the_layout_of_memory_does_not_matter(layer, shape):
    """Nor that x and dy cannot be written to."""
    rng, found = np.random.default_rng(0), []
    x = rng.standard_normal(shape)
    for order in ("C", "F", "strided", "backwards"):
        layer.initialize(dtype="float64")
        y, cache = layer.forward(laid_out(x, order))
        dy = laid_out(np.random.default_rng(1).standard_normal(y.shape), order)
        found.append((y, layer.backward(dy, cache), layer.grad))
    for other in found[1:]:
        for own, wanted in zip(other, found[0], strict=True):
            np.testing.assert_allclose(own, wanted, rtol=1e-9, atol=1e-12)


def laid_out(a, order):
    """The same numbers, read-only, in another order of memory."""
    if order == "strided":
        a = np.repeat(a, 2, -1)[..., ::2]
    elif order == "backwards":
        a = np.ascontiguousarray(a[::-1])[::-1]
    else:
        a = np.array(a, order=order)
    a.flags.writeable = False
    return a


def test_an_array_of_another_backend_is_refused(monkeypatch):
    class Elsewhere:
        name = "elsewhere"

    layer = Dense(2, 3).initialize()
    ops = {id(layer.theta): Elsewhere}
    own = base.ops_of
    monkeypatch.setattr(base, "ops_of", lambda x: ops.get(id(x)) or own(x))
    with pytest.raises(ShapeError, match=r"expected input on backend elsewhere, got numpy"):
        layer.forward(np.ones((4, 2), "float32"))


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match=r"^expected a NumPy or CuPy array, got list$"):
        Dense(2, 3).initialize().forward([[1.0, 2.0]])


# ---- layers of one's own ---------------------------------------------------------------------

X = np.ones((2, 2))


@pytest.mark.parametrize(
    ("kind", "call", "what"),
    [
        (Layer, lambda layer: layer.forward(X), "forward"),
        (Layer, lambda layer: layer.backward(X, None), "backward"),
        (Layer, lambda layer: layer.double_backward(X, X, None), "second order"),
        (LinearMap, lambda layer: layer.apply(X), "apply"),
        (LinearMap, lambda layer: layer.adjoint(X), "adjoint"),
        (LinearMap, lambda layer: layer.weight_grad(X, X), "weight_grad"),
        (Elementwise, lambda layer: layer.f(X), "no f"),
        (Elementwise, lambda layer: layer.df(X), "no df"),
        (Elementwise, lambda layer: layer.d2f(X), "no d2f"),
    ],
)
def test_an_unfinished_layer_says_what_it_lacks(kind, call, what):
    class Mine(kind):
        pass

    with pytest.raises(NotImplementedError, match=rf"Mine\(\) has no .*{what.split()[-1]}"):
        call(Mine())


# ---- constructors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: Dense(3, 4, False),
        lambda: Conv2D(1, 1, 3),
        lambda: ConvTranspose2D(1, 1, 3),
        lambda: BatchNorm(128, 0.8),  # sets eps in a well-known GAN
        lambda: LayerNorm(3, 1e-5),
    ],
)
def test_all_but_sizes_must_be_named(call):
    with pytest.raises(TypeError, match="positional argument"):
        call()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Dense(2, 3), "Dense(2, 3)"),
        (LeakyReLU(0.2), "LeakyReLU(0.2)"),
        (ReLU(), "ReLU()"),
        (BatchNorm(8), "BatchNorm(8)"),
        (LayerNorm((2, 3)), "LayerNorm((2, 3))"),
        (Dropout(0.3), "Dropout(0.3)"),
        (Reshape((7, 7, 2)), "Reshape((7, 7, 2))"),
        (UpSample2D(2), "UpSample2D(2)"),
        (Flatten(), "Flatten()"),
        (SpectralNorm(Dense(2, 3)), "SpectralNorm(Dense(2, 3))"),
        (Residual(Tanh(), Dense(2, 2)), "Residual(Tanh(), Dense(2, 2))"),
        (
            Conv2D(3, 64, kernel=4, stride=2, padding="same"),
            "Conv2D(3, 64, kernel=(4, 4), stride=(2, 2), padding='same')",
        ),
    ],
)
def test_the_name_of_a_layer_is_how_it_is_made(layer, text):
    assert repr(layer) == text
