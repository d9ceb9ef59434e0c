"""The tree of a network's parts, and the flat vector in which all its parameters lie.

A `Layer` (``base.py``) is a `Module`: it finds its `Param` and its sublayers among its attributes,
names them by where they stand (``"0.w"`` is w of the first layer), lays their values out in one
vector ``theta`` and their gradients in another, ``grad``, and copies them out and in.
"""

import math

import numpy as np

from ..backend import get_backend, ops_of
from .init import zeros

__all__ = ["Module", "Param"]


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


class Walk:
    """What there is in the tree below a module, by key; see `Module.sublayers` and `params`."""

    def __init__(self, module):
        self.sublayers, self.params = {"": module}, {}
        for name, part in module.parts().items():
            if isinstance(part, Module):
                below = part.walk()
                self.sublayers |= {f"{name}.{k}".rstrip("."): v for k, v in below.sublayers.items()}
                self.params |= {f"{name}.{key}": p for key, p in below.params.items()}
            else:
                self.params[name] = part
        self.size = sum(p.size for p in self.params.values())


class Module:
    """What is made of the Params and Modules among its attributes.

    One that draws random numbers keeps a np.random.Generator as an attribute, too: checkpoints
    save its state.

    Attributes
    ----------
    theta, grad : arrays (size,), or None before `initialize`
        All parameters and all gradients.
    statistics : tuple of str
        Names of the attributes that are kept in a checkpoint but not learned.
    """

    buffers = ()
    theta = grad = None

    _walked = None  # what `initialize` has found in the tree

    def parts(self):
        """Its own Params and Modules, by attribute name, in order."""
        found = {}

        def look(name, value):
            if isinstance(value, (Param, Module)):
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
        return self.walk().sublayers

    def rngs(self):
        """Every np.random.Generator of the tree by its key."""
        return {
            f"{path}.{name}".lstrip("."): value
            for path, layer in self.sublayers().items()
            for name, value in vars(layer).items()
            if isinstance(value, np.random.Generator)
        }

    def params(self):
        """Every `Param` of the tree by its key, such as ``"0.w"``, in the order of ``theta``."""
        return self.walk().params

    def walk(self):
        """All layers and params of the tree: looked for once, when the network is initialised."""
        return self._walked or Walk(self)

    @property
    def size(self):
        """Number of learned numbers."""
        return self.walk().size

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
        self._walked = None
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
        self.theta, self.grad, self._walked = theta, grad, None
        start = 0
        for part in self.parts().values():
            flat = slice(start, start + part.size)
            part._bind(theta[flat], grad[flat])
            start = flat.stop
        self._walked = Walk(self)

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
            for name in layer.buffers:
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
