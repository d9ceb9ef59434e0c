"""What a layer is. Start here; then read ``dense.py``, and the other layers will hold no surprise.

A layer is a function y = f(x; θ). It answers three questions:

    y, cache = layer.forward(x)             what is y?
    dx = layer.backward(dy, cache)          dS/dy is dy; what are dS/dx and dS/dθ?
    Jt, dB_dx = layer.double_backward(t, dy, cache)     how does B = <J t, dy> change with x and θ?

where S is any scalar computed from y further on (a loss), J = dy/dx is the layer's Jacobian, and
d<name> always stands for dS/d<name>, with the shape of <name>. (The third question is asked by
gradient penalties only; skip it on a first reading.) Three rules hold everywhere:

1. What backward needs travels in ``cache``, never on ``self``: two batches can be in flight at
   once, as D(real) and D(fake) are in a GAN.
2. Backward *adds* to ``Param.grad``, so that gradients from several batches accumulate.
   It writes nowhere else: not into weights, not into dy or x.
3. Input and parameters have one dtype, and so has everything that comes out: a network that was
   initialised in float64 computes in float64 throughout.

Most layers need none of the three methods: a linear one states three formulas (`LinearMap`), an
activation its slope (`Elementwise`), and both get forward, backward and second order from here.
"""

import math

import numpy as np

from ..backend import get_backend, ops_of
from .init import zeros

__all__ = ["Elementwise", "Layer", "LinearMap", "Param", "ShapeError"]


class ShapeError(ValueError):
    """An array of the wrong shape or kind; the message names the layer, the given, the wanted."""


class Param:
    """A learned array ``value`` and the gradient ``grad`` of the loss with respect to it.

    Both are views into the network's flat vectors once it is initialised: write into them
    (``p.grad += g``, ``p.value[...] = v``), and do not bind another array to the name.

    Parameters
    ----------
    value : array, optional
        The initial value; without it, ``init`` draws one when the network is initialised.
    grad : array, optional
        Zeros unless given.
    shape : tuple of int
        Needed where ``value`` is not given.
    init : callable, (rng, shape) -> array
        Draws the initial value; see ``layers/init.py``.
    """

    def __init__(self, value=None, grad=None, *, shape=None, init=zeros):
        if value is None and shape is None:
            raise ValueError("Param() given neither value nor shape: one of them is wanted")
        self.value = value = value if value is None else np.asarray(value)
        self.grad = np.zeros_like(value) if grad is None and value is not None else grad
        self.shape = tuple(shape) if value is None else value.shape
        self.init = init if value is None else lambda rng, shape: np.array(value)

    @property
    def size(self):
        """Number of entries."""
        return math.prod(self.shape)

    def _bind(self, theta, grad):
        """Become views of the flat vectors theta and grad, each of length ``size``."""
        self.value, self.grad = theta.reshape(self.shape), grad.reshape(self.shape)

    def __repr__(self):
        return f"Param{self.shape}"


