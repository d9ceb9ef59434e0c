"""Passes over large arrays, on NumPy, at the speed of memory.

``a * x + b`` in plain NumPy walks through memory twice and fills a fresh array each time. Here
the arrays are cut into blocks; all operations on a block follow each other while it is in cache,
in threads, and the results are written into memory that is used again (see ``threads.py``).

A channel is the last axis: x (..., C), and what belongs to a channel is (C,).
"""

import numpy as np

from .threads import buffer, empty, share

__all__ = [
    "add_bias_", "channel_affine", "channel_affine_grad", "channel_moments", "channel_sums",
    "leaky_relu", "leaky_relu_grad", "sum_rows",
]  # fmt: skip

# Bytes of one array in a block. Smaller ones would stay in a nearer cache, but then threads meet
# at Python's interpreter lock so often that two of them are slower than one.
BLOCK = 4 << 20
ROW = 2048  # numbers: a shorter row costs NumPy more for its start than for its length
LONG = 256  # rows, from which it pays to make fewer and longer ones of them
CHUNK = 64  # rows whose sum in float32 is accurate enough


def leaky_relu(x, slope):
    """x where x > 0, slope * x elsewhere; 0 <= slope <= 1."""
    y = empty(x.shape, x.dtype)

    def work(x, y):
        if slope:
            np.maximum(x, np.multiply(x, slope, out=y), out=y)
        else:
            np.clip(x, 0, np.inf, out=y)  # a third of the time of maximum(x, 0)

    _blockwise(work, x.reshape(-1, 1), y.reshape(-1, 1))
    return y


def leaky_relu_grad(dy, y, slope):
    """dy where y > 0, slope * dy elsewhere: [y > 0] but at least slope is the factor of dy."""
    dx = empty(dy.shape, dy.dtype)

    def work(dy, y, dx):
        dx[...] = np.greater(y, 0, out=buffer("positive", y.shape, bool))
        np.clip(dx, slope, 1, out=dx)
        dx *= dy

    _blockwise(work, dy.reshape(-1, 1), y.reshape(-1, 1), dx.reshape(-1, 1))
    return dx


def add_bias_(y, b):
    """y += b, for y (..., C) and b (C,)."""
    if not y.flags.c_contiguous:
        y += b
        return
    (y,), (b,) = _wide([y], [b])

    def work(y):
        y += b

    _blockwise(work, y)


def sum_rows(a):
    """Sum over the rows of (R, C) -> (C,), accurate for many rows.

    A running float32 sum of 10^5 numbers is wrong in the fourth digit, and BatchNorm's backward
    subtracts such sums from each other: so short sums in the array's dtype, then float64.
    """
    if len(a) <= CHUNK:
        return a.sum(0)
    (wide,), _ = _wide([a], [])
    total = sum(_blockwise(_sum, wide))  # float64
    return total.reshape(-1, a.shape[-1]).sum(0).astype(a.dtype)


def channel_moments(x):
    """Mean and variance of each channel: (..., C) -> (C,), (C,).

    Each block has its own mean and sum of squares about it; those of two blocks combine as in
    Chan, Golub and LeVeque, "Updating formulae ... for computing sample variances", 1979.
    """
    C = x.shape[-1]
    (x,), _ = _wide([x], [])

    def work(x):
        n = x.size // C
        mean = _sum(x).reshape(-1, C).sum(0) / n  # (C,), float64
        (x,), (rounded,) = _wide([x.reshape(-1, C)], [mean.astype(x.dtype)])
        about = np.subtract(x, rounded, out=buffer("fused", x.shape, x.dtype))
        about *= about
        return n, mean, _sum(about).reshape(-1, C).sum(0)

    parts = _blockwise(work, x)
    n, means, squares = (np.array(column) for column in zip(*parts, strict=True))
    M = n.sum()
    mean = n @ means / M
    var = (squares.sum(0) + n @ (means - mean) ** 2) / M
    return mean.astype(x.dtype), var.astype(x.dtype)


def channel_affine(x, mean, a, b):
    """a (x - mean) + b, channel by channel."""
    y = empty(x.shape, x.dtype)
    (x, out), (mean, a, b) = _wide([x, y], [mean, a, b])

    def work(x, y):
        np.subtract(x, mean, out=y)  # first, while nothing has been rounded yet
        y *= a
        y += b

    _blockwise(work, x, out)
    return y


def channel_sums(dy, x, mean):
    """Sum of dy and sum of (x - mean) dy of each channel: (C,), (C,)."""
    C, dtype = x.shape[-1], x.dtype
    (dy, x), (mean,) = _wide([dy, x], [mean])

    def work(dy, x):
        product = np.subtract(x, mean, out=buffer("fused", x.shape, dtype))
        product *= dy
        return np.stack([_sum(dy), _sum(product)])

    sums = sum(_blockwise(work, dy, x)).reshape(2, -1, C).sum(1)  # float64
    return tuple(sums.astype(dtype))


def channel_affine_grad(dy, x, mean, a, b, c):
    """a dy + b (x - mean) + c, channel by channel."""
    dx = empty(x.shape, x.dtype)
    (dy, x, out), (mean, a, b, c) = _wide([dy, x, dx], [mean, a, b, c])

    def work(dy, x, dx):
        np.subtract(x, mean, out=dx)
        dx *= b
        dx += c
        dx += np.multiply(dy, a, out=buffer("fused", dy.shape, dy.dtype))

    _blockwise(work, dy, x, out)
    return dx


def _wide(arrays, vectors):
    """View (..., C) as rows of several pixels each, and repeat the (C,) to such a row."""
    first = arrays[0]
    C = first.shape[-1]
    R = first.size // max(C, 1)
    K = 1
    while R % (2 * K) == 0 and 2 * K * C <= ROW and R >= LONG * K:
        K *= 2
    wide = [a.reshape(R // K, K * C) for a in arrays]
    return wide, [v if K == 1 else np.tile(v, K) for v in vectors]


def _sum(a):
    """Sum over the rows of a block, (R, C) -> (C,), in float64 above `CHUNK` rows."""
    R, C = a.shape
    whole = R - R % CHUNK
    total = a[whole:].sum(0).astype(float)
    if whole:
        total += a[:whole].reshape(-1, CHUNK, C).sum(1).sum(0, dtype=float)
    return total


def _blockwise(work, *arrays):
    """Do ``work`` on matching blocks of rows; a list of its results."""
    rows, bytes_each = len(arrays[0]), arrays[0].shape[1] * arrays[0].itemsize

    def share_of(blocks):
        return [work(*(a[b] for a in arrays)) for b in blocks]

    shares = share(share_of, rows, bytes_each, BLOCK)
    return [result for results in shares for result in results]
