"""What a layer is. Start here; then read ``dense.py``, and the other layers will hold no surprise.

A layer is a function y = f(x; θ). It answers three questions:

    y, cache = layer.forward(x)             what is y?
    dx = layer.backward(dy, cache)          dS/dy is dy; what are dS/dx and dS/dθ?
    Jt, dB_dx = layer.double_backward(t, dy, cache)     how does B = <J t, dy> change with x and θ?

where θ are the layer's parameters, S is any scalar computed from y further on (a loss), and
d<name> always stands for dS/d<name>, with the shape of <name>. The third question is asked by
gradient penalties only; skip it on a first reading. (J = dy/dx is the layer's Jacobian, t a
direction in which x moves, <a, b> the sum of all products of entries, a * b.) Three rules hold
everywhere:

1. What backward needs travels in ``cache``, never on ``self``: two batches can be in flight at
   once, as D(real) and D(fake) are in a GAN.
2. Backward *adds* to ``Param.grad``, so that gradients from several batches accumulate.
   It writes nowhere else: not into weights, not into dy or x.
3. Input and parameters have one dtype, and so has everything that comes out: a network that was
   initialised in float64 computes in float64 throughout.

Most layers need none of the three methods: a linear one states three formulas (`LinearMap`), an
activation its slope (`Elementwise`), and both get forward, backward and second order from here.
Where parameters lie, and how they are named and kept, is said in ``params.py``.
"""

from ..backend import ops_of
from .params import Module, Param

__all__ = ["Elementwise", "Layer", "LinearMap", "Param", "ShapeError"]


class ShapeError(ValueError):
    """An array of the wrong shape or kind; the message names the layer, the given, the wanted."""


class Layer(Module):
    """A function with parameters: the Params and Layers among its attributes, see ``params.py``."""

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
            False leaves the gradients alone: D's pass inside the generator step. "only" adds to
            the gradients, and nobody will look at dx: a network's first layer has no layer below.
            A layer may save the work of dx then, or treat "only" as True.

        Returns
        -------
        dx : array, the shape of x; with "only" it may be None
        """
        raise NotImplementedError(f"{self} has no backward")

    def double_backward(self, t, dy, cache):
        """Second order: how B = <J t, dy> changes with x and with θ, at fixed t and dy.

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

    # ---- errors ------------------------------------------------------------------------------

    def expect(self, x, *wanted):
        """Refuse x unless it is a float array of this shape; a letter stands for any length."""
        ops = ops_of(x)  # refuses what is not an array
        fits = x.ndim == len(wanted) and all(
            isinstance(w, str) or w == n for w, n in zip(wanted, x.shape, strict=True)
        )
        if not fits:
            shape = ", ".join(map(str, wanted))
            raise ShapeError(f"{self}: input of shape {x.shape} given, ({shape}) wanted")
        if self.theta is not None:
            own = ops_of(self.theta)
            if ops is not own:
                raise ShapeError(f"{self}: input of {ops.name} given, {own.name} wanted")
            if x.dtype != self.theta.dtype:
                raise ShapeError(
                    f"{self}: input of dtype {x.dtype} given, {self.theta.dtype} wanted"
                )
            return
        if str(x.dtype) not in ("float32", "float64"):
            raise ShapeError(f"{self}: input of dtype {x.dtype} given, float32 or float64 wanted")
        if any(p.value is None for p in self.params().values()):
            raise RuntimeError(f"{self} is not initialised: call .initialize(seed) first")

    def __repr__(self):
        return f"{type(self).__name__}()"


class LinearMap(Layer):
    """y = A x + b, where A depends on the weights w: three formulas make the whole layer.

        apply(x)            A x
        adjoint(dy)         A^T dy
        weight_grad(x, dy)  d<A x, dy>/dw

    They are tied by <apply(x), dy> = <x, adjoint(dy)> = <w, weight_grad(x, dy)>, which holds to
    the last digits: the first thing to check. The Params must have the names w and b; a layer
    without weights, or without a bias, leaves them None.
    """

    w = b = None

    def apply(self, x):
        """A x, without the bias."""
        raise NotImplementedError(f"{self} has no apply")

    def adjoint(self, dy, in_shape=None):
        """A^T dy; ``in_shape`` is the shape of x, for the maps where dy does not tell it."""
        raise NotImplementedError(f"{self} has no adjoint")

    def weight_grad(self, x, dy):
        """d<A x, dy>/dw, the shape of w."""
        raise NotImplementedError(f"{self} has no weight_grad")

    def forward(self, x, train=True):
        """y = A x + b."""
        y = self.apply(x)
        if self.b is not None:
            ops_of(y).add_bias_(y, self.b.value)
        return y, x

    def backward(self, dy, cache, into_params=True):
        """dx = A^T dy,  dw += weight_grad(x, dy),  db += sum of dy over all axes but the last."""
        if into_params and self.w is not None:
            self.w.grad += self.weight_grad(cache, dy)
        if into_params and self.b is not None:
            ops_of(dy).add_rows_(self.b.grad, dy.reshape(-1, dy.shape[-1]))
        return None if into_params == "only" else self.adjoint(dy, cache.shape)

    def double_backward(self, t, dy, cache):
        """B = <A t, dy>: J is A wherever x is, and dB/dw is weight_grad(t, dy)."""
        if self.w is not None:
            self.w.grad += self.weight_grad(t, dy)
        return self.apply(t), None


class Elementwise(Layer):
    """y = f(x), entry by entry, for an f whose slope is known from its value.

    Every monotone activation is of this kind, and then the cache is y alone: x can be freed. For
    one that is not (Swish, say), write a `Layer` that keeps x in its cache.
    """

    def f(self, x):
        """The function."""
        raise NotImplementedError(f"{self} has no f")

    def df(self, y):
        """f'(x) at the x where f(x) = y."""
        raise NotImplementedError(f"{self} has no df")

    def d2f(self, y):
        """f''(x) at the x where f(x) = y; None where f is made of straight lines."""
        raise NotImplementedError(f"{self} has no d2f")

    def forward(self, x, train=True):
        """y = f(x)."""
        y = self.f(x)
        return y, y

    def backward(self, dy, cache, into_params=True):
        """dx = f'(x) dy."""
        return self.df(cache) * dy

    def double_backward(self, t, dy, cache):
        """B = sum of f'(x) t dy:  J t = f'(x) t,  dB/dx = f''(x) t dy."""
        d2f = self.d2f(cache)
        return self.df(cache) * t, None if d2f is None else d2f * t * dy