class Layer:
    """A function with parameters, made of the Params and Layers among its attributes.

    A layer that draws random numbers keeps a np.random.Generator as an attribute, too: checkpoints
    save its state.
    """

    statistics = ()  # names of the attributes that are kept in a checkpoint but not learned
    theta = grad = None  # all parameters and all gradients, flat; see `initialize`

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
        into_params : bool
            False leaves the gradients alone: D's pass inside the generator step.

        Returns
        -------
        dx : array, the shape of x
        """
        raise NotImplementedError(f"{self} has no backward")

    def backward_params(self, dy, cache):
        """`backward` where nobody needs dx: a first layer has no one to hand it down to."""
        self.backward(dy, cache)

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

    # ---- the tree of parts -------------------------------------------------------------------

    def parts(self):
        """The Params and Layers this layer is made of, by attribute name, in order."""
        found = {}

        def look(name, value):
            if isinstance(value, (Param, Layer)):
                found[name] = value
            elif isinstance(value, (list, tuple, dict)):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                for key, item in items:
                    look(f"{name}.{key}", item)

        for name, value in vars(self).items():
            look(name, value)
        return found

    def sublayers(self):
        """Every layer of the tree by its key; the layer itself has the key ``""``."""
        found = {"": self}
        for name, part in self.parts().items():
            if isinstance(part, Layer):
                found |= {f"{name}.{k}".rstrip("."): v for k, v in part.sublayers().items()}
        return found

    def generators(self):
        """Every np.random.Generator of the tree by its key."""
        return {
            f"{path}.{name}".lstrip("."): value
            for path, layer in self.sublayers().items()
            for name, value in vars(layer).items()
            if isinstance(value, np.random.Generator)
        }

    def params(self):
        """Every `Param` of the tree by its key, such as ``"0.w"``, in the order of ``theta``."""
        found = {}
        for name, part in self.parts().items():
            if isinstance(part, Layer):
                found |= {f"{name}.{key}": p for key, p in part.params().items()}
            else:
                found[name] = part
        return found

    @property
    def size(self):
        """Number of learned numbers."""
        return sum(p.size for p in self.params().values())

    # ---- one flat vector ---------------------------------------------------------------------

    def initialize(self, seed=0, backend="numpy", dtype="float32"):
        """Draw all parameters, and lay them out in one flat vector ``theta``.

        Every ``Param.value`` becomes a view of ``theta`` and every ``Param.grad`` a view of
        ``grad``, so that an optimiser, a checkpoint or a NaN check is one operation on one array.

        Parameters
        ----------
        seed : int or np.random.Generator
        backend : {"auto", "numpy", "cupy"}
        dtype : {"float32", "float64"}

        Returns
        -------
        self
        """
        if str(np.dtype(dtype)) not in ("float32", "float64"):
            raise ValueError(f"dtype {dtype!r} given, float32 or float64 wanted")
        rng, ops = np.random.default_rng(seed), get_backend(backend)
        params = list(self.params().values())
        if len({id(p) for p in params}) < len(params):
            raise ValueError(f"{self}: a layer stands in it twice; make one object for each place")
        values = [np.zeros(0), *(np.ravel(p.init(rng, p.shape)) for p in params)]
        theta = ops.asarray(np.concatenate(values), dtype)
        self._bind(theta, ops.xp.zeros_like(theta))
        for layer in self.sublayers().values():
            layer.reset(rng, ops, dtype)
        return self

    def reset(self, rng, ops, dtype):
        """Hook of `initialize`, for each layer: start statistics, seed randomness of its own."""

    def after_update(self):
        """Hook of the optimisers, after each step: bring up to date what depends on the weights."""

    def _bind(self, theta, grad):
        self.theta, self.grad = theta, grad
        start = 0
        for part in self.parts().values():
            flat = slice(start, start + part.size)
            part._bind(theta[flat], grad[flat])
            start = flat.stop

    def __setstate__(self, state):
        """Of a deep copy: its parameters are views of its own theta."""
        vars(self).update(state)
        if self.theta is not None:
            self._bind(self.theta, self.grad)

    def zero_grad(self):
        """Set all gradients to zero."""
        if self.theta is None:
            self.initialized()
        self.grad.fill(0)

    def state_dict(self):
        """Parameters and running statistics: key -> NumPy array, each its own copy."""
        arrays = self.initialized()._state()
        return {key: np.array(ops_of(a).to_host(a)) for key, a in arrays.items()}

    def load_state_dict(self, state):
        """Copy the arrays of a `state_dict` into this network: all of them, or none.

        Raises
        ------
        ValueError
            Keys are missing or unknown, or a shape differs; nothing has been changed then.
        """
        own = self.initialized()._state()
        problems = [f"{key}: missing" for key in own if key not in state]
        problems += [f"{key}: not a part of this network" for key in state if key not in own]
        problems += [
            f"{key}: shape {np.shape(state[key])} given, {own[key].shape} wanted"
            for key in own
            if key in state and np.shape(state[key]) != own[key].shape
        ]
        if problems:
            raise ValueError(f"{self}: cannot load this state: {'; '.join(problems)}")
        for key, array in own.items():
            array[...] = ops_of(array).asarray(state[key], array.dtype)

    def _state(self):
        state = {key: p.value for key, p in self.params().items()}
        for path, layer in self.sublayers().items():
            for name in layer.statistics:
                state[f"{path}.{name}".lstrip(".")] = getattr(layer, name)
        return state

    def initialized(self):
        """Itself; an error, unless all parameters are views of ``theta``."""
        if self.theta is None:
            raise RuntimeError(f"{self} is not initialised: call .initialize(seed) first")
        shares = ops_of(self.theta).xp.may_share_memory
        for key, p in self.params().items():
            if p.size and not shares(p.value, self.theta):
                raise RuntimeError(f"{self}: {key} is no view of theta; initialise this last")
        return self

    # ---- errors ------------------------------------------------------------------------------

    def expect(self, x, *wanted):
        """Refuse x unless it is a float array of this shape; a letter stands for any length."""
        ops_of(x)  # refuses what is not an array
        fits = x.ndim == len(wanted) and all(
            isinstance(w, str) or w == n for w, n in zip(wanted, x.shape, strict=True)
        )
        if not fits:
            shape = ", ".join(map(str, wanted))
            raise ShapeError(f"{self}: input of shape {x.shape} given, ({shape}) wanted")
        if self.theta is not None:
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
        """dx = A^T dy,  dw += weight_grad(x, dy),  db += sum of dy."""
        if into_params:
            self.backward_params(dy, cache)
        return self.adjoint(dy, cache.shape)

    def backward_params(self, dy, cache):
        """dw += weight_grad(x, dy),  db += sum of dy over all axes but the last."""
        if self.w is not None:
            self.w.grad += self.weight_grad(cache, dy)
        if self.b is not None:
            ops_of(dy).add_rows_(self.b.grad, dy.reshape(-1, dy.shape[-1]))

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
