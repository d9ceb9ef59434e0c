"""Wrong shapes and wrong arguments: the message names the layer, the given and the wanted."""

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
    Reshape,
    Residual,
    Sequential,
    ShapeError,
    Tanh,
    UpSample2D,
)
from scratchgan.layers import Elementwise

CONV = r"Conv2D\(2, 3, kernel=\(3, 3\), stride=\(1, 1\), padding=\(0, 0\)\)"

WRONG_SHAPES = [
    (lambda: Dense(6, 5), (4, 7), r"Dense\(6, 5\): input of shape \(4, 7\) given, \(N, 6\) wanted"),
    (lambda: Dense(6, 5), (6,), r"Dense\(6, 5\): input of shape \(6,\) given, \(N, 6\) wanted"),
    (lambda: Dense(6, 5), (2, 3, 6), r"shape \(2, 3, 6\) given, \(N, 6\) wanted"),
    (
        lambda: Conv2D(2, 3, kernel=3),
        (4, 5, 5, 1),
        CONV + r": input of shape \(4, 5, 5, 1\) given, \(N, H, W, 2\) wanted",
    ),
    (lambda: Conv2D(2, 3, kernel=3), (5, 5, 2), r"\(5, 5, 2\) given, \(N, H, W, 2\) wanted"),
    (
        lambda: Conv2D(2, 3, kernel=3),
        (4, 5, 2, 2),
        CONV + r": input of shape \(4, 5, 2, 2\) given, smaller than the kernel",
    ),
    (
        lambda: ConvTranspose2D(2, 3, kernel=4),
        (4, 5, 5, 3),
        r"ConvTranspose2D\(2, 3, .*\): input of shape \(4, 5, 5, 3\) given, \(N, Y, X, 2\) wanted",
    ),
    (
        lambda: ConvTranspose2D(2, 3, kernel=2, padding=2),
        (1, 3, 3, 2),
        r"ConvTranspose2D.*\(1, 3, 3, 2\) given, no pixel of it is left",
    ),
    (
        lambda: BatchNorm(3),
        (4, 2),
        r"BatchNorm\(3\): input of shape \(4, 2\) given, \(N, 3\) wanted",
    ),
    (lambda: BatchNorm(3), (4, 2, 2, 1), r"\(4, 2, 2, 1\) given, \(N, H, W, 3\) wanted"),
    (
        lambda: BatchNorm(3),
        (1, 3),
        r"BatchNorm\(3\): input of shape \(1, 3\) given, two values a channel wanted",
    ),
    (lambda: BatchNorm(3), (3,), r"BatchNorm\(3\): input of shape \(3,\) given, .* wanted"),
    (
        lambda: LayerNorm((2, 3)),
        (4, 3, 2),
        r"LayerNorm\(\(2, 3\)\): input of shape \(4, 3, 2\) given, \(N, 2, 3\) wanted",
    ),
    (lambda: LayerNorm((2, 3)), (2, 3), r"input of shape \(2, 3\) given, \(N, 2, 3\) wanted"),
    (
        lambda: Reshape((2, 3)),
        (4, 5),
        r"Reshape\(\(2, 3\)\): input of shape \(4, 5\) given, 6 numbers a sample wanted",
    ),
    (
        lambda: UpSample2D(2),
        (4, 5),
        r"UpSample2D\(2\): input of shape \(4, 5\) given, \(N, H, W, C\) wanted",
    ),
    (
        lambda: Residual(Dense(3, 2)),
        (4, 3),
        r"Residual\(Dense\(3, 2\)\): input \(4, 3\) became \(4, 2\), the same shape wanted",
    ),
]


@pytest.mark.parametrize(("make", "shape", "message"), WRONG_SHAPES)
def test_a_wrong_shape_is_named(make, shape, message):
    with pytest.raises(ShapeError, match=message):
        make().initialize(dtype="float64").forward(np.zeros(shape))


