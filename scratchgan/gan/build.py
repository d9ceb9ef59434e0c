"""Build a trainer from a configuration."""

from typing import Any

import numpy as np

from .. import losses, optim
from ..backend import Array, get_backend, ops_of
from ..layers import ConcatLabels, Embedding, Flatten, Layer, Reshape, ShapeError, Sigmoid
from ..penalties import Regulariser
from .config import Config
from .discriminator import LABEL_WIDTH, DiscriminatorOptions, make_discriminator
from .models import model
from .pair import Model
from .source import DataSource
from .trainer import Trainer, with_labels


def build(
    config: Config, images: Array, backend: Any = "auto", labels: Array = None,
    networks: Model | None = None,
) -> Trainer:  # fmt: skip
    """Build the `Trainer` of a configuration, before its first step.

    Parameters
    ----------
    config : Config
    images : uint8 array (M, H, W, C), or floats (M, ...) that are used as they are
    backend : {"auto", "numpy", "cupy"} or module
    labels : integer array (M,), optional
        Needed with ``config.condition``, else not used.
    networks : Model, optional
        Networks of your own. Default: those that ``config.model`` names.

    Raises
    ------
    ValueError
        The images, labels or networks do not fit, or two settings exclude each other.
    """
    pair = networks or model(config.model)
    ask = DiscriminatorOptions(
        norm=config.d_norm, pack=config.pack, minibatch_std=config.minibatch_std,
        noise=config.instance_noise, augment=config.augment, condition=config.condition,
        classes=config.classes,
    )  # fmt: skip
    labels = np.asarray(labels) if config.condition and labels is not None else None
    _check(config, images, labels, pair)
    loss = losses.adversarial(config.loss, smooth=config.smooth)
    loss = losses.AuxiliaryClassifier(loss) if config.condition == "classifier" else loss
    # Three streams from one seed: if one network draws more numbers, the others stay the same.
    g_rng, d_rng, rng = np.random.default_rng(config.seed).spawn(3)
    ops = get_backend(backend)
    ops.allow_tf32(config.tf32)
    G = make_generator(config, pair).initialize(g_rng, ops, config.dtype)
    D = make_discriminator(pair.discriminator, ask).initialize(d_rng, ops, config.dtype)
    _try(G, D, config, pair, images.shape[1:], ask)

    def optimiser(name, network, lr, per_step=1, **options):
        if name == "adam":
            options |= {"beta1": config.beta1, "beta2": config.beta2}
        lr = optim.SCHEDULES[config.schedule](lr, per_step * config.schedule_steps)
        return optim.by_name(name, network, lr=lr, **options)

    clip = {"clip_weights": config.clip_weights}
    g_optimiser = optimiser(config.g_optimiser, G, config.g_lr)
    d_optimiser = optimiser(config.d_optimiser, D, config.d_lr, config.d_steps, **clip)
    average = optim.EMA(G, config.ema) if config.ema else None
    penalty = config.penalty, config.penalty_weight, config.penalty_every
    # Last, because the images may take all memory of the device that is left.
    source = DataSource(
        images, rng, batch_size=config.batch_size, z_dim=z_dim(config, pair), noise=config.noise,
        labels=labels, backend=ops, dtype=config.dtype,
    )  # fmt: skip
    noise = config.instance_noise, config.instance_noise_steps
    return Trainer(
        G, D, loss, g_optimiser, d_optimiser, source,
        d_steps=config.d_steps, l2_generator=config.l2_generator,
        regulariser=None if config.penalty == "none" else Regulariser(*penalty),
        instance_noise=noise if config.instance_noise else None, average=average,
    )  # fmt: skip


def make_generator(config: Config, networks: Model | None = None) -> Layer:
    """Make the generator of a configuration, or of networks of your own; not yet initialised."""
    G = (networks or model(config.model)).generator()
    return ConcatLabels(G, Embedding(config.classes, LABEL_WIDTH)) if config.condition else G


