"""Noise on what a discriminator sees."""

import math

import numpy as np

from ..backend import ops_of
from .base import Layer

__all__ = ["GaussianNoise"]


class GaussianNoise(Layer):
    """In training y = x + N(0, std^2), entry by entry; else y = x.

    Before a discriminator ("instance noise") it makes real and generated samples overlap, so that
    no perfect discriminator exists: Sønderby et al., 2017; Arjovsky and Bottou, 2017.

    Parameters
    ----------
    std : float
        Also an attribute, which may be lowered as training goes on.
    seed : int
        Of the noise, where the layer is used by itself; `initialize` seeds it anew.
    """

    def __init__(self, std, *, seed=0):
        if not 0 <= std < math.inf:
            raise ValueError(f"GaussianNoise(std={std!r}) given, a number >= 0 wanted")
        self.std = std
        self.rng = np.random.default_rng(seed)

    def reset(self, rng, ops, dtype):
        """Each layer of a network draws its own numbers."""
        self.rng = rng.spawn(1)[0]

    def forward(self, x, train=True):
        """Any shape -> the same shape."""
        if not (train and self.std):
            return x, None
        # On the host, as in Dropout; of single precision always, so that x's changes no noise.
        ops, shape, rng = ops_of(x), x.shape, self.rng
        noise = ops.host_array(lambda: rng.standard_normal(shape, np.float32), shape, x.dtype, rng)
        return x + float(self.std) * noise, None

    def backward(self, dy, cache, into_params=True):
        """dx = dy: what is added does not depend on x."""
        return dy

    def double_backward(self, t, dy, cache):
        """J is the identity."""
        return t, None

    def __repr__(self):
        return f"GaussianNoise({self.std})"
