"""Random changes of the images that a discriminator sees, real and generated ones alike.

A discriminator that has few images learns them by heart. Here it never sees an image twice in the
same form, and its gradient reaches the generator through the change: Zhao et al., "Differentiable
augmentation for data-efficient GAN training", 2020.

Letters: x (N, H, W, C) in [-1, 1]; m(.) a mean, which is broadcast again; b, s, c brightness,
saturation and contrast, (N, 1, 1, 1); (p, q) the shift of an image; k (N, H, W, 1) is 1 where a
pixel is kept, 0 where it comes from outside the image or is cut out.

    colour          x1 = x + b;  x2 = m + s (x1 - m), m = m(x1) over the channels of a pixel;
                    x3 = m + c (x2 - m), m = m(x2) over the image
    translation     x4[i, j] = x3[i - p, j - q]
    cutout          y = k x4 - (1 - k): what is not kept is black

Once the numbers are drawn, y = A x + a constant. So backward is dx = A^T dy, the steps in the other
order: dx4 = k dy, dx3[i, j] = dx4[i + p, j + q]; then d -> m(d) + c (d - m(d)), and the same with
s, for the maps of contrast and saturation are symmetric.
"""

import math

import numpy as np

from ..backend import ops_of
from .base import Layer, expect_floats

KINDS = ("colour", "translation", "cutout")
SHIFT, CUT = 1 / 8, 1 / 2  # shift at most, side of the square: shares of H and W


class Augment(Layer):
    """In training, change colour, shift, and cut a square, at random for each image; else y = x.

    Brightness changes by at most 0.5, saturation by a factor from 0 to 2, contrast by a factor from
    0.5 to 1.5; an image moves by at most 1/8 of its size; the square has half its side. These are
    the values of Zhao et al., 2020, section 3.3 and appendix; they fill with grey, not with black.

    Parameters
    ----------
    kinds : str
        Some of "colour", "translation" and "cutout", joined by "+".
    seed : int
        Seed of the changes, for a layer that is used by itself; `initialize` replaces it.

    Raises
    ------
    ValueError
        There is no such kind.
    """

    shown = ("kinds",)

    def __init__(self, kinds: str = "colour+translation+cutout", *, seed: int = 0):
        self.kinds, found = kinds, kinds.split("+")
        if not set(found) <= set(KINDS):
            raise ValueError(f"Augment: expected some of {', '.join(KINDS)} with +, got {kinds!r}")
        self.colour, self.translation, self.cutout = (kind in found for kind in KINDS)
        self.rng = np.random.default_rng(seed)

    def reset(self, rng, ops, dtype):
        """Give each layer of a network its own random numbers."""
        self.rng = rng.spawn(1)[0]

    def forward(self, x, train=True):
        """(N, H, W, C) -> the same shape; the cache is the numbers drawn, as A and A^T use them."""
        expect_floats(self, "input", x)
        self.expect(x, "N", "H", "W", "C")
        if not train:
            return x, None
        ops, rng, (N, H, W, _) = ops_of(x), self.rng, x.shape
        # Seven numbers in [0, 1) for each image, drawn on the host as in Dropout.
        u = ops.host_array(lambda: rng.random((N, 7), np.float32), (N, 7), x.dtype, rng)
        b, s, c = (u[:, n, None, None, None] for n in range(3))  # (N, 1, 1, 1)
        b, s, c = b - 0.5, 2 * s, c + 0.5
        (i, p), (j, q) = self.shift(ops.xp, H, u[:, 3]), self.shift(ops.xp, W, u[:, 4])
        keep = _pixels(_inside(i - p, H), _inside(j - q, W))  # (N, H, W, 1)
        if self.cutout:
            keep &= ~_pixels(_square(i, H, u[:, 5]), _square(j, W, u[:, 6]))
        cache = s, c, keep.astype(x.dtype), i, j, p, q
        return self.A(x + b if self.colour else x, cache) + (cache[2] - 1), cache

    def shift(self, xp, size, u):
        """Return the places along an axis (1, size), and how far each image moves there (N, 1)."""
        far = math.ceil(size * SHIFT) if self.translation else 0
        return xp.arange(size)[None], (u * (2 * far + 1)).astype(np.int64)[:, None] - far

    def A(self, x, cache):  # noqa: N802, the letter of the formulas
        """A x = k shift(contrast(saturation(x)))."""
        s, c, k, i, j, p, q = cache
        if self.colour:
            x = _about_mean(_about_mean(x, s, 3), c, (1, 2, 3))
        return k * (_take(x, i - p, j - q) if self.translation else x)

    def backward(self, dy, cache, into_params=True):
        """dx = A^T dy: for in forward it was y = A (x + b) + k - 1."""
        if cache is None:
            return dy
        s, c, k, i, j, p, q = cache
        dx = k * dy
        if self.translation:
            H, W = dy.shape[1:3]
            dx = _pixels(_inside(i + p, H), _inside(j + q, W)) * _take(dx, i + p, j + q)
        return _about_mean(_about_mean(dx, c, (1, 2, 3)), s, 3) if self.colour else dx

    def double_backward(self, t, dy, cache):
        """J t = A t."""
        return t if cache is None else self.A(t, cache), None


def _about_mean(x, factor, axis):
    """Return m + factor (x - m), with m the mean over ``axis``: a symmetric map."""
    m = x.mean(axis, keepdims=True)
    return m + factor * (x - m)


def _take(x, i, j):
    """Return x[n, i[n], j[n]] for all images n: (N, H, W, C); places outside count as the border.

    i (N, H) and j (N, W) are the rows and the columns to take.
    """
    xp, (N, H, W, C) = ops_of(x).xp, x.shape
    rows = xp.arange(N)[:, None] * H + xp.clip(i, 0, H - 1)  # (N, H)
    pixels = rows[:, :, None] * W + xp.clip(j, 0, W - 1)[:, None]  # (N, H, W)
    return xp.take(x.reshape(N * H * W, C), pixels, 0)


def _inside(i, size):
    """Tell which places along an axis are inside the image."""
    return (i >= 0) & (i < size)


def _square(i, size, u):
    """Tell which places along an axis are in the square, (N, size); its centre is anywhere."""
    side = round(size * CUT)
    start = (u * (size + 1)).astype(np.int64)[:, None] - side // 2
    return (i >= start) & (i < start + side)


def _pixels(rows, columns):
    """Join what holds for rows (N, H) and for columns (N, W): (N, H, W, 1)."""
    return rows[:, :, None, None] & columns[:, None, :, None]
