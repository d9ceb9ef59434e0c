"""What layers do beyond their gradient."""

import math

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2D,
)
from scratchgan.catalogue import layer_cases

from ..compare import assert_close

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
    statistics = {name for part in layer.sublayers().values() for name in part.buffers}
    y, cache = layer.forward(np.random.default_rng(0).standard_normal(shape))
    layer.backward(np.ones_like(y), cache)
    for part in layer.sublayers().values():
        new = {name for name, a in vars(part).items() if id(a) not in known}
        assert new <= statistics, f"{part} keeps {new}"


# ---- Dropout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    n = 40_000
    y, cache = Dropout(rate).initialize(1).forward(np.ones((200, 200), "float32"))
    share = (y == 0).mean()
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / n)
    assert abs(y.mean() - 1) < 5 * math.sqrt(rate / (1 - rate) / n)
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-6)
    np.testing.assert_array_equal(Dropout(rate).backward(np.ones_like(y), cache), y)


def test_dropout_is_seeded_and_draws_anew_each_time():
    def masks(seed):
        layer = Dropout(0.5).initialize(seed)
        return [layer.forward(np.ones((9, 9)))[0] for _ in range(2)]

    np.testing.assert_array_equal(masks(1), masks(1))
    assert (masks(1)[0] != masks(1)[1]).any()
    assert (masks(1)[0] != masks(2)[0]).any()


def test_two_dropouts_of_a_network_drop_different_numbers():
    net = Sequential(Dropout(0.5), Dropout(0.5)).initialize(1)
    y, _ = net.forward(np.ones((100, 100)))
    assert abs((y == 0).mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 10_000)


def test_dropout_by_itself_needs_no_initialisation():
    masks = [Dropout(0.5, seed=s).forward(np.ones((9, 9)))[0] for s in (1, 1, 2)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_dropout_of_nothing_and_in_evaluation_changes_nothing():
    x = np.random.default_rng(0).standard_normal((5, 5))
    np.testing.assert_array_equal(Dropout(0).forward(x)[0], x)
    y, cache = Dropout(0.9).forward(x, train=False)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(Dropout(0.9).backward(x, cache), x)


# ---- normalisations --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(50, 3), (5, 4, 6, 3)])
def test_batch_norm_normalises_each_channel_over_batch_and_pixels(shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape) * [1, 10, 100] + [5, 0, -70]
    y, _ = BatchNorm(3, eps=1e-12).initialize(dtype="float64").forward(x)
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axes), 1, rtol=1e-9)


def test_running_statistics_in_numbers():
    layer = BatchNorm(1, decay=0.75).initialize(dtype="float64")
    layer.forward(np.array([[2.0], [6.0]]))  # mean 4, variance 8 with M - 1 = 1 below
    assert layer.running_mean == pytest.approx(0.25 * 4)
    assert layer.running_var == pytest.approx(0.75 * 1 + 0.25 * 8)
    layer.forward(np.array([[2.0], [6.0]]), train=False)
    assert layer.running_mean == pytest.approx(1)
    y, _ = layer.forward(np.array([[7.0]]), train=False)
    assert y == pytest.approx((7 - 1) / math.sqrt(2.75 + 1e-5))


@pytest.mark.parametrize(("decay", "mean"), [(0, 4), (1, 0)])
def test_the_ends_of_decay(decay, mean):
    layer = BatchNorm(1, decay=decay).initialize(dtype="float64")
    layer.forward(np.array([[2.0], [6.0]]))
    assert layer.running_mean == mean


def test_running_statistics_of_batches_tend_to_those_of_the_data():
    rng = np.random.default_rng(0)
    layer = BatchNorm(2, decay=0.99).initialize(dtype="float64")
    for _ in range(1500):
        layer.forward(rng.normal([3, -1], [2, 0.5], (8, 2)))
    np.testing.assert_allclose(layer.running_mean, [3, -1], atol=0.15)
    np.testing.assert_allclose(layer.running_var, [4, 0.25], rtol=0.15)


def test_what_evaluation_cached_stays_as_it_was_while_training_goes_on():
    rng = np.random.default_rng(0)
    net = BatchNorm(3).initialize(0, dtype="float64")
    x, dy = rng.standard_normal((2, 6, 3))
    net.forward(x)
    _, cache = net.forward(x, train=False)
    found = []
    for _ in range(2):
        net.zero_grad()
        found.append((net.backward(dy, cache), net.grad.copy()))
        net.forward(x + 5)  # moves the running statistics
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("far", [10, 1000])
def test_batch_norm_far_from_zero_in_single_precision(far):
    """Nothing may be lost that the rounding of x itself has left."""
    rng = np.random.default_rng(0)
    x = (far + rng.standard_normal((4096, 4))).astype(np.float32)
    dy = rng.standard_normal((4096, 4)).astype(np.float32)
    results = []
    for dtype in "float32", "float64":
        net = BatchNorm(4).initialize(0, dtype=dtype)
        y, cache = net.forward(x.astype(dtype))
        dx = net.backward(dy.astype(dtype), cache)
        results.append((y, dx, net.grad))
    for single, exact in zip(*results, strict=True):
        assert_close(single, exact, 1e-6 * max(1, far / 10))


