"""Layers: the base classes, and what every layer promises. Read ``dense.py`` next.

A layer is a function y = f(x; θ) of an input x and of parameters θ. It answers three questions:

    y, cache = layer.forward(x)                         what is y?
    dx = layer.backward(dy, cache)                      dS/dy is dy; what are dS/dx and dS/dθ?
    Jt, dB_dx = layer.double_backward(t, dy, cache)     how does B = <J t, dy> change with x and θ?

S is any scalar that is computed from y further on: a loss. d<name> always means dS/d<name>,
and has the shape of <name>. Only gradient penalties ask the third question; skip it on a first
reading. (There, J = dy/dx is the layer's Jacobian, t is a direction in which x moves, and <a, b> is
the sum of all entries of a * b.) Three rules hold everywhere:

1. What backward needs travels in ``cache``, never on ``self``. So two batches can be in flight at
   once, as D(real) and D(fake) are in a GAN.
2. Backward *adds* to ``Param.grad``, so that the gradients of several batches accumulate. It writes
   nowhere else: not into weights, not into dy or x.
3. Input and parameters have one dtype, and every result has it, too: a network that was initialised
   in float64 computes in float64 throughout.

Most layers write none of the three methods. A linear layer gives three formulas (`LinearMap`), an
activation gives its slope (`Elementwise`), and forward, backward and second order follow from them
here. ``params.py`` says where parameters are stored, and how they are named and saved.
"""

from typing import Any, NoReturn

import numpy as np

from ..backend import Array, ops_of
from .params import FLOATS, Module, Param  # noqa: F401 - the other layers take Param from here


class ShapeError(ValueError):
    """An array has the wrong shape or dtype; the message names the layer and what it expects."""


def skips_dx(backward):
    """Mark a method `backward` that does less work for into_params="only"; see `only_params`."""
    backward.skips_dx = True
    return backward


def only_params(layer: "Layer") -> Any:
    """Return the into_params with which nobody wants dx from this layer: "only", or else True.

    A layer of your own may know only True and False, and hand the switch on to layers inside it. It
    gets True, so that no layer inside it leaves out the dx that it needs.
    """
    return "only" if hasattr(layer.backward, "skips_dx") else True


class Layer(Module):
    """A function with parameters, which it finds among its attributes; see ``params.py``.

    Attributes
    ----------
    shown : tuple of str
        Names of the attributes that ``repr`` shows between the brackets.
    """

    shown: tuple[str, ...] = ()

    def forward(self, x, train=True):
        """Compute y = f(x).

        Parameters
        ----------
        x : array (N, ...)
        train : bool
            False in evaluation: BatchNorm uses its running statistics, Dropout does nothing.

        Returns
        -------
        y : array (N, ...)
        cache : object
            What `backward` needs. It stays valid, and may be used more than once.
        """
        raise NotImplementedError(f"{self} has no forward")

    def backward(self, dy, cache, into_params=True):
        """Compute dx = J^T dy, and add dS/dθ to the gradients.

        Parameters
        ----------
        dy : array, the shape of y
        cache : object
            From the `forward` that made y.
        into_params : {True, False, "only"}
            False: leave the gradients alone. D's backward inside the generator step needs dx only.
            "only": nobody will read dx, as of the first layer of a network. Only methods marked by
            `skips_dx` get it, and may return None; see `only_params`.

        Returns
        -------
        dx : array, the shape of x; with "only" it may be None
        """
        raise NotImplementedError(f"{self} has no backward")

    def double_backward(self, t, dy, cache):
        """Compute the second order: how B = <J t, dy> changes with x and θ, at fixed t and dy.

        Parameters
        ----------
        t : array, the shape of x
            A tangent: a direction in which x moves.
        dy : array, the shape of y
        cache : object
            From the `forward` that made y.

        Returns
        -------
        J t : array, the shape of y
            How y moves when x moves along t.
        dB/dx : array, the shape of x, or None where J does not depend on x
            dB/dθ is added to the gradients.
        """
        raise NotImplementedError(f"{self} has no second order (double_backward)")

    def expect(self, x: Array, *shape: int | str) -> None:
        """Raise ShapeError unless x is a float array of this shape; a letter means any length.

        Once the layer is initialised, x must also have the backend and the dtype of its parameters.
        """
        ops, theta = ops_of(x), self.theta  # ops_of raises TypeError where x is no array
        wanted = tuple(m if isinstance(n, str) else n for n, m in zip(shape, x.shape, strict=False))
        if len(shape) != x.ndim or wanted != x.shape:
            self.refuse(f"input of shape ({', '.join(map(str, shape))})", x.shape)
        if theta is not None and ops is not ops_of(theta):
            self.refuse(f"input on backend {ops_of(theta).name}", ops.name)
        dtypes = FLOATS if theta is None else (theta.dtype,)
        if x.dtype not in dtypes:
            self.refuse(f"input of dtype {' or '.join(map(str, dtypes))}", x.dtype)
        if theta is None and any(p.value is None for p in self.params().values()):
            self.initialized()  # raises, and says what to do

    def expect_last(self, x: Array, *last: int | str) -> None:
        """Raise ShapeError unless x is a batch whose last axes are these; see `expect`."""
        ops_of(x)  # raises TypeError where x is no array
        self.expect(x, *("N", "H", "W")[: max(x.ndim - len(last), 1)], *last)

    def refuse(self, expected: str, got: Any) -> NoReturn:
        """Raise a ShapeError such as "Dense(3, 2): expected input of shape (N, 3), got (4, 5)"."""
        raise ShapeError(f"{self}: expected {expected}, got {got}")

    def __repr__(self):
        arguments = ", ".join(repr(getattr(self, name)) for name in self.shown)
        return f"{type(self).__name__}({arguments})"


