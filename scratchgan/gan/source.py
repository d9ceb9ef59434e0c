"""What a training step takes from outside: the next images, their labels, and noise.

Everything is drawn on the host, from one seeded generator, so that a run on a GPU follows the run
on a CPU. Images lie where the networks compute, as bytes, if there is room for them; then only
their indices are copied in a step. Of others, and of an image folder, each batch is copied, as
bytes, too: the conversion to [-1, 1] is a matter of the device.
"""

import numpy as np

from ..data import Batches, to_unit

__all__ = ["DataSource", "draw_noise"]


class DataSource:
    """The supply of a trainer.

    Parameters
    ----------
    images : uint8 array (M, H, W, C), or an ImageFolder, or floats (M, ...) to be used as they are
    labels : integer array (M,), optional
    batch_size : int
    rng : np.random.Generator
        Draws all noise and the order of the images, on the host.
    noise : {"normal", "uniform"}
        N(0, 1) or U(-1, 1).
    z_dim : int
    ops : module
        The backend of the networks.
    dtype : dtype
        That of the networks.
    """

    def __init__(self, images, labels, batch_size, rng, *, noise, z_dim, ops, dtype):
        self.images, self.rng, self.ops, self.dtype = images, rng, ops, dtype
        self.batches = Batches(images, batch_size, rng)
        self.noise_kind, self.noise_shape = noise, (batch_size, z_dim)
        fits = isinstance(images, np.ndarray) and images.nbytes <= ops.free_memory()
        self.kept = ops.upload(images) if fits else None
        self.labels = None if labels is None else ops.asarray(labels)
        self.chosen = None  # indices of the newest batch

    def batch(self):
        """The next real images, (N, H, W, C) in [-1, 1], and their labels (N,) or None."""
        ops, N = self.ops, self.batches.batch_size
        indices = ops.host_array(self.choose, (N,), np.int64)
        if self.kept is not None:
            x = self.kept[indices]
        else:
            x = ops.host_array(self.gather, (N, *self.images.shape[1:]), self.images.dtype)
        if x.dtype == np.uint8:
            x = to_unit(x)
        labels = None if self.labels is None else self.labels[indices]
        return ops.asarray(x, self.dtype), labels

    def noise(self):
        """A batch of z, (N, z_dim)."""
        return self.ops.host_array(
            lambda: draw_noise(self.rng, *self.noise_shape, self.noise_kind),
            self.noise_shape,
            self.dtype,
        )

    def choose(self):
        """Which images are next."""
        self.chosen = self.batches.next()
        return self.chosen

    def gather(self):
        """The images that were chosen, on the host."""
        return self.images[self.chosen]


def draw_noise(rng, n, z_dim, kind="normal"):
    """Noise (n, z_dim) in float32: N(0, 1) for "normal", U(-1, 1) for "uniform"."""
    if kind == "normal":
        return rng.standard_normal((n, z_dim), np.float32)
    if kind == "uniform":
        return 2 * rng.random((n, z_dim), np.float32) - 1
    raise ValueError(f"noise {kind!r} given, 'normal' or 'uniform' wanted")
