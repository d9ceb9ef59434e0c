"""Networks that know labels, made of those that do not: three ways to condition a GAN.

concat       D sees the label beside the image            Mirza and Osindero, 2014
projection   D's features are held against the label's    Miyato and Koyama, 2018
classifier   D names the class besides (ACGAN)            Odena et al., 2017

In all three, G sees an embedding of the label in place of some of the noise. Two limits: the
embedding of a projection is not normalised where D's weights are; and with "concat", instance
noise is on the label's embedding, too.
"""

from ..layers import (
    ConcatLabels,
    Dense,
    Embedding,
    Flatten,
    Param,
    Projection,
    Reshape,
    Sequential,
    SpectralNorm,
)  # fmt: skip
from ..layers.init import normal
from .refit import has_weights, take

__all__ = ["CONDITIONS", "WIDTH", "conditional_discriminator", "conditional_generator"]

CONDITIONS = ("concat", "projection", "classifier")
WIDTH = 10  # of a label's embedding, where it is more input


def conditional_generator(network, classes):
    """G of (z, labels), whose z has `WIDTH` numbers less than before: the label's take their place.

    Parameters
    ----------
    network : Sequential
        Not yet initialised; used again.
    classes : int

    Returns
    -------
    Layer
    """
    return ConcatLabels(network, Embedding(classes, WIDTH))


def conditional_discriminator(network, condition, classes):
    """D that takes a label besides, or tells it.

    Parameters
    ----------
    network : Sequential
        Not yet initialised; used again.
    condition : {"concat", "projection", "classifier"}
    classes : int

    Returns
    -------
    Layer
        (x, labels) -> (N, 1); for "classifier", x -> (N, 1 + classes).

    Raises
    ------
    ValueError
        No such way, or "concat" for a network that starts with a convolution.
    """
    layers = list(network.layers)
    places = [i for i, layer in enumerate(layers) if _inner(layer)]
    first, last = _inner(layers[places[0]]), _inner(layers[places[-1]])
    *kernel, n_in, n_out = last.w.shape
    if condition == "concat":
        if not isinstance(first, Dense):
            raise ValueError(
                f"concat with {first} given, a first layer that is Dense wanted; "
                "with convolutions take projection or classifier"
            )
        take(first, first.w.shape[0] + WIDTH)
        return ConcatLabels(network, Embedding(classes, WIDTH))
    if condition == "classifier":
        last.w = Param(shape=(*kernel, n_in, n_out + classes), init=last.w.init)
        if last.b is not None:
            last.b = Param(shape=(n_out + classes,))
        return network
    if condition == "projection":
        features = n_in
        head = layers[places[-1] :]
        for n in kernel:  # a convolution that looks at the whole image
            features *= n
        if kernel:
            head = [Reshape((*kernel, n_in)), *head]
        body = Sequential(*layers[: places[-1]], Flatten())
        table = Embedding(classes, features, init=normal(features**-0.5))  # so that |e| is about 1
        return Projection(body, table, Sequential(*head))
    raise ValueError(f"condition {condition!r} given, one of {', '.join(CONDITIONS)} wanted")


def _inner(layer):
    """The layer itself, or the one in a SpectralNorm, if it has weights; else None."""
    layer = layer.layer if isinstance(layer, SpectralNorm) else layer
    return layer if has_weights(layer) else None
