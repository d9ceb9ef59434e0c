"""Parameters, and the flat vector in which a network stores all of them.

A `Layer` (``base.py``) is a `Module`. It finds its parameters (`Param`) and its sublayers among its
attributes, and names each by its place: ``"0.w"`` is w of the first layer. `initialize` puts
the values of all parameters into one vector ``theta``, and their gradients into another, ``grad``.
"""

import math
from typing import Any, Self

import numpy as np

from ..backend import Array, get_backend, ops_of
from .init import Initialiser, Shape, zeros

FLOATS = ("float32", "float64")


class Param:
    """A learned array ``value``, and the gradient ``grad`` of the loss with respect to it.

    Once the network is initialised, both are views into its flat vectors. Write into them
    (``p.grad += g``, ``p.value[...] = v``); do not bind another array to the name.

    Parameters
    ----------
    value : array, optional
        The initial value. Without it, ``init`` draws one when the network is initialised.
    grad : array, optional
        Zeros unless given.
    shape : tuple of int
        Needed where ``value`` is not given.
    init : callable, (rng, shape) -> array
        Draws the initial value; see ``layers/init.py``.
    """

    def __init__(
        self, value: Array = None, grad: Array = None, *,
        shape: Shape | None = None, init: Initialiser = zeros,
    ):  # fmt: skip
        if value is None and shape is None:
            raise ValueError("Param: expected a value or a shape, got neither")
        self.value: Array = value if value is None else np.asarray(value)
        self.grad = np.zeros_like(self.value) if grad is None and value is not None else grad
        self.shape: Shape = tuple(shape or ()) if value is None else np.shape(value)
        self.init = init if value is None else lambda rng, shape: np.array(value)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def _bind(self, theta, grad):
        """Make value and grad views of the first entries of theta and grad; return their number."""
        self.value, self.grad = (a[: self.size].reshape(self.shape) for a in (theta, grad))
        return self.size

    def __repr__(self):
        return f"Param{self.shape}"


