"""Data sets: images as uint8 arrays, batches of them, and points in the plane."""

from .arrays import as_dataset, load_images
from .base import DataError, Dataset
from .batches import Batches, to_uint8, to_unit
from .curves import swiss_roll, two_moons
from .folder import load_folder
from .idx import read_idx, write_idx
from .meaning import as_images, as_labels
from .mnist import cache_dir, mnist
from .stacked import stacked
from .toys import grid, grid_modes, ring, ring_modes

__all__ = [
    "Batches", "DataError", "Dataset", "as_dataset", "as_images", "as_labels", "cache_dir",
    "grid", "grid_modes", "load_folder", "load_images", "mnist", "read_idx", "ring", "ring_modes",
    "stacked", "swiss_roll", "to_uint8", "to_unit", "two_moons", "write_idx",
]  # fmt: skip