def test_layer_norm_normalises_each_sample():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 2)) * 9 + 4
    for shape, axes in ((2, 3), ((5, 2), (2, 3)), ((4, 5, 2), (1, 2, 3))):
        y, _ = LayerNorm(shape, eps=1e-12).initialize(dtype="float64").forward(x)
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
        np.testing.assert_allclose(y.var(axes), 1, rtol=1e-9)


# ---- activations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "x", "y", "slope"),
    [
        (LeakyReLU(0.1), [-2, 0, 3], [-0.2, 0, 3], [0.1, 0.1, 1]),
        (Tanh(), [-1e4, 0, 1e4], [-1, 0, 1], [0, 1, 0]),
        (Sigmoid(), [-1e4, 0, 1e4], [0, 0.5, 1], [0, 0.25, 0]),
        (Softplus(), [-1e4, 0, 1e4], [0, math.log(2), 1e4], [0, 0.5, 1]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_at_extremes(layer, x, y, slope, dtype):
    with np.errstate(over="raise", invalid="raise"):
        found, cache = layer.forward(np.array(x, dtype))
        dx = layer.backward(np.ones_like(found), cache)
        _, bend = layer.double_backward(np.ones_like(found), np.ones_like(found), cache)
    np.testing.assert_allclose(found, y, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(dx, slope, rtol=1e-6, atol=1e-6)
    assert bend is None or np.isfinite(bend).all()


# ---- shapes and geometry ---------------------------------------------------------------------


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


def test_flatten_and_reshape_keep_the_order_and_go_back():
    x = np.arange(24.0).reshape(2, 3, 4)
    flat, shape = Flatten().forward(x)
    np.testing.assert_array_equal(flat, np.arange(24).reshape(2, 12))
    np.testing.assert_array_equal(Flatten().backward(flat, shape), x)
    y, cache = Reshape((2, 6)).forward(x)
    np.testing.assert_array_equal(y, np.arange(24).reshape(2, 2, 6))
    np.testing.assert_array_equal(Reshape((2, 6)).backward(y, cache), x)
    assert Reshape((2, 6)).adjoint(y).shape == Flatten().adjoint(flat).shape == (2, 12)


def test_upsampling_copies_pixels():
    x = np.array([[1.0, 2], [3, 4]])[None, :, :, None]
    y, _ = UpSample2D(2).forward(x)
    wanted = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(y[0, :, :, 0], wanted)


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


# ---- networks --------------------------------------------------------------------------------


def test_a_residual_of_zero_is_the_identity():
    net = Residual(Dense(4, 4), Tanh(), Dense(4, 4, init=lambda rng, s: np.zeros(s)))
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(net.initialize(dtype="float64").forward(x)[0], x)


@pytest.mark.parametrize("first", [[], [Flatten()], [Tanh(), Residual(Tanh())]])
@pytest.mark.parametrize("nested", [False, True])
def test_backward_params_goes_no_further_than_it_must(first, nested):
    """Layers before the first parameters are not asked, and the first one not for dx."""
    asked = []

    class Watched(Dense):
        def adjoint(self, dy, in_shape=None):
            asked.append(self)
            return super().adjoint(dy, in_shape)

    rest = [Watched(4, 3), Tanh(), Watched(3, 2)]
    rest = [Sequential(*rest)] if nested else rest
    net = Sequential(*first, *rest).initialize(dtype="float64")
    for layer in first:
        layer.backward = None  # a call would fail
    y, cache = net.forward(np.ones((2, 4)))
    net.backward_params(np.ones_like(y), cache)
    assert [layer.w.shape for layer in asked] == [(3, 2)]
    assert all(p.grad.any() for p in net.params().values())


def test_in_evaluation_every_layer_is_told():
    net = Sequential(BatchNorm(2), Residual(Dropout(0.5), Sequential(BatchNorm(2))))
    net.initialize(dtype="float64")
    before = net.state_dict()
    x = np.random.default_rng(0).standard_normal((5, 2))
    first, _ = net.forward(x, train=False)
    second, _ = net.forward(x, train=False)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_equal(net.state_dict(), before)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Dense(2, 3), "Dense(2, 3)"),
        (LeakyReLU(0.2), "LeakyReLU(0.2)"),
        (BatchNorm(8), "BatchNorm(8)"),
        (LayerNorm((2, 3)), "LayerNorm((2, 3))"),
        (Dropout(0.3), "Dropout(0.3)"),
        (Reshape((7, 7, 2)), "Reshape((7, 7, 2))"),
        (UpSample2D(2), "UpSample2D(2)"),
        (Flatten(), "Flatten()"),
        (Residual(Tanh(), Dense(2, 2)), "Residual(Tanh(), Dense(2, 2))"),
        (
            Conv2D(3, 64, kernel=4, stride=2, padding="same"),
            "Conv2D(3, 64, kernel=(4, 4), stride=(2, 2), padding='same')",
        ),
    ],
)
def test_the_name_of_a_layer_is_how_it_is_made(layer, text):
    assert repr(layer) == text
