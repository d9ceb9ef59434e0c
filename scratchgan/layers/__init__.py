"""Layers with hand-written backprop. Read ``base.py`` first, then ``dense.py``."""

from . import init
from .activation import LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from .base import Elementwise, Layer, LinearMap, Param, ShapeError
from .compose import Residual, Sequential
from .conditional import ConcatLabels, Projection
from .conv import Conv2D, ConvTranspose2D
from .dense import Dense
from .embedding import Embedding
from .norm import BatchNorm, LayerNorm
from .shape import Dropout, Flatten, Reshape, UpSample2D

__all__ = [
    "BatchNorm", "ConcatLabels", "Conv2D", "ConvTranspose2D", "Dense", "Dropout", "Elementwise",
    "Embedding", "Flatten", "Layer", "LayerNorm", "LeakyReLU", "LinearMap", "Param", "Projection",
    "ReLU", "Reshape", "Residual", "Sequential", "ShapeError", "Sigmoid", "Softplus", "Tanh",
    "UpSample2D", "init",
]  # fmt: skip
