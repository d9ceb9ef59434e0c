"""Layers that move, copy or drop numbers: linear maps without weights."""

import math

import numpy as np

from ..backend import ops_of
from .base import Layer, LinearMap, ShapeError

__all__ = ["Dropout", "Flatten", "Reshape", "UpSample2D"]


class Reshape(LinearMap):
    """(N, ...) -> (N, *shape).

    Parameters
    ----------
    shape : tuple of int
        Without the batch axis.
    """

    def __init__(self, shape):
        self.shape = tuple(shape)

    def apply(self, x):
        """The same numbers in the same order, grouped differently."""
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ShapeError(
                f"{self}: input of shape {x.shape} given, "
                f"{math.prod(self.shape)} numbers a sample wanted"
            )
        return x.reshape(len(x), *self.shape)

    def adjoint(self, dy, in_shape=None):
        """The grouping that x had; flat, if not told."""
        return dy.reshape(in_shape or (len(dy), -1))

    def __repr__(self):
        return f"{type(self).__name__}({self.shape})"


class Flatten(LinearMap):
    """(N, ...) -> (N, all numbers of a sample)."""

    def apply(self, x):
        """The same numbers in one row a sample."""
        return x.reshape(len(x), math.prod(x.shape[1:]))  # -1 fails where the batch is empty

    def adjoint(self, dy, in_shape=None):
        """The grouping that x had; flat, if not told."""
        return dy.reshape(in_shape or dy.shape)


class UpSample2D(LinearMap):
    """(N, H, W, C) -> (N, H * factor, W * factor, C): each pixel becomes a square of its copies.

    Parameters
    ----------
    factor : int
    """

    def __init__(self, factor=2):
        if not (isinstance(factor, int) and factor >= 1):
            raise ValueError(f"UpSample2D(factor={factor!r}) given, an int >= 1 wanted")
        self.factor = factor

    def apply(self, x):
        """Copy each row, then each column, ``factor`` times."""
        self.expect(x, "N", "H", "W", "C")
        return x.repeat(self.factor, 1).repeat(self.factor, 2)

    def adjoint(self, dy, in_shape=None):
        """Sum over each square: what was copied forward is added backward."""
        N, H, W, C = dy.shape
        f = self.factor
        return dy.reshape(N, H // f, f, W // f, f, C).sum((2, 4))

    def __repr__(self):
        return f"{type(self).__name__}({self.factor})"


class Dropout(Layer):
    """In training, y = mask * x / (1 - rate) with P(mask = 0) = rate; else y = x.

    The division keeps the mean of y that of x (the "inverted" form), so that evaluation needs no
    correction. Srivastava et al., 2014.

    Parameters
    ----------
    rate : float in [0, 1)
        The share of numbers that is dropped.
    seed : int
        Of the mask, where the layer is used by itself; `initialize` seeds it anew.
    """

    def __init__(self, rate, *, seed=0):
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout(rate={rate!r}) given, 0 <= rate < 1 wanted")
        self.rate = rate
        self.rng = np.random.default_rng(seed)

    def reset(self, rng, ops, dtype):
        """Each Dropout of a network draws its own numbers."""
        self.rng = rng.spawn(1)[0]

    def forward(self, x, train=True):
        """Any shape -> the same shape; the cache is the scaled mask."""
        if not train:
            return x, None
        ops, shape = ops_of(x), x.shape
        keep = ops.host_array(lambda: self.keep(shape), shape, bool, self.rng)
        scaled = keep * x.dtype.type(1 / (1 - self.rate))
        return x * scaled, scaled

    def keep(self, shape):
        """What is not dropped, as bool, drawn on the host: a GPU run drops what the CPU run drops.

        Of 16 random bits, four from each number that is drawn: that meets the rate to 1/65536 in
        a small part of the time of floats. (A whole number to compare with: no bits are converted.)
        """
        n = math.prod(shape)
        bits = self.rng.integers(0, 2**64, -(-n // 4), np.uint64).view(np.uint16)[:n]
        return (bits >= math.ceil(65536 * self.rate)).reshape(shape)

    def backward(self, dy, cache, into_params=True):
        """dx = scaled mask * dy."""
        return dy if cache is None else dy * cache

    def double_backward(self, t, dy, cache):
        """Once the mask is drawn, the layer is linear, and its own transpose."""
        return self.backward(t, cache), None

    def __repr__(self):
        return f"{type(self).__name__}({self.rate})"
