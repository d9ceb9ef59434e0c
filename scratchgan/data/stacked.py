"""Stacked MNIST: colour images of three digits each, which have a thousand countable modes."""

import numpy as np

from .base import Dataset
from .toys import check_count


def stacked(images: np.ndarray, labels: np.ndarray, n: int, rng: np.random.Generator) -> Dataset:
    """Put three random digits into the red, green and blue of every image.

    Each digit is drawn uniformly from all images, independently of the others. Metz et al., 2017
    (unrolled GANs), and Srivastava et al., 2017 (VEEGAN), count modes on such images.

    Parameters
    ----------
    images : ndarray of uint8, shape (M, H, W, 1)
        MNIST's, from `mnist`.
    labels : ndarray of integers, shape (M,)
        Their digits, 0 to 9.
    n : int
        How many images to make.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        Images (n, H, W, 3) of uint8 and labels (n,) of uint16, named "stacked". A label is the
        number of three digits: 100 d_R + 10 d_G + d_B.

    Raises
    ------
    ValueError
        If `images` or `labels` are not as above, or `n` is below 1.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 1 or images.size == 0:
        got = f"{images.dtype} of shape {images.shape}"
        raise ValueError(f"images: expected uint8 (M, H, W, 1), got {got}")
    M, H, W, _ = images.shape
    if labels.dtype.kind not in "ui" or labels.shape != (M,):
        got = f"{labels.dtype} of shape {labels.shape}"
        raise ValueError(f"labels: expected {M} integers, got {got}")
    if not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"labels: expected digits 0 to 9, got {labels.min()} to {labels.max()}")
    check_count("n", n)
    picks = rng.integers(M, size=(n, 3))
    # One channel at a time: a gather of all three would hold everything twice.
    rgb = np.empty((n, H, W, 3), np.uint8)
    for c in range(3):
        rgb[..., c] = images[picks[:, c], :, :, 0]
    d = labels[picks].astype(np.uint16)  # (n, 3)
    return Dataset(rgb, d @ np.array([100, 10, 1], np.uint16), "stacked")
