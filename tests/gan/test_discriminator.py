"""Discriminators that honour what a game asks of them."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from scratchgan import gradcheck
from scratchgan.gan import MODELS, NORMS, Config, Model, build, make_discriminator, model
from scratchgan.gan.discriminator import PLAIN, DiscriminatorOptions
from scratchgan.layers import (
    Augment,
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
    Projection,
    Reshape,
    Residual,
    Sequential,
    ShapeError,
    SpectralNorm,
)  # fmt: skip

SHAPE = (16, 16, 1)


def made(name="dcgan-16x1-w4", **options):
    ask = DiscriminatorOptions(**options)
    return make_discriminator(model(name).discriminator, ask).initialize(0)


def kinds(network):
    return [type(layer) for layer in network.sublayers().values()]


def logits(network, n, shape=SHAPE):
    return network.forward(np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("f"))[0]


# The parameters of each plain discriminator, as the papers have them: no bias before a BatchNorm.
PARAMETERS = {
    "mlp": "1.w(784x256) 1.b(256) 4.w(256x128) 4.b(128) 7.w(128x1) 7.b(1)",
    "mlp-small": "1.w(784x256) 1.b(256) 4.w(256x1) 4.b(1)",
    "dcgan28": (
        "0.w(4x4x1x64) 0.b(64) 2.w(4x4x64x128) 3.gamma(128) 3.beta(128) 6.w(6272x1) 6.b(1)"
    ),
    "dcgan32": (
        "0.w(4x4x3x64) 0.b(64) 2.w(4x4x64x128) 3.gamma(128) 3.beta(128) 5.w(4x4x128x256) "
        "6.gamma(256) 6.beta(256) 8.w(4x4x256x1) 8.b(1)"
    ),
    "dcgan64": (
        "0.w(4x4x3x64) 0.b(64) 2.w(4x4x64x128) 3.gamma(128) 3.beta(128) 5.w(4x4x128x256) "
        "6.gamma(256) 6.beta(256) 8.w(4x4x256x512) 9.gamma(512) 9.beta(512) "
        "11.w(4x4x512x1) 11.b(1)"
    ),
    "stacked": (
        "0.w(4x4x3x32) 0.b(32) 2.w(4x4x32x64) 2.b(64) 5.w(3136x256) 5.b(256) 7.w(256x1) 7.b(1)"
    ),
    "toy": ("0.w(2x256) 0.b(256) 2.w(256x256) 2.b(256) 4.w(256x256) 4.b(256) 6.w(256x1) 6.b(1)"),
    "dcgan-16x1-w4": "0.w(4x4x1x4) 0.b(4) 2.w(4x4x4x8) 3.gamma(8) 3.beta(8) 5.w(4x4x8x1) 5.b(1)",
}


@pytest.mark.parametrize("name", [*MODELS, "dcgan-16x1-w4"])
def test_nothing_asked_for_nothing_changed(name):
    found = [f"{k}({'x'.join(map(str, p.shape))})" for k, p in made(name).params().items()]
    assert " ".join(found) == PARAMETERS[name]


@pytest.mark.parametrize(("norm", "stands"), [("none", 0), ("layer", 1), ("spectral", 0)])
def test_batchnorm_is_replaced_and_biases_come_back(norm, stands):
    network = made(norm=norm)
    assert BatchNorm not in kinds(network)
    assert kinds(network).count(LayerNorm) == stands
    weights = [k for k in network.params() if k.endswith("w")]
    biases = [k for k in network.params() if k.endswith(".b")]
    assert len(weights) == len(biases) == 3
    assert kinds(network).count(SpectralNorm) == (3 if norm == "spectral" else 0)
    assert logits(network, 4).shape == (4, 1)


def test_a_layernorm_is_over_the_whole_sample():
    (norm,) = (n for n in made(norm="layer").layers if isinstance(n, LayerNorm))
    assert norm.gamma.shape == (4, 4, 8)


@pytest.mark.parametrize("name", ["mlp", "dcgan-16x1-w4", "toy"])
@pytest.mark.parametrize("m", [2, 4])
def test_packs_are_judged_together(name, m):
    network, shape = made(name, pack=m, norm="none"), model(name).image_shape
    assert isinstance(network.layers[0], Pack)
    assert logits(network, 8, shape).shape == (8 // m, 1)
    first = next(n for n in network.layers if isinstance(n, (Dense, Conv2D)))
    plain = next(n for n in made(name).layers if isinstance(n, (Dense, Conv2D)))
    assert first.w.shape[-2] == m * plain.w.shape[-2]


@pytest.mark.parametrize("name", ["mlp", "dcgan-16x1-w4", "toy"])
def test_the_last_layer_sees_how_much_the_batch_varies(name):
    network, shape = made(name, minibatch_std=True), model(name).image_shape
    assert MinibatchStd in kinds(network)
    assert logits(network, 8, shape).shape == (8, 1)


def test_dropout_does_not_look_like_variety():
    network = made("mlp", minibatch_std=True)
    kind = [type(layer) for layer in network.layers]
    after = kind[kind.index(MinibatchStd) :]
    assert after == [MinibatchStd, Dropout, Dense]
    assert LeakyReLU in kind[: kind.index(MinibatchStd)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "none"}, r"BatchNorm\(4\) .* norm 'none' .*: leave it out, or write \*ask.n"),
        ({"norm": "layer"}, r"BatchNorm\(4\) .* norm 'layer' .*: leave it out, or write \*ask.n"),
        (
            {"norm": "spectral"},
            r"Dense\(256, 4\) in a discriminator with norm 'spectral' .*: write ask.w",
        ),
        ({"minibatch_std": True}, r"minibatch_std: write \*ask.std_channel\(\)"),
        ({"condition": "classifier", "classes": 3}, r"4 outputs, got Dense\(4, 1\)"),
    ],
)
def test_what_a_list_of_layers_leaves_out_is_refused(options, message):
    """Also inside other layers: nothing is done by halves."""

    def careless(ask):
        return ask.network(Flatten(), Sequential(Dense(256, 4), BatchNorm(4)), last=[Dense(4, 1)])

    assert logits(make_discriminator(careless).initialize(0), 4).shape == (4, 1)
    with pytest.raises(ValueError, match=message):
        make_discriminator(careless, DiscriminatorOptions(**options))


def test_packs_that_the_first_layer_does_not_take_are_refused():
    def careless(ask):
        return ask.network(Flatten(), last=[Dense(256, 1)])

    network = make_discriminator(careless, DiscriminatorOptions(pack=2)).initialize(0)
    with pytest.raises(ShapeError, match=r"Dense\(256, 1\).*512"):
        logits(network, 4)


def test_weights_inside_other_layers_can_be_normalised_by_hand():
    def careful(ask):
        block = Residual(ask.weights(Dense(256, 256, bias=ask.bias)), *ask.normalise(256))
        return ask.network(Flatten(), block, last=[Dense(256, 1)])

    for norm, stands in [("model", 0), ("layer", 0), ("none", 0), ("spectral", 2)]:
        network = make_discriminator(careful, DiscriminatorOptions(norm=norm)).initialize(0)
        assert kinds(network).count(SpectralNorm) == stands
        assert (BatchNorm in kinds(network)) == (norm == "model")


# ---- functions that take no options ----------------------------------------------------------


def own(width=4):
    return Sequential(
        Flatten(), Dense(256, width), BatchNorm(width), LeakyReLU(0.2), Dense(width, 1)
    )


def test_a_function_without_options_serves_the_plain_game(monkeypatch):
    pair = model("dcgan-16x1-w4")._replace(discriminator=own)
    monkeypatch.setitem(MODELS, "own", Model(*pair))
    images = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), np.uint8)
    trainer = build(Config("random", "own", batch_size=4), images, "numpy")
    assert repr(trainer.discriminator) == repr(own())
    assert np.isfinite(np.array(trainer.step(), float)).all()
    noisy = Config("random", "own", batch_size=4, instance_noise=0.2, instance_noise_steps=2)
    trainer = build(noisy, images, "numpy")
    (layer,) = trainer.noise_layers
    assert layer is trainer.discriminator.layers[0]
    for std in (0.2, 0.1, 0):
        trainer.step()
        assert layer.std == pytest.approx(std)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"pack": 2}, "pack=2"),
        ({"minibatch_std": True}, "minibatch_std=True"),
        *(({"condition": c, "classes": 3}, f"condition='{c}'") for c in ("concat", "classifier")),
    ],
)
def test_a_function_without_options_is_told_how_to_take_them(options, word):
    with pytest.raises(ValueError, match=r"own\(\): expected a parameter ask.* def .*\(ask\)") as e:
        make_discriminator(own, DiscriminatorOptions(**options))
    assert f"the run needs {word}; write" in str(e.value)


def bare():
    return Sequential(
        Flatten(), Dense(256, 4), LeakyReLU(0.2), Sequential(Dense(4, 1)), Dense(1, 1)
    )


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "model"])
def test_a_function_without_options_may_have_no_batch_norm_to_replace(norm):
    ask = DiscriminatorOptions(norm=norm)
    with pytest.raises(ValueError, match=rf"BatchNorm\(4\) .* norm '{norm}' .*: leave it out"):
        make_discriminator(own, ask)
    if norm != "spectral":
        assert repr(make_discriminator(bare, ask)) == repr(bare())


def test_weights_of_a_function_without_options_are_normalised():
    def flat():
        return Sequential(Flatten(), Dense(256, 4), LeakyReLU(0.2), Dense(4, 1), Reshape((1,)))

    ask = DiscriminatorOptions(norm="spectral", noise=0.1)
    network = make_discriminator(flat, ask).initialize(0)
    assert kinds(network).count(SpectralNorm) == 2 and kinds(network).count(GaussianNoise) == 1
    assert logits(network, 4).shape == (4, 1)
    with pytest.raises(ValueError, match=r"Dense\(4, 1\).*write ask.weights"):  # inside another
        make_discriminator(bare, ask)


def test_a_projection_takes_the_last_weights_of_a_function_without_options():
    ask = DiscriminatorOptions(condition="projection", classes=3)
    network = make_discriminator(own, ask).initialize(0)
    assert type(network) is Projection and network.embedding.w.shape == (3, 4)
    x = np.ones((3, *SHAPE), "f")
    one, other = (network.forward((x, np.full(3, label)), False)[0] for label in (0, 1))
    assert one.shape == (3, 1) and (one != other).all()


def test_noise_comes_first():
    network = made(noise=0.3)
    assert isinstance(network.layers[0], GaussianNoise) and network.layers[0].std == 0.3
    x = np.zeros((4, *SHAPE), "f")
    assert (network.forward(x)[0] != network.forward(x)[0]).all()
    np.testing.assert_array_equal(*(network.forward(x, train=False)[0] for _ in range(2)))


@pytest.mark.parametrize("function", [bare, MODELS["dcgan28"].discriminator])
def test_images_are_changed_before_the_noise_comes(function):
    ask = DiscriminatorOptions(augment="translation+cutout", noise=0.3)
    first = make_discriminator(function, ask).layers[:2]
    assert [type(layer) for layer in first] == [Augment, GaussianNoise]
    assert first[0].kinds == "translation+cutout"


@pytest.mark.parametrize("norm", NORMS)
def test_everything_at_once_is_differentiated_right(norm):
    options = {"minibatch_std": True, "noise": 0.1, "augment": "translation"}
    network = made("dcgan-16x1-w2", norm=norm, pack=2, **options)
    report = gradcheck.check(network, (12, *SHAPE))  # of few packs the deviation is all kinks
    assert report.passed, str(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"augment": "cutout", "condition": "concat", "classes": 2},
            "augment: expected none with condition 'concat'; take the condition projection or ",
        ),
        ({"norm": "group"}, "norm: expected one of model, layer, spectral, none, got 'group'"),
        (
            {"condition": "sum"},
            "condition: expected one of concat, projection, classifier, got 'sum'",
        ),
        ({"pack": 0}, "pack: expected 1 or more, got 0"),
        ({"pack": 2, "condition": "concat"}, "pack: expected 1 with a condition, got 2"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DiscriminatorOptions(**options)


def test_options_are_values():
    assert DiscriminatorOptions() == PLAIN
    with pytest.raises(FrozenInstanceError):
        PLAIN.pack = 2


def test_a_batch_that_cannot_be_packed_is_refused():
    config = Config("random", "mlp", batch_size=9, pack=2)
    with pytest.raises(ValueError, match="batch_size 9 must be divisible by pack 2"):
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
