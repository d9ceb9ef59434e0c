"""A discriminator fitted to its game: another normalisation, several samples at once, noise.

The networks in ``models.py`` are written as DCGAN has them. What a game asks of D besides, this
file does to the list of layers: so every cure can be tried on every network.
"""

import copy

import numpy as np

from ..layers import (
    BatchNorm,
    Dropout,
    GaussianNoise,
    LayerNorm,
    LinearMap,
    MinibatchStd,
    Pack,
    Param,
    Sequential,
    SpectralNorm,
)  # fmt: skip

__all__ = ["NORMS", "refit"]

NORMS = ("model", "layer", "spectral", "none")


def refit(network, sample_shape, *, norm="model", pack=1, minibatch_std=False, noise=0.0):
    """A discriminator with changes; its layers are used again.

    Parameters
    ----------
    network : Sequential
        Not yet initialised.
    sample_shape : tuple of int
        Of one sample, such as (H, W, C).
    norm : {"model", "layer", "spectral", "none"}
        What stands where BatchNorm stood: it, as in the model; a LayerNorm over the whole sample;
        or nothing. "spectral" takes it out, too, and normalises every weight.
    pack : int
        D judges so many samples at once: `Pack`.
    minibatch_std : bool
        A `MinibatchStd` before the last layer with weights, and before the Dropout that is there.
    noise : float
        With `GaussianNoise` of this standard deviation on its input.

    Returns
    -------
    Sequential
    """
    if norm not in NORMS:
        raise ValueError(f"norm {norm!r} given, one of {', '.join(NORMS)} wanted")
    layers = list(network.layers)
    nested = [layer for layer in layers if isinstance(layer, Sequential)]
    if nested and (norm != "model" or pack > 1 or minibatch_std):
        raise ValueError(f"{nested[0]} inside a discriminator given, a plain list of layers wanted")
    if pack > 1:
        first = next(filter(has_weights, layers))
        take(first, pack * first.w.shape[-2])
        layers.insert(0, Pack(pack))
    if minibatch_std:
        last = max(i for i, layer in enumerate(layers) if has_weights(layer))
        while isinstance(layers[last - 1], Dropout):  # whose masks vary even where samples do not
            last -= 1
        layers.insert(last, MinibatchStd())
    if noise:
        layers.insert(0, GaussianNoise(noise))
    x = np.zeros((2 * pack, *sample_shape), np.float32)
    fitted = []
    for layer in layers:
        if isinstance(layer, BatchNorm) and norm != "model":
            fitted += [LayerNorm(x.shape[1:])] if norm == "layer" else []
            continue
        if has_weights(layer) and any(isinstance(before, MinibatchStd) for before in fitted):
            take(layer, x.shape[-1])
        y, _ = copy.deepcopy(layer).initialize(0).forward(x)
        if has_weights(layer) and norm != "model":
            if layer.b is None:  # it had none because a BatchNorm followed
                layer.b = Param(shape=y.shape[-1:])
            layer = SpectralNorm(layer) if norm == "spectral" else layer
        fitted.append(layer)
        x = y
    return Sequential(*fitted)


def has_weights(layer):
    """Whether it is a linear map with weights."""
    return isinstance(layer, LinearMap) and layer.w is not None


def take(layer, n_in):
    """Let a Dense or Conv2D have so many inputs: the last axis but one of w."""
    *kernel, _, n_out = layer.w.shape
    layer.w = Param(shape=(*kernel, n_in, n_out), init=layer.w.init)
    if hasattr(layer, "c_in"):
        layer.c_in = n_in