class Module:
    """Base class of layers: a tree of modules, with parameters at its leaves.

    A module that draws random numbers keeps its np.random.Generator as an attribute, too:
    checkpoints save the state of each.

    Attributes
    ----------
    theta, grad : arrays (size,), or None before `initialize`
        All parameters and all gradients.
    buffers : tuple of str
        Names of the attributes that are saved in a checkpoint but not learned, such as the running
        mean of BatchNorm.
    """

    buffers: tuple[str, ...] = ()
    theta: Array = None
    grad: Array = None

    _tree: Any = None  # a list of what `_walk` yields, kept by `initialize` for all that follows

    def parts(self) -> dict[str, Any]:
        """Return the Params and Modules of this module itself, by attribute name, in order."""
        return dict(_named((vars(self) | {"_tree": None}).items()))

    def sublayers(self) -> dict[str, "Module"]:
        """Return every module of the tree by its key; this one has the key ``""``."""
        parts = self._walk() if self._tree is None else self._tree
        return {"": self} | {key: part for key, part in parts if isinstance(part, Module)}

    def params(self) -> dict[str, Param]:
        """Return every `Param` of the tree by its key, such as ``"0.w"``, in theta's order."""
        parts = self._walk() if self._tree is None else self._tree
        return {key: part for key, part in parts if isinstance(part, Param)}

    def _walk(self, prefix=""):
        """Yield the key and the object of every Param and Module below this one, in order."""
        for name, part in self.parts().items():
            yield f"{prefix}{name}", part
            if isinstance(part, Module):
                yield from part._walk(f"{prefix}{name}.")

    def rngs(self) -> dict[str, np.random.Generator]:
        """Return every np.random.Generator of the tree by its key."""
        return {
            f"{path}.{name}".lstrip("."): value
            for path, layer in self.sublayers().items()
            for name, value in vars(layer).items()
            if isinstance(value, np.random.Generator)
        }

    @property
    def size(self) -> int:
        """Number of entries of all parameters together."""
        return self.theta.size if self._tree else sum(p.size for p in self.params().values())

    # ---- one flat vector ---------------------------------------------------------------------

    def initialize(self, seed: Any = 0, backend: Any = None, dtype: Any = "float32") -> Self:
        """Draw all parameters, and store them in one flat vector ``theta``.

        Every ``Param.value`` becomes a view of ``theta``, and every ``Param.grad`` a view of
        ``grad``. So an optimiser, a checkpoint or a NaN check is one operation on one array.

        Parameters
        ----------
        seed : int or np.random.Generator
        backend : str or module, optional
            A name that `get_backend` knows, or what it returns. Default: the one that computes on
            NumPy arrays now, "numpy" unless "reference" was chosen.
        dtype : {"float32", "float64"}

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Another dtype, or one object stands in two places of the network.
        """
        if str(np.dtype(dtype)) not in FLOATS:
            raise ValueError(f"initialize: expected dtype float32 or float64, got {dtype!r}")
        ops = ops_of(np.zeros(0)) if backend is None else get_backend(backend)
        rng = np.random.default_rng(seed)
        params = [part for _, part in self._walk() if isinstance(part, Param)]
        if len({id(p) for p in params}) < len(params):
            raise ValueError(f"{self}: one layer is used twice; make an object for each place")
        values = [np.zeros(0), *(np.ravel(p.init(rng, p.shape)) for p in params)]
        theta = ops.asarray(np.concatenate(values), dtype)
        self._bind(theta, ops.xp.zeros_like(theta))
        for layer in self.sublayers().values():
            layer.reset(rng, ops, dtype)
        return self

    def reset(self, rng, ops, dtype):
        """Set up buffers and random generators; `initialize` calls this for each layer."""

    def after_update(self):
        """Update what depends on the weights; optimisers call this for each layer, each step."""

    def _bind(self, theta, grad):
        """Make all parameters views of the first entries of theta and grad; return their number."""
        size = 0
        for part in self.parts().values():
            size += part._bind(theta[size:], grad[size:])
        self.theta, self.grad, self._tree = theta[:size], grad[:size], list(self._walk())
        return size

    def __setstate__(self, state):
        """Restore a copied or unpickled module: its parameters are views of its own theta."""
        vars(self).update(state)
        if self.theta is not None:
            self._bind(self.theta, self.grad)

    def initialized(self) -> Self:
        """Return the module itself; raise RuntimeError unless theta holds all its parameters."""
        if self.theta is None:
            raise RuntimeError(f"{self} is not initialised: call .initialize(seed) first")
        shares = ops_of(self.theta).xp.may_share_memory
        self._tree = list(self._walk())  # again, because a sublayer may have been replaced
        for key, p in self.params().items():
            if p.size and (p.value is None or not shares(p.value, self.theta)):
                why = f"{key} is not in theta: a sublayer was initialised afterwards"
                cure = "call initialize() once, on the outermost network"
                raise RuntimeError(f"{self}: {why}; {cure}")
        return self

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        if self.theta is None:
            self.initialized()  # raises, and says what to do
        self.grad.fill(0)

    # ---- state -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers, by key, as NumPy arrays."""
        arrays = self.initialized()._state()
        return {key: np.array(ops_of(a).to_host(a)) for key, a in arrays.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy the arrays of a `state_dict` into this network: all of them, or none.

        Raises
        ------
        ValueError
            Keys are missing or unknown, or a shape differs. Then nothing has changed.
        """
        own = self.initialized()._state()
        problems = [f"{key}: missing" for key in own if key not in state]
        problems += [f"{key}: not a part of this network" for key in state if key not in own]
        shapes = [(key, own[key].shape, np.shape(state[key])) for key in own if key in state]
        problems += [f"{key}: expected shape {a}, got {b}" for key, a, b in shapes if a != b]
        if problems:
            raise ValueError(f"{self}: cannot load this state: {'; '.join(problems)}")
        for key, array in own.items():
            array[...] = ops_of(array).asarray(state[key], array.dtype)

    def _state(self):
        """Return the arrays that `state_dict` copies, by key."""
        state = {key: p.value for key, p in self.params().items()}
        for path, layer in self.sublayers().items():
            for name in layer.buffers:
                state[f"{path}.{name}".lstrip(".")] = getattr(layer, name)
        return state


def _named(items, prefix=""):
    """Yield the key and the object of each Param and Module, also in lists, tuples and dicts."""
    for key, value in items:
        if isinstance(value, (Param, Module)):
            yield f"{prefix}{key}", value
        elif isinstance(value, (list, tuple, dict)):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            yield from _named(inner, f"{prefix}{key}.")
