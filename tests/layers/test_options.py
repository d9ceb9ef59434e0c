"""Options of constructors: sizes from NumPy are taken, and what is no size is refused."""

import math

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    LayerNorm,
    LeakyReLU,
    Reshape,
    UpSample2D,
)  # fmt: skip
from scratchgan.layers import Embedding, GaussianNoise, MinibatchStd, Pack
from scratchgan.layers.options import checked

SIZES = {
    "Dense, in": lambda n: Dense(n, 2),
    "Dense, out": lambda n: Dense(2, n),
    "Conv2D, in": lambda n: Conv2D(n, 2, kernel=3),
    "Conv2D, out": lambda n: Conv2D(2, n, kernel=3),
    "kernel": lambda n: Conv2D(2, 2, kernel=n),
    "kernels": lambda n: Conv2D(2, 2, kernel=(n, 2)),
    "stride": lambda n: Conv2D(2, 2, kernel=4, stride=n),
    "ConvTranspose2D": lambda n: ConvTranspose2D(2, n, kernel=n, stride=(2, n)),
    "BatchNorm": lambda n: BatchNorm(n),
    "LayerNorm": lambda n: LayerNorm(n),
    "LayerNorm, axes": lambda n: LayerNorm((2, n)),
    "Reshape": lambda n: Reshape((2, n)),
    "UpSample2D": lambda n: UpSample2D(n),
    "Pack": lambda n: Pack(n),
    "Embedding, classes": lambda n: Embedding(n, 2),
    "Embedding, width": lambda n: Embedding(2, n),
}
each_size = pytest.mark.parametrize("make", SIZES.values(), ids=list(SIZES))


@each_size
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.array])
def test_numpy_integers_are_sizes(make, kind):
    layer, plain = make(kind(3)), make(3)
    assert repr(layer) == repr(plain) and "np." not in repr(layer)
    assert [p.shape for p in layer.params().values()] == [p.shape for p in plain.params().values()]


@each_size
@pytest.mark.parametrize("bad", [0, -3, 3.0, np.float64(3), math.nan, True, None, "3", (3, 3, 3.0)])
def test_what_is_no_size_is_refused(make, bad):
    with pytest.raises(ValueError, match=r"^\w+\(\w+=.*\): expected an int .*>= 1, got "):
        make(bad)


@pytest.mark.parametrize("padding", [0, np.int64(1), (np.int8(1), 0), np.array([1, 2])])
@pytest.mark.parametrize("kind", [Conv2D, ConvTranspose2D])
def test_paddings_are_sizes_that_may_be_0(kind, padding):
    assert "np." not in repr(kind(2, 2, kernel=3, padding=padding))


@pytest.mark.parametrize("bad", [-1, 0.0, math.nan, False, None, "valid"])
def test_what_is_no_padding_is_refused(bad):
    with pytest.raises(ValueError, match=r"^Conv2D\(padding=.*\): expected an int or a pair of "):
        Conv2D(2, 2, kernel=3, padding=bad)


def test_a_layer_norm_has_an_axis_and_an_int_is_a_shape():
    with pytest.raises(ValueError, match=r"^LayerNorm\(shape=\(\)\): expected at least one axis"):
        LayerNorm(())
    assert LayerNorm(np.array([2, 3])).gamma.shape == (2, 3)
    assert Reshape(6).shape == (6,) and Reshape(()).shape == ()


NUMBERS = {
    "BatchNorm, eps": lambda v: BatchNorm(3, eps=v),
    "LayerNorm, eps": lambda v: LayerNorm(3, eps=v),
    "MinibatchStd, eps": lambda v: MinibatchStd(eps=v),
    "decay": lambda v: BatchNorm(3, decay=v),
    "slope": lambda v: LeakyReLU(v),
    "rate": lambda v: Dropout(v),
    "std": lambda v: GaussianNoise(v),
}
each_number = pytest.mark.parametrize("make", NUMBERS.values(), ids=list(NUMBERS))


@each_number
@pytest.mark.parametrize("bad", [-0.5, math.nan, math.inf, None, "0.5", np.array([0.5, 0.5])])
def test_what_is_no_such_number_is_refused(make, bad):
    with pytest.raises(ValueError, match=r"^\w+\(\w+=.*\): expected .*, got "):
        make(bad)


@each_number
def test_a_number_of_numpy_has_no_say_in_the_dtype(make):
    layer = make(np.float64(0.5)).initialize()
    assert "np." not in repr(layer)
    for backend in ("reference", "numpy"):
        layer.initialize(backend=backend)
        y, cache = layer.forward(np.ones((4, 3), np.float32))
        assert y.dtype == layer.backward(y, cache).dtype == np.float32


def test_an_option_of_a_function_is_named_after_it():
    with pytest.raises(ValueError, match=r"^sorted\(n=2\): expected 1, got 2$"):
        checked(lambda n: n == 1, sorted, "1", n=2)