class LinearMap(Layer):
    """y = A x + b, where A is linear in the weights w: a subclass gives three formulas.

        apply(x)            A x
        adjoint(dy)         A^T dy
        weight_grad(x, dy)  the derivative of <A x, dy> with respect to w

    One identity ties them: <apply(x), dy> = <x, adjoint(dy)> = <w, weight_grad(x, dy)>. It holds up
    to rounding, so it is the sharpest test: check it first. The Params must have the names w and b;
    a layer without weights, or without a bias, leaves them None.
    """

    w: Any = None  # a Param, or None
    b: Any = None  # a Param, or None

    def apply(self, x):
        """Compute A x, without the bias."""
        raise NotImplementedError(f"{self} has no apply")

    def adjoint(self, dy, in_shape=None):
        """Compute A^T dy; ``in_shape`` is the shape of x, where dy does not determine it."""
        raise NotImplementedError(f"{self} has no adjoint")

    def weight_grad(self, x, dy):
        """Compute the derivative of <A x, dy> with respect to w, in the shape of w."""
        raise NotImplementedError(f"{self} has no weight_grad")

    def forward(self, x, train=True):
        """y = A x + b."""
        y = self.apply(x)
        if self.b is not None:
            ops_of(y).add_bias_(y, self.b.value)
        return y, x

    @skips_dx
    def backward(self, dy, cache, into_params=True):
        """dx = A^T dy,  dw += weight_grad(x, dy),  db += sum of dy over all axes but the last."""
        if into_params and self.w is not None:
            self.w.grad += self.weight_grad(cache, dy)
        if into_params and self.b is not None:
            ops_of(dy).add_rows_(self.b.grad, dy.reshape(-1, dy.shape[-1]))
        return None if into_params == "only" else self.adjoint(dy, cache.shape)

    def double_backward(self, t, dy, cache):
        """B = <A t, dy>: J is A for every x, and dB/dw is weight_grad(t, dy)."""
        if self.w is not None:
            self.w.grad += self.weight_grad(t, dy)
        return self.apply(t), None


class Elementwise(Layer):
    """y = f(x), entry by entry, where the slope f'(x) can be computed from y = f(x).

    Every monotone activation is of this kind. The cache is y alone, so x can be freed. An
    activation that is not monotone (Swish, say) is a `Layer` that keeps x in its cache.
    """

    def f(self, x):
        """Compute f(x)."""
        raise NotImplementedError(f"{self} has no f")

    def df(self, y):
        """Compute f'(x) at the x where f(x) = y."""
        raise NotImplementedError(f"{self} has no df")

    def d2f(self, y):
        """Compute f''(x) at the x where f(x) = y; None where f is piecewise linear."""
        raise NotImplementedError(f"{self} has no d2f")

    def forward(self, x, train=True):
        """y = f(x)."""
        expect_floats(self, "input", x)
        y = self.f(x)
        return y, y

    def backward(self, dy, cache, into_params=True):
        """dx = f'(x) dy."""
        return self.df(cache) * dy

    def double_backward(self, t, dy, cache):
        """B = sum of f'(x) t dy:  J t = f'(x) t,  dB/dx = f''(x) t dy."""
        d2f = self.d2f(cache)
        return self.df(cache) * t, None if d2f is None else d2f * t * dy


DTYPES = frozenset(map(np.dtype, FLOATS))


def expect_floats(owner: object, what: str, *arrays: Array) -> None:
    """Raise ShapeError unless all arrays are of float32 or float64.

    ``expect_floats(self, "input", x)`` is `Layer.expect` for layers that take any shape. It says
    "Tanh(): expected input of dtype float32 or float64, got uint8".
    """
    for a in arrays:
        if getattr(a, "dtype", None) not in DTYPES:
            ops_of(a)  # raises TypeError where a is no array
            floats = " or ".join(FLOATS)
            raise ShapeError(f"{owner}: expected {what} of dtype {floats}, got {a.dtype}")
