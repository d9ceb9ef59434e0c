"""The networks of the library by name, written out as lists of layers."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from ..layers import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    UpSample2D,
)  # fmt: skip
from ..layers.init import normal

__all__ = ["MODELS", "Model", "dcgan", "dcgan_name", "model"]


class Model(NamedTuple):
    """A pair of networks that play against each other.

    Attributes
    ----------
    generator : callable, () -> Sequential
        (N, z_dim) -> (N, *image_shape), values in [-1, 1]; not yet initialised.
    discriminator : callable, () -> Sequential
        (N, *image_shape) -> (N, 1), logits; not yet initialised.
    z_dim : int
    image_shape : (H, W, C), or (2,) of a point in the plane
    """

    generator: Callable[[], Sequential]
    discriminator: Callable[[], Sequential]
    z_dim: int
    image_shape: tuple[int, ...]


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


# Radford et al., "Unsupervised representation learning with deep convolutional GANs", 2016:
# weights from N(0, .02), BatchNorm everywhere but at G's output and D's input.
SMALL = normal(0.02)
HALVE = {"kernel": 4, "stride": 2, "padding": 1, "init": SMALL}  # or double, when transposed


def dcgan28_generator():
    """100 -> 7x7x128 -> 14x14x64 -> 28x28x1."""
    return Sequential(
        Dense(100, 7 * 7 * 128, bias=False, init=SMALL), Reshape((7, 7, 128)),
        BatchNorm(128), ReLU(),
        ConvTranspose2D(128, 64, bias=False, **HALVE), BatchNorm(64), ReLU(),
        ConvTranspose2D(64, 1, **HALVE), Tanh(),
    )  # fmt: skip


def dcgan28_discriminator():
    """28x28x1 -> 14x14x64 -> 7x7x128 -> 1."""
    return Sequential(
        Conv2D(1, 64, **HALVE), LeakyReLU(0.2),
        Conv2D(64, 128, bias=False, **HALVE), BatchNorm(128), LeakyReLU(0.2),
        Flatten(), Dense(7 * 7 * 128, 1, init=SMALL),
    )  # fmt: skip


def dcgan(size=64, channels=3, width=64, upsample=False, dropout=0.0):
    """The DCGAN for square images of any power of two from 16 to 256.

    Parameters
    ----------
    size : int
        H and W.
    channels : int
        C of the images.
    width : int
        Channels at half the size; they double with each halving, up to 8 * width.
    upsample : bool
        In G, nearest-neighbour upsampling and a 3x3 convolution for each transposed convolution,
        which can leave a checkerboard (Odena et al., 2016).
    dropout : float
        Rate of Dropout in D, between its stages.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        Another size, less than one channel, or such a dropout.
    """
    if size not in (16, 32, 64, 128, 256):
        raise ValueError(f"size {size} given, a power of two from 16 to 256 wanted")
    if width < 1 or channels < 1:
        raise ValueError(f"width {width} and {channels} channels given, at least 1 of each wanted")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout {dropout} given, 0 <= dropout < 1 wanted")
    stages = size.bit_length() - 3  # halvings from size to 4
    widths = [width * min(2**i, 8) for i in range(stages)]  # from half the size down to 4

    def double(c_in, c_out, bias=False):
        if upsample:
            return [UpSample2D(2), Conv2D(c_in, c_out, kernel=3, padding=1, bias=bias, init=SMALL)]
        return [ConvTranspose2D(c_in, c_out, bias=bias, **HALVE)]

    def generator():
        layers = [
            Reshape((1, 1, 100)),
            ConvTranspose2D(100, widths[-1], kernel=4, bias=False, init=SMALL),  # 4x4
            BatchNorm(widths[-1]),
            ReLU(),
        ]
        for c_in, c_out in pairwise(reversed(widths)):
            layers += [*double(c_in, c_out), BatchNorm(c_out), ReLU()]
        return Sequential(*layers, *double(widths[0], channels, bias=True), Tanh())

    def discriminator():
        layers = [Conv2D(channels, widths[0], **HALVE), LeakyReLU(0.2)]
        for c_in, c_out in pairwise(widths):
            layers += [Dropout(dropout)] if dropout else []
            layers += [Conv2D(c_in, c_out, bias=False, **HALVE), BatchNorm(c_out), LeakyReLU(0.2)]
        return Sequential(*layers, Conv2D(widths[-1], 1, kernel=4, init=SMALL), Flatten())

    return Model(generator, discriminator, 100, (size, size, channels))


def stacked_generator():
    """100 -> 256 -> 7x7x64 -> 14x14x32 -> 28x28x3, for Stacked MNIST."""
    return Sequential(
        Dense(100, 256, bias=False), BatchNorm(256), ReLU(),
        Dense(256, 7 * 7 * 64, bias=False), Reshape((7, 7, 64)), BatchNorm(64), ReLU(),
        ConvTranspose2D(64, 32, kernel=4, stride=2, padding=1, bias=False), BatchNorm(32), ReLU(),
        ConvTranspose2D(32, 3, kernel=4, stride=2, padding=1), Tanh(),
    )  # fmt: skip


def stacked_discriminator():
    """28x28x3 -> 14x14x32 -> 7x7x64 -> 256 -> 1: three digits are told apart behind the pixels."""
    return Sequential(
        Conv2D(3, 32, kernel=4, stride=2, padding=1), LeakyReLU(0.2),
        Conv2D(32, 64, kernel=4, stride=2, padding=1), LeakyReLU(0.2),
        Flatten(), Dense(7 * 7 * 64, 256), LeakyReLU(0.2),
        Dense(256, 1),
    )  # fmt: skip


def toy_generator():
    """2-256-256-256-2, for points in the plane."""
    return Sequential(
        Dense(2, 256), ReLU(),
        Dense(256, 256), ReLU(),
        Dense(256, 256), ReLU(),
        Dense(256, 2),
    )  # fmt: skip


def toy_discriminator():
    """2-256-256-256-1."""
    return Sequential(
        Dense(2, 256), LeakyReLU(0.2),
        Dense(256, 256), LeakyReLU(0.2),
        Dense(256, 256), LeakyReLU(0.2),
        Dense(256, 1),
    )  # fmt: skip


MODELS = {
    "mlp": Model(mlp_generator, mlp_discriminator, 100, (28, 28, 1)),
    "mlp-small": Model(mlp_small_generator, mlp_small_discriminator, 100, (28, 28, 1)),
    "dcgan28": Model(dcgan28_generator, dcgan28_discriminator, 100, (28, 28, 1)),
    "dcgan32": dcgan(32),
    "dcgan64": dcgan(64),
    "stacked": Model(stacked_generator, stacked_discriminator, 100, (28, 28, 3)),
    "toy": Model(toy_generator, toy_discriminator, 2, (2,)),
}


def dcgan_name(size, channels, width, upsample, dropout):
    """The name by which `model` finds this `dcgan` again, such as ``"dcgan-64x3-w32-up-drop0.3"``.

    Raises
    ------
    ValueError
        There is no such DCGAN.
    """
    dcgan(size, channels, width, upsample, dropout)
    return f"dcgan-{size}x{channels}-w{width}{'-up' * upsample}" + f"-drop{dropout}" * (dropout > 0)


def model(name):
    """The `Model` called ``name``: a key of `MODELS`, or what `dcgan_name` gives."""
    if name in MODELS:
        return MODELS[name]
    found = re.fullmatch(r"dcgan-(\d+)x(\d)-w(\d+)(-up)?(?:-drop(\d+(?:\.\d+)?(?:e-\d+)?))?", name)
    if not found:
        raise ValueError(
            f"model {name!r} given, one of {', '.join(MODELS)}, "
            "or dcgan-SIZExCHANNELS-wWIDTH[-up][-dropRATE] wanted"
        )
    size, channels, width, upsample, dropout = found.groups()
    return dcgan(int(size), int(channels), int(width), bool(upsample), float(dropout or 0))
