"""The networks by name: what they are, and that all of them learn."""

import numpy as np
import pytest

from scratchgan import BatchNorm, Conv2D, ConvTranspose2D, Dropout, UpSample2D
from scratchgan.gan import MODELS, Config, build, dcgan, dcgan_name, model


def kinds(network):
    return [type(layer) for layer in network.layers]


def pixels(n, shape):
    return np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)


@pytest.mark.parametrize("name", [*MODELS, "dcgan-16x1-w4-up-drop0.3", "dcgan-32x3-w4"])
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


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256])
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
    "options", [(64, 3, 64, False, 0.0), (16, 1, 8, True, 0.25), (256, 3, 32, False, 1e-05)]
)
def test_a_name_leads_back_to_the_same_networks(options):
    named, own = model(dcgan_name(*options)), dcgan(*options)
    for i in range(2):
        assert repr(named[i]()) == repr(own[i]())
    assert named[2:] == own[2:]


@pytest.mark.parametrize("size", [8, 63, 96, 512])
def test_other_sizes_are_refused(size):
    with pytest.raises(
        ValueError, match=f"expected a size of 16, 32, 64, 128 or 256, got size {size}"
    ):
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
