"""A pair of networks: `Model`. The library's own are in ``models.py``."""

import copy
from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

from ..layers import Layer


class _Pair(NamedTuple):
    generator: Callable[[], Layer]
    discriminator: Callable[..., Layer]
    z_dim: int
    image_shape: tuple[int, ...] | None


class Model(_Pair):
    """A pair of networks that play against each other: the library's, or your own.

    Parameters
    ----------
    generator : callable, () -> Layer, or a Layer
        Makes G: (N, z_dim) -> (N, *image_shape), values in [-1, 1]; not yet initialised. In a
        conditional run, the last numbers of its input describe the label.
    discriminator : callable, (ask) -> Layer, or () -> Layer; or a Layer
        Makes D: (N, *image_shape) -> (N, 1), logits; not yet initialised. ``ask`` is a
        `DiscriminatorOptions`, see ``discriminator.py``; by default, no option is set.
    z_dim : int
        Numbers in G's input.
    image_shape : tuple of int, optional
        (H, W, C), or (2,) for points in the plane. Default: that of the images.

    A Layer stands for copies of itself, whose weights are drawn anew. It is never trained itself.

    Raises
    ------
    TypeError
        A network is neither a Layer nor a callable.
    ValueError
        z_dim is less than 1.
    """

    def __new__(
        cls, generator: Any, discriminator: Any, z_dim: int = 100,
        image_shape: tuple[int, ...] | None = None,
    ) -> "Model":  # fmt: skip
        """Check the parts; they are a tuple afterwards."""
        networks = [
            _copies(net) if isinstance(net, Layer) else net for net in (generator, discriminator)
        ]
        for network in networks:
            if not callable(network):
                raise TypeError(
                    f"Model: expected Layers or functions that return them, got {network!r}"
                )
        if not isinstance(z_dim, Integral) or z_dim < 1:
            raise ValueError(f"Model: expected z_dim of 1 or more, got {z_dim!r}")
        shape = None if image_shape is None else tuple(map(int, image_shape))
        return super().__new__(cls, *networks, int(z_dim), shape)


def _copies(network):
    """Return a function that returns copies of a network."""

    def copy_of_network():
        return copy.deepcopy(network)

    return copy_of_network