def z_dim(config: Config, networks: Model | None = None) -> int:
    """Return the length of the generator's noise: its inputs without the label's embedding."""
    inputs = (networks or model(config.model)).z_dim
    return inputs - (LABEL_WIDTH if config.condition else 0)


def _try(G, D, config, pair, image_shape, ask):
    """Raise ValueError unless both networks take what they get, and give what is wanted.

    They run once on zeros, in evaluation: that changes nothing.
    """
    ops, N = ops_of(G.theta), 2 * config.pack
    x = ops.asarray(np.zeros((N, z_dim(config, pair)), config.dtype))
    labels = ops.asarray(np.zeros(N, np.int64)) if config.condition else None
    seen = labels if config.condition in ("concat", "projection") else None
    logits = N // config.pack, ask.outputs
    for name, net, given, shape, cure in (
        ("generator", G, labels, (N, *image_shape), f"Tanh(), Reshape({image_shape})"),
        ("discriminator", D, seen, logits, f"a Dense or convolution of {ask.outputs}, Flatten()"),
    ):
        try:
            y, _ = net.forward(with_labels(x, given), train=False)
        except ShapeError as error:
            raise ValueError(f"{name}, given an input of shape {x.shape}: {error}") from error
        x = y
        if x.shape != shape:
            expected, got = (f"(N, {', '.join(map(str, s[1:]))})" for s in (shape, x.shape))
            more = "" if x.ndim == len(shape) else f"; does it end with {cure}?"
            raise ValueError(f"{name}: expected output of shape {expected}, got {got}{more}")
        if isinstance(_last(net), Sigmoid):
            cure = {"generator": "images are in [-1, 1]: end it with Tanh()"}
            more = cure.get(name, "the losses take logits: leave it out")
            raise ValueError(f"{name}: ends with Sigmoid(); {more}")


def _last(net):
    """Return the last layer that changes numbers."""
    layers = [layer for layer in net.sublayers().values() if len(layer.sublayers()) == 1]
    return [layer for layer in layers if not isinstance(layer, (Reshape, Flatten, Embedding))][-1]


def _check(config, images, labels, pair):
    """Raise ValueError if the data does not fit, or if settings exclude each other."""
    data, shape, wanted = config.data, images.shape[1:], pair.image_shape
    if wanted and shape != wanted:
        both = f"data {data}, model {config.model!r}"
        raise ValueError(f"{both}: expected images of shape {wanted}, got {shape}")
    if config.batch_size % config.pack:
        raise ValueError(f"batch_size {config.batch_size} must be divisible by pack {config.pack}")
    if config.penalty == "none" and (config.penalty_weight or config.penalty_every != 1):
        raise ValueError("penalty_weight and penalty_every: expected a penalty, too, got 'none'")
    if (config.schedule == "constant") != (config.schedule_steps == 0):
        given = f"{config.schedule!r} and {config.schedule_steps} steps"
        raise ValueError(f"schedule: expected a schedule with its steps, or neither, got {given}")
    std, steps = config.instance_noise, config.instance_noise_steps
    if std < 0 or steps < 0:
        raise ValueError(f"instance_noise: expected 0 or more, got std {std}, steps {steps}")
    if not config.condition:
        return
    if z_dim(config, pair) < 1:
        more = f"a model with more than {LABEL_WIDTH} numbers of noise"
        raise ValueError(f"condition {config.condition!r}: expected {more}, got {config.model!r}")
    if labels is None:
        raise ValueError(f"data {data}: expected labels for {config.condition!r}, got none")
    low, high, integers = labels.min(), labels.max(), labels.dtype.kind in "iu"
    if not (integers and labels.shape == images.shape[:1] and 0 <= low <= high < config.classes):
        raise ValueError(
            f"data {data}: expected {len(images)} integer labels from 0 to {config.classes - 1}, "
            f"got labels of shape {labels.shape} and dtype {labels.dtype} from {low} to {high}"
        )
