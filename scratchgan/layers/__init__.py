"""Layers with hand-written backprop. Read ``base.py`` first, then ``dense.py``."""

from . import init
from .activation import LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from .augment import Augment
from .base import Elementwise, Layer, LinearMap, Param, ShapeError
from .batchwise import MinibatchStd, Pack
from .compose import Residual, Sequential
from .conditional import ConcatLabels, Projection
from .conv import Conv2D, ConvTranspose2D
from .dense import Dense
from .embedding import Embedding
from .noise import GaussianNoise
from .norm import BatchNorm, LayerNorm
from .shape import Dropout, Flatten, Reshape, UpSample2D
from .spectral import SpectralNorm

__all__ = [
    "Augment", "BatchNorm", "ConcatLabels", "Conv2D", "ConvTranspose2D", "Dense", "Dropout",
    "Elementwise", "Embedding", "Flatten", "GaussianNoise", "Layer", "LayerNorm", "LeakyReLU",
    "LinearMap", "MinibatchStd", "Pack", "Param", "Projection", "ReLU", "Reshape", "Residual",
    "Sequential", "ShapeError", "Sigmoid", "Softplus", "SpectralNorm", "Tanh", "UpSample2D",
    "init",
]  # fmt: skip
