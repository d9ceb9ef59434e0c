"""A discriminator fitted to its game."""

import numpy as np
import pytest

from scratchgan import gradcheck
from scratchgan.gan import NORMS, Config, build, model, refit
from scratchgan.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Pack,
    Sequential,
    SpectralNorm,
)  # fmt: skip

SHAPE = (16, 16, 1)


def fitted(name="dcgan-16x1-w4", **options):
    of = model(name)
    return refit(of.discriminator(), of.image_shape, **options).initialize(0)


def kinds(network):
    return [type(layer) for layer in network.sublayers().values()]


def logits(network, n, shape=SHAPE):
    return network.forward(np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("f"))[0]


def test_nothing_asked_for_nothing_changed():
    assert repr(fitted()) == repr(model("dcgan-16x1-w4").discriminator())


@pytest.mark.parametrize(("norm", "stands"), [("none", 0), ("layer", 1), ("spectral", 0)])
def test_batchnorm_is_replaced_and_biases_come_back(norm, stands):
    network = fitted(norm=norm)
    assert BatchNorm not in kinds(network)
    assert kinds(network).count(LayerNorm) == stands
    weights = [k for k in network.params() if k.endswith("w")]
    biases = [k for k in network.params() if k.endswith(".b")]
    assert len(weights) == len(biases) == 3
    assert kinds(network).count(SpectralNorm) == (3 if norm == "spectral" else 0)
    assert logits(network, 4).shape == (4, 1)


def test_a_layernorm_is_over_the_whole_sample():
    (norm,) = (n for n in fitted(norm="layer").layers if isinstance(n, LayerNorm))
    assert norm.gamma.shape == (4, 4, 8)


@pytest.mark.parametrize("name", ["mlp", "dcgan-16x1-w4", "toy"])
@pytest.mark.parametrize("m", [2, 4])
def test_packs_are_judged_together(name, m):
    network, shape = fitted(name, pack=m, norm="none"), model(name).image_shape
    assert isinstance(network.layers[0], Pack)
    assert logits(network, 8, shape).shape == (8 // m, 1)
    first = next(n for n in network.layers if isinstance(n, (Dense, Conv2D)))
    plain = next(n for n in fitted(name).layers if isinstance(n, (Dense, Conv2D)))
    assert first.w.shape[-2] == m * plain.w.shape[-2]


@pytest.mark.parametrize("name", ["mlp", "dcgan-16x1-w4", "toy"])
def test_the_last_layer_sees_how_much_the_batch_varies(name):
    network, shape = fitted(name, minibatch_std=True), model(name).image_shape
    assert MinibatchStd in kinds(network)
    assert logits(network, 8, shape).shape == (8, 1)


def test_dropout_does_not_look_like_variety():
    network = fitted("mlp", minibatch_std=True)
    kind = [type(layer) for layer in network.layers]
    after = kind[kind.index(MinibatchStd) :]
    assert after == [MinibatchStd, Dropout, Dense]
    assert LeakyReLU in kind[: kind.index(MinibatchStd)]


def test_nested_discriminators_are_refused_rather_than_half_fitted():
    network = Sequential(Flatten(), Sequential(Dense(256, 4), BatchNorm(4)), Dense(4, 1))
    with pytest.raises(ValueError, match="inside a discriminator given, a plain list of layers"):
        refit(network, SHAPE, norm="none")


def test_noise_comes_first():
    network = fitted(noise=0.3)
    assert isinstance(network.layers[0], GaussianNoise) and network.layers[0].std == 0.3
    x = np.zeros((4, *SHAPE), "f")
    assert (network.forward(x)[0] != network.forward(x)[0]).all()
    np.testing.assert_array_equal(*(network.forward(x, train=False)[0] for _ in range(2)))


@pytest.mark.parametrize("norm", NORMS)
def test_everything_at_once_is_differentiated_right(norm):
    network = fitted("dcgan-16x1-w2", norm=norm, pack=2, minibatch_std=True, noise=0.1)
    report = gradcheck.check(network, (12, *SHAPE))  # of few packs the deviation is all kinks
    assert report.passed, str(report)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm 'group' given, one of model, layer, spectral"):
        fitted(norm="group")


def test_a_batch_that_cannot_be_packed_is_refused():
    config = Config("random", "mlp", batch_size=9, pack=2)
    with pytest.raises(ValueError, match="batches of 9 given, packs of 2 wanted"):
        build(config, np.zeros((20, 28, 28, 1), np.uint8), "numpy")


def test_instance_noise_falls_to_zero():
    config = Config("random", "mlp", batch_size=8, instance_noise=0.4, instance_noise_steps=4)
    trainer = build(config, np.zeros((20, 28, 28, 1), np.uint8), "numpy")
    (layer,) = trainer.noise_layers
    found = []
    for _ in range(6):
        trainer.step()
        found.append(layer.std)
    assert found == pytest.approx([0.4, 0.3, 0.2, 0.1, 0, 0])
