"""Layers made of layers. A network is a `Sequential`, and is itself a layer."""

import copy
from typing import Any

import numpy as np

from .base import Layer, ShapeError, only_params, skips_dx
from .dense import Dense


class Sequential(Layer):
    """y = f_L(... f_2(f_1(x))): one layer after the other.

    Parameters
    ----------
    *layers : Layer
        At least one; a list or tuple stands for the layers that it holds. Their parameters have
        the keys ``"0.w"``, ``"0.b"``, ``"1.gamma"``, ...

    Raises
    ------
    TypeError
        No layer, or something that is not a Layer.
    """

    def __init__(self, *layers: Any):
        self.layers: tuple[Layer, ...] = tuple(_flat(layers))
        wrong = [layer for layer in self.layers if not isinstance(layer, Layer)]
        if wrong or not self.layers:
            raise TypeError(f"{type(self).__name__}: expected Layers, got {wrong or 'none'}")

    def parts(self):
        """Return the layers by their position."""
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def forward(self, x, train=True):
        """Apply all layers, first to last; the cache is a list with one cache for each layer."""
        caches = []
        for i, layer in enumerate(self.layers):
            try:
                x, cache = layer.forward(x, train)
            except ShapeError as error:
                raise ShapeError(f"layer {i}: {error}") from None
            caches.append(cache)
        return x, caches

    @skips_dx
    def backward(self, dy, cache, into_params=True):
        """Apply the chain rule: through all layers, last to first.

        With into_params="only", it ends at the first layer that has parameters.
        """
        only = into_params == "only"
        first = self.first_learned() if only else 0
        for i in range(len(self.layers) - 1, first, -1):
            dy = self.layers[i].backward(dy, cache[i], bool(into_params))
        wanted = only_params(self.layers[first]) if only else into_params
        dx = self.layers[first].backward(dy, cache[first], wanted)
        return None if only else dx

    def first_learned(self):
        """Return the position of the first layer that has parameters; 0 where none has."""
        return next((i for i, layer in enumerate(self.layers) if layer.size), 0)

    def double_backward(self, t, dy, cache):
        """B = <J_L ... J_1 t, dy>: the tangent goes up; the gradients of B come down.

        In layer l, B is <J_l t_l, dy_l>, with t_l the tangent that enters it and dy_l the gradient
        at its output. The second order of layer l gives dB/dθ_l and dB/dx_l. The latter is a
        gradient like any other: ordinary backward takes it down through the layers before l.
        """
        dys = [dy]  # dS/d(output of layer l)
        for layer, c in zip(reversed(self.layers[1:]), reversed(cache), strict=False):
            dys.insert(0, layer.backward(dys[0], c, into_params=False))
        bends = []  # dB/d(input of layer l), from the second order of layer l alone
        for layer, dy_l, c in zip(self.layers, dys, cache, strict=True):
            t, bend = layer.double_backward(t, dy_l, c)
            bends.append(bend)
        down = None  # dB/d(input of layer l), from layer l and all layers after it
        for layer, bend, c in reversed(list(zip(self.layers, bends, cache, strict=True))):
            through = None if down is None else layer.backward(down, c)
            down = _add(through, bend)
        return t, down

    def summary(self, input_shape: tuple[int, ...] | None = None) -> None:
        """Print a table of the layers: name, output shape, number of parameters.

        Parameters
        ----------
        input_shape : tuple of int, optional
            The shape of one sample, without the batch axis. Not needed where the first layer with
            parameters is a `Dense`.
        """
        if input_shape is None:
            first = self.layers[self.first_learned()]
            if not isinstance(first, Dense):
                raise ValueError("summary: expected an input_shape, such as summary((28, 28, 1))")
            input_shape = first.w.shape[:1]
        x = np.zeros((1, *input_shape), np.float32)
        rows = [("layer", "output shape", "parameters"), ("input", str(tuple(input_shape)), "")]
        for layer in copy.deepcopy(self).initialize(0).layers:
            x, _ = layer.forward(x, train=False)
            rows.append((repr(layer), str(x.shape[1:]), f"{layer.size:,}"))
        rows.append(("total", "", f"{self.size:,}"))
        a, b, c = (max(map(len, column)) for column in zip(*rows, strict=True))
        print("\n".join(f"{r[0]:{a}}  {r[1]:{b}}  {r[2]:>{c}}" for r in rows))

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"


class Residual(Sequential):
    """y = x + f_L(... f_1(x)): the layers learn what to add to x. He et al., 2016.

    Parameters
    ----------
    *layers : Layer
        Together they must keep the shape of x.
    """

    def forward(self, x, train=True):
        """y = x + f(x)."""
        f, caches = super().forward(x, train)
        if f.shape != x.shape:
            self.refuse(f"layers that keep the shape {x.shape}", f.shape)
        return x + f, caches

    @skips_dx
    def backward(self, dy, cache, into_params=True):
        """dx = dy + J_f^T dy."""
        df = super().backward(dy, cache, into_params)
        return None if into_params == "only" else dy + df

    def double_backward(self, t, dy, cache):
        """J t = t + J_f t; x itself adds nothing to dB/dx."""
        f_t, bend = super().double_backward(t, dy, cache)
        return t + f_t, bend


def _flat(layers):
    """Yield what a list holds, and what the lists and tuples in it hold."""
    for layer in layers:
        if isinstance(layer, (list, tuple)):
            yield from _flat(layer)
        else:
            yield layer


def _add(a, b):
    """Return a + b, where None means zero."""
    return b if a is None else a if b is None else a + b
