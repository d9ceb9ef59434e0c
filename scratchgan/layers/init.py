"""Initial values. An initialiser is a function (rng, shape) -> float64 array.

Weights are stored (..., in, out): dense (in, out), convolution (KH, KW, C, O). The fan-in of an
output is the number of inputs that it sums. ``he`` keeps the variance of activations from layer to
layer; ``glorot`` is a compromise between that and the variance of gradients.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int, ...]
Initialiser: TypeAlias = Callable[[np.random.Generator, Shape], np.ndarray]


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan-in, fan-out) of a weight array (..., in, out)."""
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def zeros(rng: np.random.Generator | None, shape: Shape) -> np.ndarray:
    """All zeros: for biases."""
    return np.zeros(shape)


def ones(rng: np.random.Generator | None, shape: Shape) -> np.ndarray:
    """All ones: for the scale of a normalisation."""
    return np.ones(shape)


def normal(std: float = 0.02) -> Initialiser:
    """N(0, std^2). The default is DCGAN's (Radford et al., 2016, section 4)."""
    return lambda rng, shape: rng.normal(0, std, shape)


def glorot(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """U(-a, a) with a = sqrt(6 / (fan-in + fan-out)). Glorot and Bengio, 2010, equation 16."""
    a = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-a, a, shape)


def he(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """N(0, 2 / fan-in), for ReLU and similar. He et al., 2015, equation 10."""
    return rng.normal(0, math.sqrt(2 / fans(shape)[0]), shape)
