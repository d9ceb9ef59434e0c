"""Initial values. An initialiser is a function (rng, shape) -> float64 array.

Weights are stored (..., in, out): dense (in, out), convolution (KH, KW, C, O). The fan-in of an
output is the number of inputs that it sums; ``he`` keeps the variance of activations across a
layer, ``glorot`` strikes a mean between that and the variance of gradients.
"""

import math

import numpy as np

__all__ = ["fans", "glorot", "he", "normal", "ones", "zeros"]


def fans(shape):
    """(fan-in, fan-out) of a weight array (..., in, out)."""
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def zeros(rng, shape):
    """All zero: biases."""
    return np.zeros(shape)


def ones(rng, shape):
    """All one: the scale of a normalisation."""
    return np.ones(shape)


def normal(std=0.02):
    """N(0, std^2). The .02 is DCGAN's (Radford et al., 2016, section 4)."""
    return lambda rng, shape: rng.normal(0, std, shape)


def glorot(rng, shape):
    """U(-a, a) with a = sqrt(6 / (fan-in + fan-out)). Glorot and Bengio, 2010, equation 16."""
    a = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-a, a, shape)


def he(rng, shape):
    """N(0, 2 / fan-in), for ReLU and its kin. He et al., 2015, equation 10."""
    return rng.normal(0, math.sqrt(2 / fans(shape)[0]), shape)
