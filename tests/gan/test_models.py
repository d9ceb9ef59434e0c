"""The networks by name: what they are, and that all of them learn."""

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dropout,
    Flatten,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    UpSample2D,
)  # fmt: skip
from scratchgan.gan import MODELS, Config, build, dcgan, dcgan_name, model
from scratchgan.gradcheck import check
from scratchgan.layers.init import normal


def kinds(network):
    return [type(layer) for layer in network.layers]


def pixels(n, shape):
    return np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        *(*MODELS, "dcgan-16x1-w4-up-drop0.3", "dcgan-32x3-w4", "dcgan-20x3-w4"),
        *("dcgan-28x1-w4", "dcgan-48x1-w4-up", "dcgan-96x3-w2"),
    ],
)
def test_every_parameter_of_both_networks_moves_in_one_step(name):
    config = Config("random", name, batch_size=4)
    trainer = build(config, pixels(4, model(name).image_shape), "numpy")
    networks = {"G": trainer.generator, "D": trainer.discriminator}
    before = {
        k: {n: p.value.copy() for n, p in net.params().items()} for k, net in networks.items()
    }
    found = trainer.step()
    assert all(np.isfinite(float(value)) for value in found)
    still = [
        f"{key} {name}"
        for key, network in networks.items()
        for name, p in network.params().items()
        if (p.value == before[key][name]).all()
    ]
    assert not still


