"""The trainer that a configuration describes."""

import numpy as np

from .. import losses, optim
from ..backend import ops_of
from ..penalties import Regulariser
from .conditional import WIDTH, conditional_discriminator, conditional_generator
from .models import model
from .refit import refit
from .trainer import Trainer

__all__ = ["build", "make_generator", "z_dim"]


def build(config, images, backend="auto", labels=None):
    """The `Trainer` that a configuration describes, before its first step.

    Parameters
    ----------
    config : Config
    images : uint8 array (M, H, W, C), or an ImageFolder, or floats (M, ...)
    backend : {"auto", "numpy", "cupy"}
    labels : integer array (M,), optional
        Wanted where ``config.condition`` is given.
    """
    networks = model(config.model)
    if images.shape[1:] != networks.image_shape:
        raise ValueError(
            f"data {config.data}: images of shape {images.shape[1:]} given, "
            f"{networks.image_shape} wanted by model {config.model!r}"
        )
    # Three streams from one seed: a change to one network's draws leaves the others alone.
    g_rng, d_rng, rng = np.random.default_rng(config.seed).spawn(3)
    _check(config)
    loss = losses.adversarial(config.loss, smooth=config.smooth)
    if config.condition:
        _check_labels(config, labels, len(images))
        loss = losses.AuxiliaryClassifier(loss) if config.condition == "classifier" else loss
    generator = make_generator(config).initialize(g_rng, backend, config.dtype)
    ops_of(generator.theta).allow_tf32(config.tf32)
    discriminator = refit(
        networks.discriminator(),
        networks.image_shape,
        norm=config.d_norm,
        pack=config.pack,
        minibatch_std=config.minibatch_std,
        noise=config.instance_noise,
    )
    if config.condition:
        discriminator = conditional_discriminator(discriminator, config.condition, config.classes)
    discriminator.initialize(d_rng, backend, config.dtype)

    def optimiser(name, network, lr, **options):
        if name == "adam":
            options |= {"beta1": config.beta1, "beta2": config.beta2}
        return optim.by_name(name, network, lr=lr, **options)

    regulariser = None
    if config.penalty != "none":
        regulariser = Regulariser(config.penalty, config.penalty_weight, config.penalty_every)

    return Trainer(
        generator,
        discriminator,
        loss,
        optimiser(config.g_optimiser, generator, config.g_lr),
        optimiser(config.d_optimiser, discriminator, config.d_lr, clip_weights=config.clip_weights),
        images,
        rng,
        z_dim=z_dim(config),
        batch_size=config.batch_size,
        d_steps=config.d_steps,
        noise=config.noise,
        l2_generator=config.l2_generator,
        regulariser=regulariser,
        instance_noise=config.instance_noise
        and (config.instance_noise, config.instance_noise_steps),
        average=optim.EMA(generator, config.ema) if config.ema else None,
        labels=np.asarray(labels) if config.condition else None,
    )


def make_generator(config):
    """The generator of a configuration, not yet initialised."""
    generator = model(config.model).generator()
    return conditional_generator(generator, config.classes) if config.condition else generator


def z_dim(config):
    """How many numbers of noise it takes."""
    return model(config.model).z_dim - (WIDTH if config.condition else 0)


def _check(config):
    """Refuse settings that do not go together."""
    if config.batch_size % max(config.pack, 1):
        raise ValueError(f"batches of {config.batch_size} given, packs of {config.pack} wanted")
    if config.penalty == "none" and (config.penalty_weight or config.penalty_every != 1):
        raise ValueError("penalty_weight or penalty_every given, a penalty wanted, too")
    if config.instance_noise < 0 or config.instance_noise_steps < 0:
        given = f"instance_noise {config.instance_noise} in {config.instance_noise_steps} steps"
        raise ValueError(f"{given} given, numbers of 0 or more wanted")
    if config.condition and z_dim(config) < 1:
        raise ValueError(f"model {config.model!r} given, noise of more than {WIDTH} numbers wanted")


def _check_labels(config, labels, n):
    """Refuse what no conditional run can be made of."""
    if labels is None:
        raise ValueError(f"data {config.data}: no labels given, wanted by {config.condition!r}")
    labels = np.asarray(labels)
    low, high = labels.min(), labels.max()
    fit = labels.dtype.kind in "iu" and labels.shape == (n,)
    if not (fit and 0 <= low <= high < config.classes):
        given = f"labels of shape {labels.shape}, {low} to {high} given"
        raise ValueError(f"{given}, {n} integers of 0 to {config.classes - 1} wanted")
    if config.pack > 1:
        raise ValueError(f"pack {config.pack} given, 1 wanted: a pack has no label")
