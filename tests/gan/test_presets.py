"""Presets of papers: each sets what it says, and every network can be trained with it."""

from dataclasses import fields

import numpy as np
import pytest

from scratchgan.gan import PRESET_FIELDS, PRESETS, Config, build, model, preset_options
from scratchgan.layers import BatchNorm, SpectralNorm

NETWORKS = ["mlp", "mlp-small", "dcgan-16x1-w4", "toy"]


def trainer_of(preset, network="mlp", **options):
    config = Config("random", network, batch_size=8, **PRESETS[preset].settings | options)
    shape = model(network).image_shape
    images = np.random.default_rng(0).integers(0, 256, (64, *shape), np.uint8)
    return build(config, images, "numpy")


def test_presets_set_their_own_options_and_no_more():
    names = {f.name for f in fields(Config)}
    assert set(PRESET_FIELDS) <= names
    for name, preset in PRESETS.items():
        assert set(preset.settings) <= {*PRESET_FIELDS, "ema"}, name
        assert preset.source
        assert preset_options(name).keys() == {*PRESET_FIELDS, *preset.settings}
        assert preset_options(name).items() >= preset.settings.items()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("preset", PRESETS)
def test_two_steps_with_every_preset_move_every_parameter(preset, network):
    trainer = trainer_of(preset, network)
    # D's output bias moves nothing where only differences of logits count; nor with the hinge,
    # as long as all logits are within its margins.
    only_differences = not trainer.loss.probability
    before = {}
    for side in ("generator", "discriminator"):
        for key, p in getattr(trainer, side).params().items():
            before[side, key] = p.value.copy()
    unseen = list(before)[-1]
    found = [trainer.step(), trainer.step()]
    assert np.isfinite(np.array(found, float)).all()
    for (side, key), old in before.items():
        value = getattr(trainer, side).params()[key].value
        assert np.isfinite(value).all()
        if not (only_differences and (side, key) == unseen):
            assert (value != old).any(), f"{side} {key} stayed"


def test_wgan_keeps_every_weight_of_its_critic_small():
    trainer = trainer_of("wgan")
    trainer.step()
    assert np.abs(trainer.discriminator.theta).max() == np.float32(0.01)
    assert np.abs(trainer.generator.theta).max() > 0.1  # and of the critic's alone
    assert trainer.d_optimiser.t == 5


def test_spectral_norms_keep_the_critics_slope_below_one():
    trainer = trainer_of("sngan-hinge", "mlp")
    layers = trainer.discriminator.sublayers().values()
    assert sum(isinstance(layer, SpectralNorm) for layer in layers) == 3
    for _ in range(30):
        trainer.step()
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 200, 28, 28, 1)).astype("float32")
    (ya, _), (yb, _) = (trainer.discriminator.forward(x, train=False) for x in (a, b))
    distance = np.sqrt(((a - b) ** 2).reshape(200, -1).sum(1))
    assert (np.abs(ya - yb)[:, 0] <= 1.05 * distance).all()


@pytest.mark.parametrize("preset", [p for p in PRESETS if "penalty" in PRESETS[p].settings])
def test_a_penalty_meets_no_batchnorm(preset, recwarn):
    trainer = trainer_of(preset, "dcgan-16x1-w4")
    layers = trainer.discriminator.sublayers().values()
    assert not any(isinstance(layer, BatchNorm) for layer in layers)
    trainer.step()
    assert not [w for w in recwarn if "BatchNorm" in str(w.message)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"penalty_weight": 3.0}, "penalty_weight and penalty_every: expected a penalty, too"),
        ({"penalty_every": 4}, "penalty_weight and penalty_every: expected a penalty, too"),
        ({"instance_noise": -0.1}, "instance_noise: expected 0 or more, got std -0.1, steps 0"),
        ({"instance_noise": 0.1, "instance_noise_steps": -5}, "got std 0.1, steps -5"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        trainer_of("gan", **settings)
