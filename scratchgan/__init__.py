"""GANs from scratch: layers with hand-written backprop, on NumPy and CuPy, every gradient proved.

Reading order for a learner: ``layers/base.py``, ``dense.py``, ``activation.py`` and ``params.py``,
``losses/``, ``optim.py``, ``gan/trainer.py``; then ``gradcheck``, for how one knows that it is
right, and the other layers.
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
