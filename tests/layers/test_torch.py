"""Every layer and whole networks against PyTorch, over random shapes."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scratchgan import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    ShapeError,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2D,
)

from ..reference import assert_first_order_agrees, assert_second_order_agrees

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning"),
]
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
seeds = st.integers(0, 2**32)
few = st.integers(1, 4)
sizes = st.integers(3, 8)  # of images, and of what is averaged over


def assert_agrees(layer, shape, dtype, seed):
    assert_first_order_agrees(layer, shape, dtype, seed)
    assert_second_order_agrees(layer, shape, dtype, seed)


@st.composite
def geometries(draw, same=True):
    """(kernel, stride, padding), square or not; "same" at stride 1."""
    kernel = draw(st.integers(1, 5) | st.tuples(few, few))
    if same and draw(st.booleans()):
        return {"kernel": kernel, "padding": "same"}
    stride = draw(st.integers(1, 3) | st.tuples(few, few))
    padding = draw(st.integers(0, 3) | st.tuples(st.integers(0, 3), st.integers(0, 3)))
    return {"kernel": kernel, "stride": stride, "padding": padding}


@dtypes
@given(few, sizes, sizes, st.booleans(), seeds)
def test_dense(dtype, n, n_in, n_out, bias, seed):
    assert_agrees(Dense(n_in, n_out, bias=bias), (n, n_in), dtype, seed)


@dtypes
@given(geometries(), few, sizes, sizes, few, few, st.booleans(), seeds)
def test_conv(dtype, geometry, n, height, width, c_in, c_out, bias, seed):
    layer = Conv2D(c_in, c_out, **geometry, bias=bias)
    pads = layer.pads((height, width))
    assume(height + sum(pads[0]) >= layer.kernel[0] and width + sum(pads[1]) >= layer.kernel[1])
    assert_agrees(layer, (n, height, width, c_in), dtype, seed)


@dtypes
@given(geometries(same=False), st.data(), few, few, few, few, few, st.booleans(), seeds)
def test_conv_transpose(dtype, geometry, data, n, height, width, c_in, c_out, bias, seed):
    stride = np.broadcast_to(geometry["stride"], 2)
    extra = data.draw(st.tuples(*(st.integers(0, int(s) - 1) for s in stride)))
    layer = ConvTranspose2D(c_in, c_out, **geometry, output_padding=extra, bias=bias)
    out = np.array(layer.smallest((height, width))) + extra
    x_shape = (n, height, width, c_in)
    if out.min() < 1:
        with pytest.raises(ShapeError, match="no pixel of it is left"):
            layer.initialize(dtype=dtype).forward(np.zeros(x_shape, dtype))
    else:
        assert_agrees(layer, x_shape, dtype, seed)


batches = st.tuples(st.integers(5, 9), few) | st.tuples(few, sizes, sizes, few)


@dtypes
@given(batches, st.floats(0, 1), st.floats(1e-5, 0.1), seeds)
def test_batch_norm_in_training(dtype, shape, decay, eps, seed):
    assert_agrees(BatchNorm(shape[-1], eps=eps, decay=decay), shape, dtype, seed)


@dtypes
@given(batches, st.floats(1e-5, 0.1), seeds)
def test_batch_norm_in_evaluation(dtype, shape, eps, seed):
    assert_first_order_agrees(BatchNorm(shape[-1], eps=eps), shape, dtype, seed, train=False)
    assert_second_order_agrees(BatchNorm(shape[-1], eps=eps), shape, dtype, seed, train=False)


@dtypes
@given(
    st.lists(few, max_size=2), st.lists(sizes, min_size=1, max_size=3), st.floats(1e-5, 0.1), seeds
)
def test_layer_norm(dtype, middle, normed, eps, seed):
    shape = (*middle, *normed) if middle else (2, *normed)
    assert_agrees(LayerNorm(tuple(normed), eps=eps), shape, dtype, seed)


@dtypes
@pytest.mark.parametrize(
    "make", [lambda: LeakyReLU(0.2), LeakyReLU, ReLU, Tanh, Sigmoid, Softplus, Flatten]
)
@given(st.lists(few, min_size=1, max_size=3), seeds)
def test_elementwise_and_flatten(dtype, make, shape, seed):
    assert_agrees(make(), (3, *shape), dtype, seed)


@dtypes
@given(few, few, few, few, st.integers(1, 3), seeds)
def test_upsampling(dtype, n, height, width, channels, factor, seed):
    assert_agrees(UpSample2D(factor), (n, height, width, channels), dtype, seed)


@dtypes
def test_reshape(dtype):
    assert_agrees(Reshape((2, 3, 2)), (4, 12), dtype, 0)


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


@pytest.mark.parametrize("train", [True, False])
def test_a_generator_in_both_modes(train):
    assert_first_order_agrees(generator(), (6, 5), "float64", train=train)
    assert_second_order_agrees(generator(), (6, 5), "float64", train=train)
