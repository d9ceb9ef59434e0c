"""Layers made of layers. A network is a `Sequential`, and is itself a layer."""

import copy

import numpy as np

from .base import Layer, ShapeError
from .dense import Dense

__all__ = ["Residual", "Sequential"]


class Sequential(Layer):
    """y = f_L(... f_2(f_1(x))): one layer after the other.

    Parameters
    ----------
    *layers : Layer
        At least one. Their parameters have the keys ``"0.w"``, ``"0.b"``, ``"1.gamma"``, ...
    """

    def __init__(self, *layers):
        wrong = [layer for layer in layers if not isinstance(layer, Layer)]
        if wrong or not layers:
            raise TypeError(f"Sequential() given {wrong or 'nothing'}, one Layer or more wanted")
        self.layers = layers

    def parts(self):
        """The layers by their position."""
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def forward(self, x, train=True):
        """Through all layers, first to last; the cache holds one cache a layer."""
        caches = []
        for i, layer in enumerate(self.layers):
            try:
                x, cache = layer.forward(x, train)
            except ShapeError as error:
                raise ShapeError(f"layer {i}: {error}") from None
            caches.append(cache)
        return x, caches

    def backward(self, dy, cache, into_params=True):
        """The chain rule: through all layers, last to first.

        With into_params="only", down to the first layer that has parameters.
        """
        first = self.first_learned() if into_params == "only" else 0
        for i in reversed(range(first, len(self.layers))):
            wanted = bool(into_params) if i > first else into_params
            dy = self.layers[i].backward(dy, cache[i], wanted)
        return dy

    def first_learned(self):
        """The position of the first layer that has parameters; 0 where none has."""
        return next((i for i, layer in enumerate(self.layers) if layer.size), 0)

    def double_backward(self, t, dy, cache):
        """B = <J_L ... J_1 t, dy>: the tangent goes up, what it meets on the way comes down.

        In each layer B is <J_l t_l, dy_l>, with t_l the tangent that enters it and dy_l the
        gradient at its output. Its own second order gives dB/dθ_l and dB/dx_l; the latter is a
        gradient like any other, and ordinary backward takes it down to the layers before.
        """
        dys = [dy]  # dS/d(output of layer l)
        for layer, c in zip(reversed(self.layers[1:]), reversed(cache), strict=False):
            dys.insert(0, layer.backward(dys[0], c, into_params=False))
        bends = []  # dB/d(input of layer l), from the bend of layer l alone
        for layer, dy_l, c in zip(self.layers, dys, cache, strict=True):
            t, bend = layer.double_backward(t, dy_l, c)
            bends.append(bend)
        down = None
        for layer, bend, c in reversed(list(zip(self.layers, bends, cache, strict=True))):
            through = None if down is None else layer.backward(down, c)
            down = _add(through, bend)
        return t, down

    def summary(self, input_shape=None):
        """Print a table of the layers: name, output shape, number of parameters.

        Parameters
        ----------
        input_shape : tuple of int, optional
            Of one sample, without the batch axis. A network that starts with `Dense` tells it.

        Returns
        -------
        None
        """
        if input_shape is None:
            first = next((layer for layer in self.layers if layer.params()), None)
            if not isinstance(first, Dense):
                raise ValueError("summary(): give input_shape, such as summary((28, 28, 1))")
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
    """y = x + f_L(... f_1(x)): the layers learn what to add. He et al., 2016.

    Parameters
    ----------
    *layers : Layer
        Together they must keep the shape of x.
    """

    def forward(self, x, train=True):
        """y = x + f(x)."""
        f, caches = super().forward(x, train)
        if f.shape != x.shape:
            raise ShapeError(f"{self}: input {x.shape} became {f.shape}, the same shape wanted")
        return x + f, caches

    def backward(self, dy, cache, into_params=True):
        """dx = dy + J_f^T dy."""
        df = super().backward(dy, cache, into_params)
        return None if into_params == "only" else dy + df

    def double_backward(self, t, dy, cache):
        """J t = t + J_f t; x itself does not bend."""
        f_t, bend = super().double_backward(t, dy, cache)
        return t + f_t, bend


def _add(a, b):
    """a + b, where None stands for zero."""
    return b if a is None else a if b is None else a + b
