"""The adversarial game: algorithm 1 of Goodfellow et al., "Generative adversarial nets", 2014.

Letters: z noise (N, z_dim), x real images (N, H, W, C), G and D the two networks. A training step
is ``d_steps`` steps of D, each on a new batch of images, and one step of G. Nothing here knows of
files, progress bars or the command line: those are in ``run.py``.
"""

from typing import NamedTuple

import numpy as np

from ..backend import ops_of
from ..data import Batches, ImageFolder, to_uint8, to_unit
from ..penalties import l2

__all__ = ["Step", "Trainer", "draw_noise", "generate"]


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
        With ``discriminator``, ``generator`` and ``belief``; see ``losses.py``.
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
    average : EMA, optional
        Of the generator; updated with every step.
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
        average=None,
    ):
        if d_steps < 1:
            raise ValueError(f"d_steps={d_steps!r} given, at least 1 wanted")
        if not l2_generator >= 0:
            raise ValueError(f"l2_generator={l2_generator!r} given, 0 or more wanted")
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.g_optimiser, self.d_optimiser, self.average = g_optimiser, d_optimiser, average
        self.images, self.rng, self.batches = images, rng, Batches(images, batch_size, rng)
        self.z_dim, self.batch_size, self.d_steps = z_dim, batch_size, d_steps
        self.noise_kind, self.l2_generator, self.regulariser = noise, l2_generator, regulariser
        self.step_count = 0

    def step(self):
        """One training step: D ``d_steps`` times, then G once. Returns a `Step`."""
        for _ in range(self.d_steps):
            x = self.next_images()
            d_loss, d_real, d_fake = self.d_step(x)
        g_loss = self.g_step(x)
        if self.average:
            self.average.update()
        self.step_count += 1
        return Step(d_loss, g_loss, d_real, d_fake)

    def d_step(self, x):
        """Descend D's loss on a batch of real and a batch of generated images."""
        G, D = self.generator, self.discriminator
        fake, _ = G.forward(self.noise())  # (N, H, W, C)
        real_logits, real_cache = D.forward(x)  # (N, 1)
        fake_logits, fake_cache = D.forward(fake)  # (N, 1)
        value, dreal, dfake = self.loss.discriminator(real_logits, fake_logits)
        D.zero_grad()
        D.backward_params(dreal, real_cache)
        D.backward_params(dfake, fake_cache)  # adds to what the real images gave
        if self.regulariser:
            value = value + self.regulariser(D, x, fake, self.rng, self.d_optimiser.t)
        self.d_optimiser.step()
        belief = self.loss.belief
        return value, belief(real_logits).mean(), belief(fake_logits).mean()

    def g_step(self, x):
        """Descend G's loss: through D, whose parameters stay, down into G.

        The real images x are asked for by relativistic losses alone.
        """
        G, D = self.generator, self.discriminator
        fake, g_cache = G.forward(self.noise())  # (N, H, W, C)
        logits, d_cache = D.forward(fake)  # (N, 1)
        real = [D.forward(x)[0]] if self.loss.relativistic else []  # (N, 1)
        value, dlogits = self.loss.generator(logits, *real)
        dfake = D.backward(dlogits, d_cache, into_params=False)  # (N, H, W, C)
        G.zero_grad()
        G.backward_params(dfake, g_cache)
        if self.l2_generator:
            value += l2(G, self.l2_generator)  # adds its gradient to G's, too
        self.g_optimiser.step()
        return value

    def next_images(self):
        """The next batch of real images, (N, H, W, C) in [-1, 1]."""
        x = self.images[self.batches.next()]
        if x.dtype == np.uint8:
            x = to_unit(x)
        if isinstance(self.images, ImageFolder):  # decoded while the networks learn
            self.images.prefetch(self.batches.upcoming(2))
        return self._to_device(x)

    def noise(self):
        """A batch of z, (N, z_dim)."""
        z = draw_noise(self.rng, self.batch_size, self.z_dim, self.noise_kind)
        return self._to_device(z)

    @property
    def best_generator(self):
        """The generator to take samples from: the running mean, where there is one."""
        return self.average.mean if self.average else self.generator

    def _to_device(self, a):
        theta = self.generator.theta
        return ops_of(theta).asarray(a, theta.dtype)


def draw_noise(rng, n, z_dim, kind="normal"):
    """Noise (n, z_dim) in float32: N(0, 1) for "normal", U(-1, 1) for "uniform"."""
    if kind == "normal":
        return rng.standard_normal((n, z_dim), np.float32)
    if kind == "uniform":
        return 2 * rng.random((n, z_dim), np.float32) - 1
    raise ValueError(f"noise {kind!r} given, 'normal' or 'uniform' wanted")


def generate(generator, z, batch=256):
    """Images of a generator in evaluation mode.

    Parameters
    ----------
    generator : Layer
    z : host array (N, z_dim)
    batch : int
        How many at a time: what bounds the memory.

    Returns
    -------
    uint8 NumPy array (N, H, W, C)
    """
    ops, dtype = ops_of(generator.theta), generator.theta.dtype
    images = []
    for start in range(0, len(z), batch):
        x, _ = generator.forward(ops.asarray(z[start : start + batch], dtype), train=False)
        images.append(to_uint8(ops.to_host(x)))
    return np.concatenate(images)
