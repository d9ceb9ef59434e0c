"""A training step on the stand-in for CuPy: what NumPy finds, and nothing that makes it wait."""

import numpy as np
import pytest

from scratchgan.gan import PRESETS, Config, build, model

from ..compare import relative_error

SMALL = "dcgan-16x1-w4-up-drop0.3"
MODELS = ["mlp", "mlp-small", "dcgan28", "dcgan-16x3-w4", SMALL, "toy"]
# Every preset on a network that is small; those that take packs need an even batch.
RUNS = [(name, {}) for name in MODELS]
RUNS += [("mlp-small", preset.settings) for preset in PRESETS.values()]
RUNS += [("dcgan-16x3-w4", PRESETS[name].settings) for name in ("wgan-gp", "r3gan", "sngan-hinge")]
RUNS += [("mlp-small", {"condition": way, "classes": 5}) for way in ("concat", "projection")]
RUNS += [("mlp-small", {"condition": "classifier", "classes": 5})]
RUNS += [
    ("mlp-small", {"instance_noise": 0.3, "instance_noise_steps": 5}),
    ("mlp-small", {"l2_generator": 1e-3, "noise": "uniform", "g_optimiser": "sgd"}),
    ("mlp-small", {"minibatch_std": True, "d_norm": "layer", "ema": 0.99}),
]
IDS = [f"{i}-{name}-{'-'.join(map(str, s.values()))[:30]}" for i, (name, s) in enumerate(RUNS)]


def trainer_on(backend, name, dtype="float64", batch_size=8, **settings):
    rng = np.random.default_rng(1)
    shape = (24, *model(name).image_shape)
    images = rng.standard_normal(shape) if name == "toy" else rng.integers(0, 256, shape, np.uint8)
    labels = rng.integers(0, 5, 24) if settings.get("condition") else None
    config = Config("random", name, batch_size=batch_size, dtype=dtype, **settings)
    return build(config, images, backend, labels)


def losses(trainer, steps):
    return np.array([[float(value) for value in trainer.step()] for _ in range(steps)])


def thetas(trainer):
    return {
        f"{side}.{key}": value
        for side in ("generator", "discriminator")
        for key, value in getattr(trainer, side).state_dict().items()
    }


@pytest.mark.parametrize(("name", "settings"), RUNS, ids=IDS)
def test_twenty_steps_are_numpys(ops, name, settings):
    found, wanted = (trainer_on(backend, name, **settings) for backend in (ops, "numpy"))
    assert relative_error(losses(found, 20), losses(wanted, 20)) < 1e-9
    own, other = thetas(found), thetas(wanted)
    assert own.keys() == other.keys()
    for key in own:
        assert relative_error(own[key], other[key]) < 1e-9, key
