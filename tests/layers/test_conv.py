"""Conv2D and ConvTranspose2D: geometry, errors, PyTorch."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scratchgan import Conv2D, ConvTranspose2D, ShapeError

from ..compare import assert_close
from .pytorch import assert_agrees, dtypes, few, seeds, sizes
from .refusal import assert_shape_refused

# ---- geometry --------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3, (2, 5)])
@pytest.mark.parametrize("kernel", [1, 2, 3, (4, 5)])
@pytest.mark.parametrize("size", [(5, 8), (6, 7), (1, 1)])
def test_same_padding_gives_size_over_stride_rounded_up(kernel, stride, size):
    layer = Conv2D(1, 2, kernel=kernel, stride=stride, padding="same").initialize()
    y, _ = layer.forward(np.zeros((1, *size, 1), "float32"))
    wanted = tuple(math.ceil(n / s) for n, s in zip(size, layer.stride, strict=True))
    assert y.shape[1:3] == wanted
    for first, last in layer.pads(size):
        assert 0 <= last - first <= 1


@pytest.mark.parametrize("padding", [0, 1, (2, 0), "same"])
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
def test_the_smallest_image_has_that_output_and_no_smaller_one(stride, padding):
    layer = Conv2D(1, 1, kernel=(4, 5), stride=stride, padding=padding).initialize()
    out = (3, 4)

    def output_of(size):
        return layer.forward(np.zeros((1, *size, 1), "float32"))[0].shape[1:3]

    smallest = layer.smallest(out)
    assert output_of(smallest) == out
    assert output_of([n - 1 for n in smallest]) == (out[0] - 1, out[1] - 1)
    dy = np.ones((2, *out, 1), "float32")
    assert layer.adjoint(dy).shape == (2, *smallest, 1)
    assert layer.adjoint(dy, (2, *smallest, 1)).shape == (2, *smallest, 1)


@pytest.mark.parametrize("output_padding", [(0, 0), (1, 2), (2, 0)])
def test_conv_transpose_is_the_adjoint_of_conv(output_padding):
    """The same weights, not transposed or flipped: <Conv x, y> = <x, ConvTranspose y>."""
    geometry = {"kernel": (4, 3), "stride": 3, "padding": 1, "bias": False}
    up = ConvTranspose2D(2, 5, **geometry, output_padding=output_padding)
    up.initialize(1, dtype="float64")
    down = Conv2D(5, 2, **geometry).initialize(2, dtype="float64")
    assert up.w.shape == down.w.shape == (4, 3, 5, 2)
    down.w.value[...] = up.w.value
    rng = np.random.default_rng(0)
    y = rng.standard_normal((2, 3, 4, 2))
    painted = up.apply(y)
    assert painted.shape == (2, 8 + output_padding[0], 10 + output_padding[1], 5)
    x = rng.standard_normal(painted.shape)
    assert_close((down.apply(x) * y).sum(), (x * painted).sum(), 1e-12)


# ---- errors ----------------------------------------------------------------------------------

CONV = r"Conv2D\(2, 3, kernel=\(3, 3\), stride=\(1, 1\), padding=\(0, 0\)\): expected "


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (
            lambda: Conv2D(2, 3, kernel=3),
            (4, 5, 5, 1),
            CONV + r"input of shape \(N, H, W, 2\), got \(4, 5, 5, 1\)$",
        ),
        (
            lambda: Conv2D(2, 3, kernel=3),
            (5, 5, 2),
            CONV + r"input of shape \(N, H, W, 2\), got \(5, 5, 2\)$",
        ),
        (
            lambda: Conv2D(2, 3, kernel=3),
            (4, 5, 2, 2),
            CONV + r"input at least as large as the kernel, got shape \(4, 5, 2, 2\)$",
        ),
        (
            lambda: ConvTranspose2D(2, 3, kernel=4),
            (4, 5, 5, 3),
            r"ConvTranspose2D\(2, 3, .*\): expected input of shape \(N, Y, X, 2\), "
            r"got \(4, 5, 5, 3\)$",
        ),
        (
            lambda: ConvTranspose2D(2, 3, kernel=2, padding=2),
            (1, 3, 3, 2),
            r"ConvTranspose2D.*: expected at least one pixel of output, "
            r"got \(0, 0\) from input of shape \(1, 3, 3, 2\)$",
        ),
    ],
)
def test_a_wrong_shape_is_named(make, shape, message):
    assert_shape_refused(make, shape, message)


PAIR = "expected an int or a pair of ints >= "


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(1, 1, kernel=0), rf"Conv2D\(kernel=0\): {PAIR}1, got 0$"),
        (lambda: Conv2D(1, 1, kernel=(3, 3, 3)), rf"kernel=\(3, 3, 3\)\): {PAIR}1, got \(3, 3, 3"),
        (lambda: Conv2D(1, 1, kernel=(3, 2.5)), rf"kernel=\(3, 2\.5\)\): {PAIR}1, got \(3, 2\.5\)"),
        (lambda: Conv2D(1, 1, kernel=3, stride=0), rf"stride=0\): {PAIR}1, got 0$"),
        (
            lambda: Conv2D(1, 1, kernel=3, stride=(1, -1)),
            rf"stride=\(1, -1\)\): {PAIR}1, got \(1, -1\)$",
        ),
        (lambda: Conv2D(1, 1, kernel=3, padding=-1), rf"padding=-1\): {PAIR}0, got -1$"),
        (
            lambda: Conv2D(1, 1, kernel=3, padding="valid"),
            rf"padding='valid'\): {PAIR}0, got 'valid'$",
        ),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, padding="same"),
            r"ConvTranspose2D\(padding='same'\): expected a number of pixels, got 'same'$",
        ),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, stride=2, output_padding=2),
            r"ConvTranspose2D\(output_padding=2\): expected less than stride \(2, 2\), got 2$",
        ),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, stride=(2, 1), output_padding=(1, 1)),
            r"expected less than stride \(2, 1\), got \(1, 1\)$",
        ),
        (
            lambda: ConvTranspose2D(1, 1, kernel=3, output_padding=-1),
            rf"output_padding=-1\): {PAIR}0, got -1$",
        ),
    ],
)
def test_a_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- PyTorch ---------------------------------------------------------------------------------

torch_ignores = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


@st.composite
def geometries(draw, same=True):
    """(kernel, stride, padding), square or not; "same" at stride 1."""
    kernel = draw(st.integers(1, 5) | st.tuples(few, few))
    if same and draw(st.booleans()):
        return {"kernel": kernel, "padding": "same"}
    stride = draw(st.integers(1, 3) | st.tuples(few, few))
    padding = draw(st.integers(0, 3) | st.tuples(st.integers(0, 3), st.integers(0, 3)))
    return {"kernel": kernel, "stride": stride, "padding": padding}


@pytest.mark.torch
@torch_ignores
@dtypes
@given(geometries(), few, sizes, sizes, few, few, st.booleans(), seeds)
def test_conv(dtype, geometry, n, height, width, c_in, c_out, bias, seed):
    layer = Conv2D(c_in, c_out, **geometry, bias=bias)
    pads = layer.pads((height, width))
    assume(height + sum(pads[0]) >= layer.kernel[0] and width + sum(pads[1]) >= layer.kernel[1])
    assert_agrees(layer, (n, height, width, c_in), dtype, seed)


@pytest.mark.torch
@dtypes
@given(geometries(same=False), st.data(), few, few, few, few, few, st.booleans(), seeds)
def test_conv_transpose(dtype, geometry, data, n, height, width, c_in, c_out, bias, seed):
    stride = np.broadcast_to(geometry["stride"], 2)
    extra = data.draw(st.tuples(*(st.integers(0, int(s) - 1) for s in stride)))
    layer = ConvTranspose2D(c_in, c_out, **geometry, output_padding=extra, bias=bias)
    out = np.array(layer.smallest((height, width))) + extra
    x_shape = (n, height, width, c_in)
    if out.min() < 1:
        with pytest.raises(ShapeError, match="expected at least one pixel of output"):
            layer.initialize(dtype=dtype).forward(np.zeros(x_shape, dtype))
    else:
        assert_agrees(layer, x_shape, dtype, seed)
