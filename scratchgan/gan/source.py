"""The data source of a trainer: the next images, their labels, and noise.

Everything random is drawn on the host, from one seeded generator, so that a run on a GPU makes the
same draws as a run on a CPU. The images are kept as bytes where the networks compute, if they fit
into its memory; a step then copies only the indices of a batch. Otherwise a step copies the batch,
as bytes, too: the device converts them to [-1, 1].
"""

from types import ModuleType
from typing import Any

import numpy as np

from ..backend import Array, get_backend, ops_of
from ..data import Batches, to_unit


class DataSource:
    """Images, labels and noise for a trainer.

    Parameters
    ----------
    images : uint8 array (M, H, W, C), or floats (M, ...) that are used as they are
        On the host; a np.memmap, too.
    rng : np.random.Generator
        Draws all noise and the order of the images.
    batch_size : int
        Images in a batch, and samples of noise.
    z_dim : int
        Numbers in a sample of noise.
    noise : {"normal", "uniform"}
        N(0, 1) or U(-1, 1).
    labels : integer array (M,), optional
        The labels of the images.
    backend : str or module, optional
        The backend of the networks; see `get_backend`. Default: NumPy, as the images.
    dtype : str or dtype
        The dtype of the networks.
    """

    def __init__(
        self, images: np.ndarray, rng: np.random.Generator, *, batch_size: int, z_dim: int,
        noise: str = "normal", labels: np.ndarray | None = None,
        backend: str | ModuleType | None = None, dtype: Any = "float32",
    ) -> None:  # fmt: skip
        self.images, self.rng, self.noise_kind = images, rng, noise
        self.batch_size, self.z_dim, self.dtype = batch_size, z_dim, np.dtype(dtype)
        self.ops = ops = get_backend(backend or ops_of(images))
        self.batches = Batches(images, batch_size, rng)
        # All images on the device, or None if they do not fit there.
        self.kept = ops.upload(images) if images.nbytes <= ops.free_memory() else None
        self.labels = None if labels is None else ops.asarray(labels)

    def batch(self) -> tuple[Array, Array]:
        """Return the next real images, (N, H, W, C) in [-1, 1], and their labels (N,) or None."""
        ops, N = self.ops, self.batch_size
        indices = ops.host_array(self.choose, (N,), np.int64)
        if self.kept is not None:
            x = self.kept[indices]
        else:
            shape, dtype = (N, *self.images.shape[1:]), self.images.dtype
            x = ops.host_array(lambda: self.images[self.chosen], shape, dtype)
        if x.dtype == np.uint8:
            x = to_unit(x)
        return ops.asarray(x, self.dtype), None if self.labels is None else self.labels[indices]

    def noise(self) -> Array:
        """Return a batch of noise z, (N, z_dim)."""
        shape, kind = (self.batch_size, self.z_dim), self.noise_kind
        return self.ops.host_array(lambda: draw_noise(self.rng, *shape, kind), shape, self.dtype)

    def choose(self) -> np.ndarray:
        """Return the indices of the next batch, and remember them."""
        self.chosen = self.batches.next()
        return self.chosen


def draw_noise(rng: np.random.Generator, n: int, z_dim: int, kind: str = "normal") -> np.ndarray:
    """Draw float32 noise (n, z_dim): N(0, 1) if kind is "normal", U(-1, 1) if it is "uniform"."""
    if kind == "normal":
        return rng.standard_normal((n, z_dim), np.float32)
    if kind == "uniform":
        return 2 * rng.random((n, z_dim), np.float32) - 1
    raise ValueError(f"noise: expected 'normal' or 'uniform', got {kind!r}")
