"""Images to learn from, as uint8 arrays: MNIST, NumPy files, and batches of either."""

from .arrays import load_images
from .base import DataError, Dataset
from .batches import Batches, to_uint8, to_unit
from .folder import ImageFolder
from .idx import read_idx, write_idx
from .mnist import cache_dir, mnist

__all__ = [
    "Batches", "DataError", "Dataset", "ImageFolder", "cache_dir", "load_images", "mnist",
    "read_idx", "to_uint8", "to_unit", "write_idx",
]  # fmt: skip
