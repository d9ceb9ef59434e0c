"""Games with labels: G draws the class it is asked for; D sees the label, or predicts it."""

from dataclasses import asdict

import numpy as np
import pytest

from scratchgan.gan import PRESETS, Config, build, generate, model, z_dim
from scratchgan.gan.discriminator import CONDITIONS, LABEL_WIDTH
from scratchgan.layers import ConcatLabels, Projection
from scratchgan.runs import load_generator, samples_of_classes, train

NETWORKS = ["mlp", "mlp-small", "dcgan28", "dcgan-16x1-w4"]


def data(network="mlp", n=40, classes=4):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, *model(network).image_shape), np.uint8)
    return images, (np.arange(n) % classes).astype(np.uint8)


def config_of(condition="concat", network="mlp", **options):
    return Config("random", network, batch_size=8, condition=condition, classes=4, **options)


def trainer_of(condition="concat", network="mlp", **options):
    images, labels = data(network)
    return build(config_of(condition, network, **options), images, "numpy", labels)


def cases():
    for network in NETWORKS:
        for condition in CONDITIONS:
            if not (condition == "concat" and network.startswith("dcgan")):
                yield condition, network


@pytest.mark.parametrize(("condition", "network"), list(cases()))
@pytest.mark.parametrize("preset", ["gan", "wgan-gp", "sngan-hinge", "r3gan"])
def test_two_steps_move_every_parameter(condition, network, preset):
    trainer = trainer_of(condition, network, **PRESETS[preset].settings)
    before = {
        (side, key): p.value.copy()
        for side in ("generator", "discriminator")
        for key, p in getattr(trainer, side).params().items()
    }
    found = [trainer.step(), trainer.step()]
    assert np.isfinite(np.array(found, float)).all()
    stayed = [
        (side, key)
        for (side, key), old in before.items()
        if (getattr(trainer, side).params()[key].value == old).all()
    ]
    # Where only differences of logits count, D's output bias is seen by nobody.
    allowed = 0 if trainer.loss.probability or condition == "classifier" else 1
    assert len(stayed) <= allowed, stayed


def test_the_networks_are_what_they_are_called():
    for condition, kind in [("concat", ConcatLabels), ("projection", Projection)]:
        trainer = trainer_of(condition)
        assert isinstance(trainer.discriminator, kind)
        assert isinstance(trainer.generator, ConcatLabels)
    D = trainer_of("classifier").discriminator
    assert D.forward(np.zeros((3, 28, 28, 1), "f"))[0].shape == (3, 1 + 4)


def test_labels_take_the_place_of_noise():
    trainer = trainer_of()
    assert trainer.source.noise().shape == (8, 100 - LABEL_WIDTH) == (8, z_dim(config_of()))


def test_samples_depend_on_their_labels_and_come_class_by_class():
    trainer = trainer_of(ema=0.5)
    trainer.step()
    z = np.random.default_rng(0).standard_normal((3, 100 - LABEL_WIDTH)).astype("f")
    images = samples_of_classes(trainer.best_generator, z, 4)
    assert images.shape == (12, 28, 28, 1)
    of_class_2 = generate(trainer.best_generator, z, np.full(3, 2))
    np.testing.assert_array_equal(images[6:9], of_class_2)
    assert (images[:3] != of_class_2).any()


def test_batches_bring_the_labels_of_their_own_images():
    images, labels = data()
    images[:] = labels[:, None, None, None]
    trainer = build(config_of(), images, "numpy", labels)
    x, given = trainer.source.batch()
    np.testing.assert_array_equal(np.rint((x[:, 0, 0, 0] + 1) * 127.5), given)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_conditional_run_resumes_bit_for_bit(condition, tmp_path):
    images, labels = data()
    config = config_of(condition, ema=0.9)
    keep = {"backend": "numpy", "save_every": 2, "labels": labels}
    whole = train(config, images, tmp_path / "whole", steps=4, **keep)
    train(config, images, tmp_path / "parts", steps=2, **keep)
    parts = train(config, images, tmp_path / "parts", steps=4, resume=True, **keep)
    np.testing.assert_array_equal(parts.generator.theta, whole.generator.theta)
    np.testing.assert_array_equal(parts.discriminator.theta, whole.discriminator.theta)
    generator, loaded = load_generator(tmp_path / "parts", "numpy")
    assert asdict(loaded) == asdict(config)
    np.testing.assert_array_equal(generator.theta, whole.best_generator.theta)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "data random: expected labels for 'concat', got none"),
        (
            np.zeros(39, int),
            r"expected 40 integer labels from 0 to 3, got labels of shape \(39,\) .* from 0 to 0",
        ),
        (np.zeros(40), "expected 40 integer labels from 0 to 3, got .* float64 from 0.0 to 0.0"),
        (np.full(40, 4), "expected 40 integer labels from 0 to 3, got .* from 4 to 4"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        build(config_of(), data()[0], "numpy", labels)


def test_what_cannot_be_is_refused():
    with pytest.raises(
        ValueError, match="pack: expected 1 with a condition, got 2: it has no label"
    ):
        trainer_of(pack=2)
    with pytest.raises(ValueError, match=r"a first layer that is Dense, got a conv.* take project"):
        trainer_of("concat", "dcgan28")
    with pytest.raises(
        ValueError, match="condition: expected one of concat, projection, classifier, got 'sum'"
    ):
        trainer_of("sum")
    config = Config("points", "toy", batch_size=4, condition="concat", classes=2)
    with pytest.raises(
        ValueError, match="expected a model with more than 10 numbers of noise, got 'toy'"
    ):
        build(config, np.zeros((8, 2), "f"), "numpy", np.zeros(8, int))
