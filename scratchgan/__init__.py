"""GANs from scratch: layers with hand-written backpropagation on NumPy and CuPy, all checked.

To learn backpropagation, read in this order:

1. ``docs/follow_one_number.md``: one pixel and one weight through a whole training step
2. ``layers/base.py``: what a layer is; then ``dense.py``, ``activation.py`` and ``params.py``
3. ``backend/reference.py``: every array operation in plain NumPy
4. ``losses/``, then ``optim.py``
5. ``gan/trainer.py``: the step of D and the step of G
6. ``gradcheck/finite.py``: how we know that it is right
7. the other layers, ``layers/norm.py`` and ``layers/conv.py`` first

To train: `train` on images of your own, `Model` for networks of your own, `load` a run again.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .backend import BackendError, get_backend
from .layers import *  # noqa: F403
from .layers import __all__ as _layers

if TYPE_CHECKING:
    from . import data, gan, gradcheck, losses, metrics, optim, penalties, plots, runs
    from .gan import Model
    from .runs import Run, load
    from .runs.front import train

__version__ = "0.1.0"

__all__ = [
    *_layers, "BackendError", "Model", "Run", "data", "gan", "get_backend", "gradcheck", "load",
    "losses", "metrics", "optim", "penalties", "plots", "runs", "train",
]  # fmt: skip

# Imported when first used: matplotlib, Pillow and others take half a second.
_PARTS = ("data", "gan", "gradcheck", "losses", "metrics", "optim", "penalties", "plots", "runs")
_NAMES = {"Model": "gan", "Run": "runs", "load": "runs", "train": "runs.front"}


def __getattr__(name: str) -> Any:
    """Import a part of the package, or a name from one, when it is first used."""
    if name in _NAMES:
        found = getattr(import_module(f".{_NAMES[name]}", __name__), name)
    elif name in _PARTS:
        found = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name[:2] == "__")})
