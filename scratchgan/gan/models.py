"""The library's networks by name, written as lists of layers."""

from itertools import pairwise

from ..layers import (  # isort: skip
    BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Flatten, Layer, LeakyReLU, ReLU, Reshape,
    Sequential, Tanh, UpSample2D,
)  # fmt: skip
from ..layers.init import normal
from .discriminator import PLAIN, DiscriminatorOptions
from .pair import Model


def mlp_generator() -> Sequential:
    """Build the MLP 100-128-256-784."""
    return Sequential(
        Dense(100, 128, bias=False), BatchNorm(128), ReLU(),
        Dense(128, 256, bias=False), BatchNorm(256), ReLU(),
        Dense(256, 784), Tanh(), Reshape((28, 28, 1)),
    )  # fmt: skip


def mlp_discriminator(ask: DiscriminatorOptions = PLAIN) -> Layer:
    """Build the MLP 784-256-128-1."""
    return ask.network(
        Flatten(),
        Dense(ask.inputs(784), 256), LeakyReLU(0.2), Dropout(0.1),
        Dense(256, 128), LeakyReLU(0.2), *ask.std_channel(), Dropout(0.1),
        last=[Dense(ask.features(128), ask.outputs)],
    )  # fmt: skip


def mlp_small_generator() -> Sequential:
    """Build the MLP 100-256-784."""
    return Sequential(
        Dense(100, 256, bias=False), BatchNorm(256), ReLU(),
        Dense(256, 784), Tanh(), Reshape((28, 28, 1)),
    )  # fmt: skip


def mlp_small_discriminator(ask: DiscriminatorOptions = PLAIN) -> Layer:
    """Build the MLP 784-256-1."""
    return ask.network(
        Flatten(),
        Dense(ask.inputs(784), 256), LeakyReLU(0.2), *ask.std_channel(), Dropout(0.1),
        last=[Dense(ask.features(256), ask.outputs)],
    )  # fmt: skip


# Radford et al., "Unsupervised representation learning with deep convolutional GANs", 2016:
# weights from N(0, 0.02^2), BatchNorm everywhere except at G's output and D's input.
SMALL = normal(0.02)
# Halves H and W; a transposed convolution doubles them.
HALVE: dict = {"kernel": 4, "stride": 2, "padding": 1, "init": SMALL}


def dcgan28_generator() -> Sequential:
    """Build the network 100 -> 7x7x128 -> 14x14x64 -> 28x28x1."""
    return Sequential(
        Dense(100, 7 * 7 * 128, bias=False, init=SMALL), Reshape((7, 7, 128)),
        BatchNorm(128), ReLU(),
        ConvTranspose2D(128, 64, bias=False, **HALVE), BatchNorm(64), ReLU(),
        ConvTranspose2D(64, 1, **HALVE), Tanh(),
    )  # fmt: skip


def dcgan28_discriminator(ask: DiscriminatorOptions = PLAIN) -> Layer:
    """Build the network 28x28x1 -> 14x14x64 -> 7x7x128 -> 1."""
    return ask.network(
        Conv2D(ask.channels(1), 64, **HALVE), LeakyReLU(0.2),
        Conv2D(64, 128, bias=ask.bias, **HALVE), *ask.normalise(7, 7, 128), LeakyReLU(0.2),
        Flatten(), *ask.std_channel(),
        last=[Dense(ask.features(7 * 7 * 128), ask.outputs, init=SMALL)],
    )  # fmt: skip


# The sides of a DCGAN's images, and where each of them starts in G and ends in D.
STARTS = {s * 2**k: s for k in range(2, 7) for s in (4, 5, 6, 7) if s * 2**k <= 256}