@pytest.mark.parametrize(("make", "shape", "message"), WRONG_SHAPES)
def test_a_wrong_shape_inside_a_network_is_named_with_its_place(make, shape, message):
    net = Sequential(Tanh(), Sequential(Tanh(), Tanh(), make())).initialize(dtype="float64")
    with pytest.raises(ShapeError, match=rf"layer 1: layer 2: .*{message}"):
        net.forward(np.zeros(shape))


def test_evaluation_of_a_single_sample_is_no_error():
    y, _ = BatchNorm(3).initialize().forward(np.ones((1, 3), "float32"), train=False)
    assert y.shape == (1, 3)


def test_batch_norm_without_a_batch_axis_is_refused_in_evaluation_too():
    with pytest.raises(ShapeError, match=r"\(3,\) given, \(N, 3\) wanted"):
        BatchNorm(3).initialize().forward(np.ones(3, "float32"), train=False)


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
    with pytest.raises(ShapeError, match=rf"input of dtype {dtype} given, float32"):
        layer.forward(np.ones(shape, dtype))


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        Dense(2, 3).initialize().forward([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(1, 1, kernel=0), r"kernel=0 given, an int or a pair of ints >= 1 wanted"),
        (lambda: Conv2D(1, 1, kernel=(3, 3, 3)), r"kernel=\(3, 3, 3\) given"),
        (lambda: Conv2D(1, 1, kernel=(3, 2.5)), r"kernel=\(3, 2\.5\) given"),
        (lambda: Conv2D(1, 1, kernel=3, stride=0), "stride=0 given"),
        (lambda: Conv2D(1, 1, kernel=3, stride=(1, -1)), r"stride=\(1, -1\) given"),
        (lambda: Conv2D(1, 1, kernel=3, padding=-1), "padding=-1 given, .* >= 0 wanted"),
        (lambda: Conv2D(1, 1, kernel=3, padding="valid"), "padding='valid' given"),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, padding="same"),
            r"ConvTranspose2D\(padding='same'\) given, a number of pixels wanted",
        ),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, stride=2, output_padding=2),
            "ConvTranspose2D.*output_padding=2 given, less than the stride wanted",
        ),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, stride=(2, 1), output_padding=(1, 1)),
            "less than the stride",
        ),
        (lambda: ConvTranspose2D(1, 1, kernel=3, output_padding=-1), "output_padding=-1 given"),
        (lambda: BatchNorm(3, eps=0), r"BatchNorm\(eps=0\) given, eps > 0 wanted"),
        (lambda: BatchNorm(3, decay=1.5), r"BatchNorm\(decay=1\.5\) given, 0 <= decay <= 1 wanted"),
        (lambda: BatchNorm(3, decay=-0.1), "0 <= decay <= 1 wanted"),
        (lambda: LayerNorm(3, eps=-1), r"LayerNorm\(eps=-1\) given"),
        (lambda: Dropout(1), r"Dropout\(rate=1\) given, 0 <= rate < 1 wanted"),
        (lambda: Dropout(-0.1), "0 <= rate < 1 wanted"),
        (lambda: LeakyReLU(1.0), r"LeakyReLU\(slope=1\.0\) given, 0 <= slope < 1 wanted"),
        (lambda: LeakyReLU(-0.2), "0 <= slope < 1 wanted"),
        (lambda: UpSample2D(0), r"UpSample2D\(factor=0\) given, an int >= 1 wanted"),
        (lambda: UpSample2D(1.5), "an int >= 1 wanted"),
    ],
)
def test_a_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [Sequential, Residual])
@pytest.mark.parametrize("layers", [(), (Tanh,), (Tanh(), np.tanh), ([Tanh()],)])
def test_a_network_is_made_of_layers(make, layers):
    with pytest.raises(TypeError, match="one Layer or more wanted"):
        make(*layers)


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


def test_flatten_takes_any_shape():
    for shape in [(2, 3), (2, 3, 4), (2, 1, 1, 1, 5)]:
        y, _ = Flatten().forward(np.zeros(shape))
        assert y.shape == (2, np.prod(shape[1:]))
