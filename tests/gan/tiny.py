"""A model, images and a configuration so small that a training step takes a millisecond."""

import numpy as np

from scratchgan import BatchNorm, Dense, Dropout, Flatten, LeakyReLU, Reshape, Sequential, Tanh
from scratchgan.gan import MODELS, Config, Model, build
from scratchgan.gan.discriminator import PLAIN

SHAPE = (6, 6, 1)


def tiny_generator():
    """All that a checkpoint has to keep is in it: running statistics, a random generator."""
    return Sequential(
        Dense(5, 8, bias=False),
        BatchNorm(8),
        LeakyReLU(0.2),
        Dropout(0.1),
        Dense(8, 36),
        Tanh(),
        Reshape(SHAPE),
    )


def tiny_discriminator(ask=PLAIN):
    return ask.network(
        Flatten(),
        Dense(ask.inputs(36), 8, bias=ask.bias), *ask.normalise(8), LeakyReLU(0.2),
        *ask.std_channel(), Dropout(0.3),
        last=[Dense(ask.features(8), ask.outputs)],
    )  # fmt: skip


def install(monkeypatch):
    """Register the model "tiny" for the duration of a test."""
    monkeypatch.setitem(MODELS, "tiny", Model(tiny_generator, tiny_discriminator, 5, SHAPE))


def random_images(n=64, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


def tiny_config(**options):
    return Config(**{"data": "random", "model": "tiny", "batch_size": 16} | options)


def tiny_trainer(n=64, **options):
    return build(tiny_config(**options), random_images(n), "numpy")


def train_for(trainer, steps):
    """Train; return the losses and judgements of each step as tuples of floats."""
    return [tuple(map(float, trainer.step())) for _ in range(steps)]


def generators(trainer):
    """Every random generator that a training step draws from."""
    layers = [
        layer
        for network in (trainer.generator, trainer.discriminator)
        for layer in network.sublayers().values()
    ]
    own = [getattr(layer, "rng", None) for layer in layers]
    return [trainer.rng, *(rng for rng in own if rng is not None)]


def everything(trainer):
    """Return all state that a trainer's next step depends on: name -> bytes or plain values.

    It does not use the library's own state_dict, so that what that forgets is seen.
    """
    found = {"step": trainer.step_count}
    networks = {"G": trainer.generator, "D": trainer.discriminator}
    if trainer.average:
        networks["mean"] = trainer.average.mean
        found["mean.t"] = trainer.average.t
    for name, network in networks.items():
        found[f"{name}.theta"] = network.theta.tobytes()
        for key, layer in network.sublayers().items():
            for statistic in ("running_mean", "running_var"):
                if hasattr(layer, statistic):
                    found[f"{name}.{key}.{statistic}"] = getattr(layer, statistic).tobytes()
    for name in ("g_optimiser", "d_optimiser"):
        for key, value in vars(getattr(trainer, name)).items():
            if key == "t":
                found[f"{name}.t"] = value
            elif isinstance(value, np.ndarray):
                found[f"{name}.{key}"] = value.tobytes()
    for i, rng in enumerate(generators(trainer)):
        found[f"rng {i}"] = str(rng.bit_generator.state)
    batches = trainer.batches
    found["batches"] = batches.epoch, batches.position, batches.order.tobytes()
    return found


def differences(a, b):
    """Return the names under which two results of `everything` differ."""
    assert a.keys() == b.keys()
    return [key for key in a if a[key] != b[key]]
