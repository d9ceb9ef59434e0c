"""The adversarial game: algorithm 1 of Goodfellow et al., "Generative adversarial nets", 2014.

Letters: z noise (N, z_dim), x real images (N, H, W, C), G and D the two networks. A training step
is ``d_steps`` steps of D, each on a new batch of images, and one step of G. Nothing here knows of
files, progress bars or the command line: those are in ``run.py``.
"""

from typing import NamedTuple

import numpy as np

from ..backend import ops_of
from ..data import to_uint8
from ..layers import GaussianNoise
from ..losses import AuxiliaryClassifier
from ..penalties import l2
from .source import DataSource

__all__ = ["Step", "Trainer", "generate"]


class Step(NamedTuple):
    """What one training step found, as scalars of the backend.

    Attributes
    ----------
    d_loss, g_loss : scalar
    d_real, d_fake : scalar
        Mean of D(x) and of D(G(z)): D's belief that a real and a generated image are real.
    """

    d_loss: float
    g_loss: float
    d_real: float
    d_fake: float


class Trainer:
    """Two networks, their optimisers, a loss, and the data they play on.

    Parameters
    ----------
    generator, discriminator : Layer
        Initialised, on one backend: (N, z_dim) -> (N, H, W, C) and (N, H, W, C) -> (N, 1).
    loss : object
        With ``discriminator``, ``generator`` and ``real_probability``; see ``losses/``.
    g_optimiser, d_optimiser : Optimiser
    images : uint8 array (M, H, W, C), or an ImageFolder, or floats (M, ...) to be used as they are
    rng : np.random.Generator
        Draws all noise and the order of the images, on the host.
    z_dim : int
    batch_size : int
    d_steps : int
    noise : {"normal", "uniform"}
        N(0, 1) or U(-1, 1).
    l2_generator : float
        Adds l2_generator / 2 times the sum of G's squared weights to G's loss.
    regulariser : Regulariser, optional
        A penalty on D's slope; see ``penalties.py``.
    instance_noise : (float, int), optional
        Lower D's `GaussianNoise` from this standard deviation to 0 in so many steps; with 0
        steps, it stays. Sønderby et al., 2017, section 3.
    average : EMA, optional
        Of the generator; updated with every step.
    labels : integer array (M,), optional
        Of the images. Then G takes pairs (z, labels), D pairs (x, labels), and a generated sample
        has the label of the real one in its place.
    """

    def __init__(
        self,
        generator,
        discriminator,
        loss,
        g_optimiser,
        d_optimiser,
        images,
        rng,
        *,
        z_dim,
        batch_size,
        d_steps=1,
        noise="normal",
        l2_generator=0.0,
        regulariser=None,
        instance_noise=None,
        average=None,
        labels=None,
    ):
        if d_steps < 1:
            raise ValueError(f"d_steps={d_steps!r} given, at least 1 wanted")
        if not l2_generator >= 0:
            raise ValueError(f"l2_generator={l2_generator!r} given, 0 or more wanted")
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.g_optimiser, self.d_optimiser, self.average = g_optimiser, d_optimiser, average
        theta = generator.theta
        self.source = DataSource(
            images,
            labels,
            batch_size,
            rng,
            noise=noise,
            z_dim=z_dim,
            ops=ops_of(theta),
            dtype=theta.dtype,
        )
        self.images, self.rng, self.batches = images, rng, self.source.batches
        self.z_dim, self.batch_size, self.d_steps = z_dim, batch_size, d_steps
        self.l2_generator, self.regulariser = l2_generator, regulariser
        self.instance_noise = instance_noise
        # Of an auxiliary classifier, D does not see the labels: it is to name them.
        self.classifies = isinstance(loss, AuxiliaryClassifier)
        layers = discriminator.sublayers().values()
        self.noise_layers = [layer for layer in layers if isinstance(layer, GaussianNoise)]
        self.step_count = 0

    def step(self):
        """One training step: D ``d_steps`` times, then G once. Returns a `Step`."""
        if self.instance_noise:
            std, steps = self.instance_noise
            for layer in self.noise_layers:
                layer.std = std * max(0.0, 1 - self.step_count / steps) if steps else std
        for _ in range(self.d_steps):
            x, labels = self.source.batch()
            d_loss, d_real, d_fake = self.d_step(x, labels)
        g_loss = self.g_step(x, labels)
        if self.average:
            self.average.update()
        self.step_count += 1
        return Step(d_loss, g_loss, d_real, d_fake)

    def d_step(self, x, labels=None):
        """Descend D's loss on a batch of real and a batch of generated images."""
        G, D = self.generator, self.discriminator
        seen, told = self.ways_of(labels)
        fake, _ = G.forward(_with(labels, self.source.noise()))  # (N, H, W, C)
        real_logits, real_cache = D.forward(seen(x))  # (N, 1)
        fake_logits, fake_cache = D.forward(seen(fake))  # (N, 1)
        value, dreal, dfake = self.loss.discriminator(real_logits, fake_logits, **told)
        D.zero_grad()
        D.backward(dreal, real_cache, into_params="only")
        D.backward(dfake, fake_cache, into_params="only")  # adds to what the real images gave
        if self.regulariser:
            value = value + self.regulariser(D, x, fake, self.rng, self.d_optimiser.t, seen)
        self.d_optimiser.step()
        d_real, d_fake = map(self.loss.real_probability, (real_logits, fake_logits))
        return value, d_real.mean(), d_fake.mean()

    def g_step(self, x, labels=None):
        """Descend G's loss: through D, whose parameters stay, down into G.

        Only relativistic losses look at the real images x.
        """
        G, D = self.generator, self.discriminator
        seen, told = self.ways_of(labels)
        fake, g_cache = G.forward(_with(labels, self.source.noise()))  # (N, H, W, C)
        logits, d_cache = D.forward(seen(fake))  # (N, 1)
        real = [D.forward(seen(x))[0]] if self.loss.relativistic else []  # (N, 1)
        value, dlogits = self.loss.generator(logits, *real, **told)
        dfake = D.backward(dlogits, d_cache, into_params=False)  # (N, H, W, C)
        G.zero_grad()
        G.backward(dfake, g_cache, into_params="only")
        if self.l2_generator:
            value += l2(G, self.l2_generator)  # adds its gradient to G's, too
        self.g_optimiser.step()
        return value

    def ways_of(self, labels):
        """How labels reach D: beside the images, or as what an auxiliary classifier is to name.

        Returns
        -------
        seen : callable, images -> D's input
            With the labels, where D takes pairs.
        told : dict
            Arguments of the loss: the labels, where D is to name them.
        """
        if self.classifies:
            return lambda x: x, {"labels": labels}
        return lambda x: _with(labels, x), {}

    @property
    def best_generator(self):
        """The generator to take samples from: the running mean, where there is one."""
        return self.average.mean if self.average else self.generator


def _with(labels, x):
    """The pair that a conditional network takes, where there are labels."""
    return x if labels is None else (x, labels)


def generate(generator, z, labels=None, batch=256):
    """Images of a generator in evaluation mode.

    Parameters
    ----------
    generator : Layer
    z : host array (N, z_dim)
    labels : host array of integers (N,), optional
        Of a conditional generator.
    batch : int
        How many at a time: what bounds the memory.

    Returns
    -------
    uint8 NumPy array (N, H, W, C)
    """
    ops, dtype = ops_of(generator.theta), generator.theta.dtype
    images = []
    for start in range(0, len(z), batch):
        part = slice(start, start + batch)
        own = None if labels is None else ops.asarray(labels[part])
        x, _ = generator.forward(_with(own, ops.asarray(z[part], dtype)), train=False)
        images.append(to_uint8(ops.to_host(x)))
    return np.concatenate(images)
