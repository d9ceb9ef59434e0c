"""Layers that move, copy or drop numbers: linear maps without weights."""

import math

import numpy as np

from ..backend import ops_of
from .base import Layer, LinearMap, expect_floats
from .options import checked, size, sizes


class Reshape(LinearMap):
    """(N, ...) -> (N, *shape).

    Parameters
    ----------
    shape : int or tuple of int
        Without the batch axis.
    """

    shown = ("shape",)

    def __init__(self, shape: int | tuple[int, ...]):
        self.shape = sizes(self, shape=shape)

    def apply(self, x):
        """Group the numbers differently, in the same order."""
        _expect_batch(self, x)
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            self.refuse(f"{math.prod(self.shape)} numbers per sample", f"input of shape {x.shape}")
        return x.reshape(len(x), *self.shape)

    def adjoint(self, dy, in_shape=None):
        """Restore the shape of x, which is in_shape; without it, return one row per sample."""
        return dy.reshape(in_shape or (len(dy), -1))


class Flatten(LinearMap):
    """(N, ...) -> (N, all numbers of a sample)."""

    def apply(self, x):
        """Put the numbers of each sample into one row, in the same order."""
        _expect_batch(self, x)
        return x.reshape(len(x), math.prod(x.shape[1:]))  # -1 fails where the batch is empty

    def adjoint(self, dy, in_shape=None):
        """Restore the shape of x, which is in_shape; without it, return one row per sample."""
        return dy.reshape(in_shape or dy.shape)


class UpSample2D(LinearMap):
    """(N, H, W, C) -> (N, H * factor, W * factor, C): each pixel becomes a square of its copies.

    Parameters
    ----------
    factor : int
    """

    shown = ("factor",)

    def __init__(self, factor: int = 2):
        self.factor = size(self, factor=factor)

    def apply(self, x):
        """Copy each row, then each column, ``factor`` times."""
        self.expect(x, "N", "H", "W", "C")
        return x.repeat(self.factor, 1).repeat(self.factor, 2)

    def adjoint(self, dy, in_shape=None):
        """Sum over each square, for in apply it was: each pixel copied into the square."""
        (N, H, W, C), f = dy.shape, self.factor
        return dy.reshape(N, H // f, f, W // f, f, C).sum((2, 4))


class Dropout(Layer):
    """In training, y = mask * x / (1 - rate) with P(mask = 0) = rate; else y = x.

    Because of the division, y has the same mean as x ("inverted" dropout), and evaluation needs no
    correction. Srivastava et al., 2014.

    Parameters
    ----------
    rate : float in [0, 1)
        The share of numbers that is dropped.
    seed : int
        Seed of the mask, for a layer that is used by itself; `initialize` replaces it.
    """

    shown = ("rate",)

    def __init__(self, rate: float, *, seed: int = 0):
        self.rate = checked(lambda r: 0 <= r < 1, self, "0 <= rate < 1", rate=rate)
        self.rng = np.random.default_rng(seed)

    def reset(self, rng, ops, dtype):
        """Give each Dropout of a network its own random numbers."""
        self.rng = rng.spawn(1)[0]

    def forward(self, x, train=True):
        """Any shape -> the same shape; the cache is the scaled mask."""
        expect_floats(self, "input", x)
        if not train:
            return x, None
        ops, shape = ops_of(x), x.shape
        keep = ops.host_array(lambda: self.keep(shape), shape, bool, self.rng)
        scaled = keep * x.dtype.type(1 / (1 - self.rate))
        return x * scaled, scaled

    def keep(self, shape):
        """Draw which entries to keep (bool), on the host: a GPU run drops the same as a CPU run.

        Each entry takes 16 random bits; each number drawn gives four entries. The rate is exact to
        1/65536, and drawing is much faster than with random floats. (The threshold is an integer,
        so that no bits are converted.)
        """
        n = math.prod(shape)
        bits = self.rng.integers(0, 2**64, -(-n // 4), np.uint64).view(np.uint16)[:n]
        return (bits >= math.ceil(65536 * self.rate)).reshape(shape)

    def backward(self, dy, cache, into_params=True):
        """dx = scaled mask * dy."""
        return dy if cache is None else dy * cache

    def double_backward(self, t, dy, cache):
        """J t = scaled mask * t: once the mask is drawn, the layer is linear."""
        return self.backward(t, cache), None


def _expect_batch(layer, x):
    """Raise ShapeError unless x is a batch of samples of any shape, in floats."""
    expect_floats(layer, "input", x)
    if not x.ndim:
        layer.refuse("input of shape (N, ...)", x.shape)
