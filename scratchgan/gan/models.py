"""The networks of the library by name, each written out as a literal list of layers."""

from collections.abc import Callable
from typing import NamedTuple

from ..layers import BatchNorm, Dense, Dropout, Flatten, LeakyReLU, ReLU, Reshape, Sequential, Tanh

__all__ = ["MODELS", "Model", "model"]


class Model(NamedTuple):
    """A pair of networks that play against each other.

    Attributes
    ----------
    generator : callable, () -> Sequential
        (N, z_dim) -> (N, *image_shape), values in [-1, 1]; not yet initialised.
    discriminator : callable, () -> Sequential
        (N, *image_shape) -> (N, 1), logits; not yet initialised.
    z_dim : int
    image_shape : (H, W, C)
    """

    generator: Callable[[], Sequential]
    discriminator: Callable[[], Sequential]
    z_dim: int
    image_shape: tuple[int, int, int]


def mlp_generator():
    """100-128-256-784."""
    return Sequential(
        Dense(100, 128, bias=False), BatchNorm(128), ReLU(),
        Dense(128, 256, bias=False), BatchNorm(256), ReLU(),
        Dense(256, 784), Tanh(), Reshape((28, 28, 1)),
    )  # fmt: skip


def mlp_discriminator():
    """784-256-128-1."""
    return Sequential(
        Flatten(),
        Dense(784, 256), LeakyReLU(0.2), Dropout(0.1),
        Dense(256, 128), LeakyReLU(0.2), Dropout(0.1),
        Dense(128, 1),
    )  # fmt: skip


def mlp_small_generator():
    """100-256-784."""
    return Sequential(
        Dense(100, 256, bias=False), BatchNorm(256), ReLU(),
        Dense(256, 784), Tanh(), Reshape((28, 28, 1)),
    )  # fmt: skip


def mlp_small_discriminator():
    """784-256-1."""
    return Sequential(
        Flatten(),
        Dense(784, 256), LeakyReLU(0.2), Dropout(0.1),
        Dense(256, 1),
    )  # fmt: skip


MODELS = {
    "mlp": Model(mlp_generator, mlp_discriminator, 100, (28, 28, 1)),
    "mlp-small": Model(mlp_small_generator, mlp_small_discriminator, 100, (28, 28, 1)),
}


def model(name):
    """The `Model` called ``name``, one of the keys of `MODELS`."""
    if name not in MODELS:
        raise ValueError(f"model {name!r} given, one of {', '.join(MODELS)} wanted")
    return MODELS[name]
