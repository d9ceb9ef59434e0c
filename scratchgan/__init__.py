"""GANs from scratch: layers with hand-written backpropagation on NumPy and CuPy, all checked.

To learn backpropagation, read in this order:

1. ``docs/follow_one_number.md``: one pixel and one weight through a whole training step
2. ``layers/base.py``: what a layer is; then ``dense.py``, ``activation.py`` and ``params.py``
3. ``backend/reference.py``: every array operation in plain NumPy
4. ``losses/``, then ``optim.py``
5. ``gan/trainer.py``: the step of D and the step of G
6. ``gradcheck/finite.py``: how we know that it is right
7. the other layers, ``layers/norm.py`` and ``layers/conv.py`` first
"""

from . import data, gan, gradcheck, losses, metrics, optim, penalties, plots, runs
from .backend import BackendError, get_backend
from .layers import *  # noqa: F403
from .layers import __all__ as _layers

__version__ = "0.1.0"

__all__ = [
    *_layers, "BackendError", "data", "gan", "get_backend", "gradcheck", "losses", "metrics",
    "optim", "penalties", "plots", "runs",
]  # fmt: skip
