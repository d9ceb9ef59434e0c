"""GANs from scratch: layers with hand-written backprop, on NumPy and CuPy, every gradient proved.

Reading order for a learner: ``layers/base.py``, ``layers/dense.py``, ``losses.py``, ``optim.py``,
``gan/trainer.py``; then the other layers, and ``gradcheck`` for how one knows that it is right.
"""

from . import data, gan, gradcheck, losses, metrics, optim, penalties, plots
from .backend import BackendError, get_backend
from .layers import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Elementwise,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    LinearMap,
    Param,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    ShapeError,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2D,
    init,
)

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "BatchNorm",
    "Conv2D",
    "ConvTranspose2D",
    "Dense",
    "Dropout",
    "Elementwise",
    "Flatten",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LinearMap",
    "Param",
    "ReLU",
    "Reshape",
    "Residual",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "UpSample2D",
    "data",
    "gan",
    "get_backend",
    "gradcheck",
    "init",
    "losses",
    "metrics",
    "optim",
    "penalties",
    "plots",
]
