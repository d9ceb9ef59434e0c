"""Noise on the input of a discriminator."""

import math

import numpy as np

from ..backend import ops_of
from .base import Layer, expect_floats
from .options import checked


class GaussianNoise(Layer):
    """In training y = x + N(0, std^2), entry by entry; else y = x.

    In front of a discriminator ("instance noise") it makes real and generated samples overlap, so
    that no discriminator can be perfect: Sønderby et al., 2017; Arjovsky and Bottou, 2017.

    Parameters
    ----------
    std : float
        Also an attribute, which can be lowered during training.
    seed : int
        Seed of the noise, for a layer that is used by itself; `initialize` replaces it.
    """

    shown = ("std",)

    def __init__(self, std: float, *, seed: int = 0):
        fits = lambda s: 0 <= s < math.inf  # noqa: E731
        self.std = checked(fits, self, "a finite number >= 0", std=std)
        self.rng = np.random.default_rng(seed)

    def reset(self, rng, ops, dtype):
        """Give each layer of a network its own random numbers."""
        self.rng = rng.spawn(1)[0]

    def forward(self, x, train=True):
        """Any shape -> the same shape."""
        expect_floats(self, "input", x)
        if not (train and self.std):
            return x, None
        # Drawn on the host, as in Dropout, and always in single precision: so the noise is the same
        # for each dtype of x.
        ops, shape, rng = ops_of(x), x.shape, self.rng
        noise = ops.host_array(lambda: rng.standard_normal(shape, np.float32), shape, x.dtype, rng)
        return x + float(self.std) * noise, None

    def backward(self, dy, cache, into_params=True):
        """dx = dy: the noise does not depend on x."""
        return dy

    def double_backward(self, t, dy, cache):
        """J is the identity."""
        return t, None