SIZES = [16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("upsample", [False, True])
def test_images_of_every_size_and_back(size, channels, upsample):
    pair = dcgan(size, channels, width=2, upsample=upsample)
    assert pair.image_shape == (size, size, channels)
    x, _ = pair.generator().initialize(0).forward(np.zeros((2, pair.z_dim), np.float32))
    assert x.shape == (2, size, size, channels)
    assert np.abs(x).max() <= 1
    logits, _ = pair.discriminator().initialize(0).forward(x)
    assert logits.shape == (2, 1)


def test_the_64_pixel_pair_is_the_papers():
    """100 -> 512 -> 256 -> 128 -> 64 -> 3 by 4x4 kernels; 64 -> 128 -> 256 -> 512 -> 1."""
    g, d = dcgan(64).generator(), dcgan(64).discriminator()
    up = [layer for layer in g.layers if isinstance(layer, ConvTranspose2D)]
    down = [layer for layer in d.layers if isinstance(layer, Conv2D)]
    assert [layer.c_in for layer in up] == [100, 512, 256, 128, 64] and up[-1].c_out == 3
    assert [layer.c_out for layer in down] == [64, 128, 256, 512, 1] and down[0].c_in == 3
    assert all(layer.kernel == (4, 4) for layer in up + down)
    # BatchNorm everywhere but at G's output and at D's input and output.
    assert kinds(g).count(BatchNorm) == 4 and kinds(d).count(BatchNorm) == 3


@pytest.mark.parametrize(
    ("size", "sides"), [(28, [7, 14, 28]), (48, [6, 12, 24, 48]), (20, [5, 10, 20])]
)
def test_other_sizes_double_from_what_halving_leaves(size, sides):
    """G's sides are those of its images from the first layer on; D's are the same backwards."""
    pair = dcgan(size, 1, 4)

    def square_sides(net, x):
        found = []
        for layer in net.initialize(0).layers:
            x, _ = layer.forward(x)
            found += [x.shape[1]] if x.ndim == 4 and x.shape[1:2] == x.shape[2:3] else []
        return sorted(set(found) - {1})

    assert square_sides(pair.generator(), np.zeros((2, 100), np.float32)) == sides
    x = np.zeros((2, size, size, 1), np.float32)
    assert square_sides(pair.discriminator(), x) == sides[:-1]
    up = [n for n in pair.generator().layers if isinstance(n, ConvTranspose2D)]
    down = [n for n in pair.discriminator().layers if isinstance(n, Conv2D)]
    assert [n.kernel for n in up] == [(sides[0],) * 2] + [(4, 4)] * (len(sides) - 1)
    assert [n.kernel for n in down] == [(4, 4)] * (len(sides) - 1) + [(sides[0],) * 2]


@pytest.mark.parametrize("upsample", [False, True])
def test_the_gradients_of_an_odd_start_are_right(upsample):
    pair = dcgan(20, 1, 1, upsample=upsample)
    report = check(pair.generator(), (4, 100))
    assert report.passed, report
    report = check(pair.discriminator(), (4, 20, 20, 1))
    assert report.passed, report


def test_powers_of_two_have_the_networks_of_earlier_versions():
    """Their runs must resume, so the layers and the first numbers are written out for one size."""
    halve = {"kernel": 4, "stride": 2, "padding": 1, "init": normal(0.02)}
    whole = {"kernel": 4, "init": normal(0.02)}
    generator = Sequential(
        Reshape((1, 1, 100)),
        ConvTranspose2D(100, 16, bias=False, **whole), BatchNorm(16), ReLU(),
        ConvTranspose2D(16, 8, bias=False, **halve), BatchNorm(8), ReLU(),
        ConvTranspose2D(8, 4, bias=False, **halve), BatchNorm(4), ReLU(),
        ConvTranspose2D(4, 3, **halve), Tanh(),
    )  # fmt: skip
    discriminator = Sequential(
        Conv2D(3, 4, **halve), LeakyReLU(0.2),
        Conv2D(4, 8, bias=False, **halve), BatchNorm(8), LeakyReLU(0.2),
        Conv2D(8, 16, bias=False, **halve), BatchNorm(16), LeakyReLU(0.2),
        Conv2D(16, 1, **whole), Flatten(),
    )  # fmt: skip
    pair = dcgan(32, 3, 4)
    for now, then in ((pair.generator(), generator), (pair.discriminator(), discriminator)):
        assert repr(now) == repr(then)
        now.initialize(5)
        then.initialize(5)
        assert list(now.params()) == list(then.params())
        np.testing.assert_array_equal(now.theta, then.theta)


def test_weights_start_as_in_the_paper():
    g = dcgan(64).generator().initialize(0)
    w = g.params()["4.w"].value
    assert w.shape == (4, 4, 256, 512)
    assert abs(w.mean()) < 1e-4 and w.std() == pytest.approx(0.02, rel=0.01)


def test_options_change_what_they_say():
    up, plain = dcgan(32, upsample=True).generator(), dcgan(32).generator()
    assert UpSample2D in kinds(up) and kinds(up).count(ConvTranspose2D) == 1
    assert UpSample2D not in kinds(plain)
    dropped = dcgan(32, dropout=0.3).discriminator()
    assert kinds(dropped).count(Dropout) == 2
    assert all(layer.rate == 0.3 for layer in dropped.layers if isinstance(layer, Dropout))
    assert Dropout not in kinds(dcgan(32).discriminator())


@pytest.mark.parametrize(
    "options",
    [
        (64, 3, 64, False, 0.0),
        (16, 1, 8, True, 0.25),
        (256, 3, 32, False, 1e-05),
        (28, 1, 8, False, 0.0),
    ],
)
def test_a_name_leads_back_to_the_same_networks(options):
    named, own = model(dcgan_name(*options)), dcgan(*options)
    for i in range(2):
        assert repr(named[i]()) == repr(own[i]())
    assert named[2:] == own[2:]


@pytest.mark.parametrize(
    ("size", "near"),
    [
        *((0, "16"), (8, "16"), (14, "16"), (31, "28 or 32"), (37, "32 or 40"), (54, "48 or 56")),
        *((63, "56 or 64"), (100, "96 or 112"), (144, "128 or 160"), (512, "256"), (-32, "16")),
    ],
)
def test_other_sizes_are_refused_and_the_nearest_named(size, near):
    wanted = "expected a size of 16 to 256 that is 4, 5, 6 or 7 times a power of two"
    with pytest.raises(ValueError, match=f"{wanted}, such as {near}, got size {size}$"):
        dcgan(size)


@pytest.mark.parametrize(
    "name",
    [
        *("dcgan", "dcgan-64", "dcgan-64x3-w8-drop", "dcgan-64x3-w8-drope-", "mlp2", ""),
        *("dcgan-64x3-w", "dcgan-64x3-8", "dcgan-x3-w8", "dcgan-64x-w8", "dcgan-64x3x3-w8"),
        *("dcgan-64x3-w8-down", "dcgan-64x3-w8-up-up", "gan-64x3-w8", "dcgan-64x3-w8-up-w8"),
        *("dcgan-64x3-w8-drop0.1-up", "dcgan-64x3-w8-drop0.1-drop0.1", "dcgan-64x3-w8-drop1e-"),
    ],
)
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"model: expected one of mlp, .*, got '{name}'"):
        model(name)