def dcgan(
    size: int = 64, channels: int = 3, width: int = 64, upsample: bool = False, dropout: float = 0.0
) -> Model:
    """Return the DCGAN for square images of 16 to 256 pixels a side.

    Both networks halve or double the side; the smallest is 4, 5, 6 or 7, such as 7 for 28 = 7*2*2.

    Parameters
    ----------
    size : int
        H and W of the images: 4, 5, 6 or 7 times a power of two, from 16 to 256.
    channels : int
        C of the images.
    width : int
        Channels at half the size; they double with each halving, up to 8 * width.
    upsample : bool
        Give G a nearest-neighbour upsampling and a 3x3 convolution in place of each transposed
        convolution, which can leave a checkerboard (Odena et al., 2016).
    dropout : float
        Rate of the Dropout between the stages of D; 0 for none.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        Another size, less than one channel, or a dropout outside [0, 1).
    """
    if size not in STARTS:
        below, above = [s for s in STARTS if s < size], [s for s in STARTS if s > size]
        near = " or ".join(map(str, below[-1:] + above[:1]))
        wanted = "a size of 16 to 256 that is 4, 5, 6 or 7 times a power of two"
        raise ValueError(f"dcgan: expected {wanted}, such as {near}, got size {size}")
    if width < 1 or channels < 1:
        raise ValueError(f"dcgan: expected 1 or more, got width {width} and {channels} channels")
    if not 0 <= dropout < 1:
        raise ValueError(f"dcgan: expected 0 <= dropout < 1, got dropout {dropout}")
    start = STARTS[size]
    # Channels at each size that D halves to: from size / 2 down to the start.
    widths = [width * min(2**i, 8) for i in range(8) if size // 2**i > start]

    def double(c_in, c_out, bias=False):
        if upsample:
            return [UpSample2D(2), Conv2D(c_in, c_out, kernel=3, padding=1, bias=bias, init=SMALL)]
        return [ConvTranspose2D(c_in, c_out, bias=bias, **HALVE)]

    def generator():
        layers = [Reshape((1, 1, 100))]
        # (N, start, start, widths[-1])
        layers += [ConvTranspose2D(100, widths[-1], kernel=start, bias=False, init=SMALL)]
        for c_in, c_out in pairwise(reversed(widths)):
            layers += [BatchNorm(c_in), ReLU(), *double(c_in, c_out)]
        layers += [BatchNorm(widths[0]), ReLU(), *double(widths[0], channels, bias=True), Tanh()]
        return Sequential(*layers)

    def discriminator(ask=PLAIN):
        layers = [Conv2D(ask.channels(channels), widths[0], **HALVE), LeakyReLU(0.2)]
        side = size // 2
        for c_in, c_out in pairwise(widths):
            side //= 2
            layers += [Dropout(dropout)] if dropout else []
            layers += [Conv2D(c_in, c_out, bias=ask.bias, **HALVE)]
            layers += [*ask.normalise(side, side, c_out), LeakyReLU(0.2)]
        last = Conv2D(ask.features(widths[-1]), ask.outputs, kernel=start, init=SMALL)
        return ask.network(*layers, *ask.std_channel(), last=[last, Flatten()])

    return Model(generator, discriminator, 100, (size, size, channels))


def stacked_generator() -> Sequential:
    """Build the network 100 -> 256 -> 7x7x64 -> 14x14x32 -> 28x28x3, for Stacked MNIST."""
    return Sequential(
        Dense(100, 256, bias=False), BatchNorm(256), ReLU(),
        Dense(256, 7 * 7 * 64, bias=False), Reshape((7, 7, 64)), BatchNorm(64), ReLU(),
        ConvTranspose2D(64, 32, kernel=4, stride=2, padding=1, bias=False), BatchNorm(32), ReLU(),
        ConvTranspose2D(32, 3, kernel=4, stride=2, padding=1), Tanh(),
    )  # fmt: skip


def stacked_discriminator(ask: DiscriminatorOptions = PLAIN) -> Layer:
    """Build the network 28x28x3 -> 14x14x32 -> 7x7x64 -> 256 -> 1, for Stacked MNIST.

    The Dense layer of 256 helps to tell the three digits apart.
    """
    return ask.network(
        Conv2D(ask.channels(3), 32, kernel=4, stride=2, padding=1), LeakyReLU(0.2),
        Conv2D(32, 64, kernel=4, stride=2, padding=1), LeakyReLU(0.2),
        Flatten(), Dense(7 * 7 * 64, 256), LeakyReLU(0.2), *ask.std_channel(),
        last=[Dense(ask.features(256), ask.outputs)],
    )  # fmt: skip


def toy_generator() -> Sequential:
    """Build the MLP 2-256-256-256-2, for points in the plane."""
    return Sequential(
        Dense(2, 256), ReLU(),
        Dense(256, 256), ReLU(),
        Dense(256, 256), ReLU(),
        Dense(256, 2),
    )  # fmt: skip


def toy_discriminator(ask: DiscriminatorOptions = PLAIN) -> Layer:
    """Build the MLP 2-256-256-256-1, for points in the plane."""
    return ask.network(
        Dense(ask.inputs(2), 256), LeakyReLU(0.2),
        Dense(256, 256), LeakyReLU(0.2),
        Dense(256, 256), LeakyReLU(0.2), *ask.std_channel(),
        last=[Dense(ask.features(256), ask.outputs)],
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


def dcgan_name(
    size: int, channels: int, width: int = 64, upsample: bool = False, dropout: float = 0.0
) -> str:
    """Return the name of a `dcgan` for `model`, such as ``"dcgan-64x3-w32-up-drop0.3"``.

    Raises
    ------
    ValueError
        There is no such DCGAN.
    """
    dcgan(size, channels, width, upsample, dropout)
    return f"dcgan-{size}x{channels}-w{width}{'-up' * upsample}" + f"-drop{dropout}" * (dropout > 0)


def model(name: str) -> Model:
    """Return the `Model` called ``name``: a key of `MODELS`, or a name made by `dcgan_name`.

    Raises
    ------
    ValueError
        No model has this name.
    """
    if name in MODELS:
        return MODELS[name]
    try:
        sizes, *rate = name.split("-drop")
        _, image, width, *up = sizes.split("-")
        size, channels = image.split("x")
        options = int(size), int(channels), int(width[1:]), bool(up), float(*rate)  # float() is 0
    except (TypeError, ValueError):
        options = None
    if options and dcgan_name(*options) == name:  # one spelling for each network
        return dcgan(*options)
    known = f"one of {', '.join(MODELS)}, or dcgan-SIZExCHANNELS-wWIDTH[-up][-dropRATE]"
    raise ValueError(f"model: expected {known}, got {name!r}")
