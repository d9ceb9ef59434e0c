"""The adversarial game: algorithm 1 of Goodfellow et al., "Generative adversarial nets", 2014.

Letters: z noise (N, z_dim), x real images (N, H, W, C), G and D the two networks. A training step
is ``d_steps`` steps of D, each on a new batch of images, and one step of G. Nothing here knows of
files, progress bars or the command line: those are in ``runs/`` and ``cli/``.
"""

from typing import Any, NamedTuple

import numpy as np

from ..backend import Array, ops_of
from ..data import to_uint8
from ..layers import GaussianNoise, Layer
from ..layers.base import only_params
from ..losses import AuxiliaryClassifier
from ..optim import EMA, Optimiser
from ..penalties import Regulariser, l2
from .source import DataSource


class Step(NamedTuple):
    """Losses and D's mean outputs in one training step, as scalars of the backend.

    Attributes
    ----------
    d_loss, g_loss : scalar
    d_real, d_fake : scalar
        Mean probability of being real that D gives to real and to generated images; for a critic,
        its mean value.
    """

    d_loss: Any
    g_loss: Any
    d_real: Any
    d_fake: Any


class Trainer:
    """Training of a GAN: two networks, their optimisers, a loss, and the data.

    Parameters
    ----------
    generator, discriminator : Layer
        Initialised, on one backend: (N, z_dim) -> (N, H, W, C) and (N, H, W, C) -> (N, 1).
    loss : object
        With ``discriminator``, ``generator`` and ``real_probability``; see ``losses/``.
    g_optimiser, d_optimiser : Optimiser
    source : DataSource
        On the backend of the networks. If it has labels, G takes pairs (z, labels) and D pairs
        (x, labels), and the i-th generated image of a batch gets the label of the i-th real one.
    d_steps : int
        Steps of D before each step of G.
    l2_generator : float
        Adds l2_generator / 2 times the sum of G's squared weights to G's loss.
    regulariser : Regulariser, optional
        A penalty on D's slope; see ``penalties.py``.
    instance_noise : (float, int), optional
        Lower D's `GaussianNoise` from this standard deviation to 0 in this many steps; with 0
        steps, keep it. Sønderby et al., 2017, section 3.
    average : EMA, optional
        The running mean of the generator; updated in every step.
    """

    def __init__(
        self, generator: Layer, discriminator: Layer, loss: Any, g_optimiser: Optimiser,
        d_optimiser: Optimiser, source: DataSource, *, d_steps: int = 1, l2_generator: float = 0.0,
        regulariser: Regulariser | None = None, instance_noise: tuple[float, int] | None = None,
        average: EMA | None = None,
    ) -> None:  # fmt: skip
        if d_steps < 1:
            raise ValueError(f"d_steps: expected 1 or more, got {d_steps}")
        if not l2_generator >= 0:
            raise ValueError(f"l2_generator: expected 0 or more, got {l2_generator}")
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.g_optimiser, self.d_optimiser, self.average = g_optimiser, d_optimiser, average
        self.source, self.images, self.rng = source, source.images, source.rng
        self.batches, self.batch_size, self.z_dim = source.batches, source.batch_size, source.z_dim
        self.d_steps, self.l2_generator, self.regulariser = d_steps, l2_generator, regulariser
        self.instance_noise = instance_noise
        layers = discriminator.sublayers().values()
        self.noise_layers = [layer for layer in layers if isinstance(layer, GaussianNoise)]
        self.step_count = 0

    def step(self) -> Step:
        """Make one training step: D ``d_steps`` times, then G once."""
        if self.instance_noise:
            std, steps = self.instance_noise
            for layer in self.noise_layers:
                layer.std = std * max(0.0, 1 - self.step_count / steps) if steps else std
        for _ in range(self.d_steps):
            x, labels = self.source.batch()  # (N, H, W, C), (N,) or None
            d_loss, d_real, d_fake = self.d_step(x, labels)
        g_loss = self.g_step(x, labels)
        if self.average:
            self.average.update()
        self.step_count += 1
        return Step(d_loss, g_loss, d_real, d_fake)

    def d_step(self, x: Array, labels: Array = None) -> tuple[Array, Array, Array]:
        """Take one step down D's loss, on a batch of real and a batch of generated images.

        Returns
        -------
        d_loss, d_real, d_fake : scalar
            As in `Step`.
        """
        G, D, loss = self.generator, self.discriminator, self.loss
        d_labels, kwargs = self.split(labels)
        fake, _ = G.forward(with_labels(self.source.noise(), labels))  # (N, H, W, C)
        real_logits, real_cache = D.forward(with_labels(x, d_labels))  # (N, 1)
        fake_logits, fake_cache = D.forward(with_labels(fake, d_labels))  # (N, 1)
        value, dreal_logits, dfake_logits = loss.discriminator(real_logits, fake_logits, **kwargs)
        D.zero_grad()
        D.backward(dreal_logits, real_cache, only_params(D))
        D.backward(dfake_logits, fake_cache, only_params(D))  # adds to the first one
        if self.regulariser:
            value = value + self.regulariser(D, x, fake, self.rng, self.d_optimiser.t, d_labels)
        self.d_optimiser.step()
        d_real, d_fake = map(loss.real_probability, (real_logits, fake_logits))
        return value, d_real.mean(), d_fake.mean()

    def g_step(self, x: Array, labels: Array = None) -> Array:
        """Take one step down G's loss: backprop goes through D, whose parameters stay, into G.

        Only relativistic losses look at the real images x.

        Returns
        -------
        g_loss : scalar
        """
        G, D, loss = self.generator, self.discriminator, self.loss
        d_labels, kwargs = self.split(labels)
        fake, g_cache = G.forward(with_labels(self.source.noise(), labels))  # (N, H, W, C)
        logits, d_cache = D.forward(with_labels(fake, d_labels))  # (N, 1)
        real = [D.forward(with_labels(x, d_labels))[0]] if loss.relativistic else []  # (N, 1)
        value, dlogits = loss.generator(logits, *real, **kwargs)
        dfake = D.backward(dlogits, d_cache, into_params=False)  # (N, H, W, C)
        G.zero_grad()
        G.backward(dfake, g_cache, only_params(G))
        if self.l2_generator:
            value += l2(G, self.l2_generator)  # adds its gradient to G's, too
        self.g_optimiser.step()
        return value

    def split(self, labels: Array) -> tuple[Array, dict[str, Array]]:
        """Return the labels that D sees, and the keyword arguments of the loss.

        An auxiliary classifier must not see the labels: it predicts them, and the loss compares.
        """
        if isinstance(self.loss, AuxiliaryClassifier):
            return None, {"labels": labels}
        return labels, {}

    @property
    def best_generator(self) -> Layer:
        """The generator to take samples from: the running mean if there is one."""
        return self.average.mean if self.average else self.generator


def with_labels(x: Array, labels: Array) -> Array:
    """Return the input of a conditional network, (x, labels); x alone if there are no labels."""
    return x if labels is None else (x, labels)


def generate(generator: Layer, z: Array, labels: Array = None, batch: int = 256) -> np.ndarray:
    """Generate images, with the generator in evaluation mode.

    Parameters
    ----------
    generator : Layer
    z : host array (N, z_dim)
    labels : host array of integers (N,), optional
        For a conditional generator.
    batch : int
        Images made at a time; it bounds the memory needed.

    Returns
    -------
    uint8 NumPy array (N, H, W, C)
    """
    theta: Any = generator.theta
    ops, dtype = ops_of(theta), theta.dtype
    images = []
    for start in range(0, len(z), batch):
        part = slice(start, start + batch)
        some = None if labels is None else ops.asarray(labels[part])  # (n,)
        x, _ = generator.forward(with_labels(ops.asarray(z[part], dtype), some), train=False)
        images.append(to_uint8(ops.to_host(x)))
    return np.concatenate(images)
