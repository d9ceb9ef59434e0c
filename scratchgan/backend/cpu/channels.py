"""Fast NumPy operations on large arrays: LeakyReLU, biases, sums over rows, BatchNorm.

``a * x + b`` in plain NumPy walks through memory twice and fills a fresh array each time. Here
the arrays are cut into blocks; all operations on a block follow each other while it is in cache,
in threads (``threads.py``), and the results are written into memory that is used again
(``memory.py``).

Channels are the last axis: x is (..., C), and a vector with one number per channel is (C,).
"""

import numpy as np

from ..sums import is_far
from .memory import buffer, empty
from .threads import share

# Bytes of one array in a block. Smaller blocks would fit into a faster cache, but their threads
# would wait for Python's interpreter lock so often that two threads are slower than one.
BLOCK = 4 << 20
ROW = 2048  # numbers: on a shorter row, NumPy's overhead takes longer than the computation
LONG = 256  # rows: with this many or more, joining several rows into one is faster
CHUNK = 64  # rows whose sum in float32 is accurate enough


def leaky_relu(x, slope):
    """y = x where x > 0, slope * x elsewhere; 0 <= slope <= 1."""

    def work(x, y):
        if slope:
            np.maximum(x, np.multiply(x, slope, out=y), out=y)
        else:
            np.clip(x, 0, np.inf, out=y)  # a third of the time of maximum(x, 0)

    return _new(work, [x.reshape(-1, 1)]).reshape(x.shape)


def leaky_relu_grad(dy, y, slope):
    """dx = dy where y > 0, slope * dy elsewhere, computed as dy * max([y > 0], slope)."""

    def work(dy, y, dx):
        dx[...] = np.greater(y, 0, out=buffer("positive", y.shape, bool))
        np.clip(dx, slope, 1, out=dx)
        dx *= dy

    return _new(work, [dy.reshape(-1, 1), y.reshape(-1, 1)]).reshape(dy.shape)


def add_bias_(y, b):
    """y += b.  y (..., C), b (C,)."""
    if y.flags.c_contiguous:
        _blockwise(lambda y, b: np.add(y, b, out=y), [y], [b])
    else:
        y += b


def sum_rows(a):
    """Sum over the rows, accurate for any number of rows.  (R, C) -> (C,).

    A running float32 sum of 10^5 numbers is wrong in the fourth digit, and BatchNorm's backward
    subtracts such sums from each other. So short sums use the array's dtype, and their sum float64.
    """
    if len(a) <= CHUNK:
        return a.sum(0)
    total = sum(_blockwise(_sum, [a]))  # (K*C,), float64: K rows were joined into one
    return total.reshape(-1, a.shape[-1]).sum(0).astype(a.dtype)


def add_rows_(total, a):
    """total += sum over the rows of a.  total (C,), a (R, C)."""
    total += sum_rows(a)


def batch_moments_(running_mean, running_var, x, decay, eps):
    """Return mean and sigma = sqrt(variance + eps) per channel; update the running averages.

    Each block gives its mean, and the sum of its squared deviations from that mean. Such pairs
    combine as in Chan, Golub and LeVeque, "Updating formulae ... for computing sample variances",
    1979. Where that is too coarse, `_far_moments` gives the mean, in float64 (``sums.py``).
    """
    C, dtype = x.shape[-1], x.dtype

    def work(x):
        n = x.size // C
        mean = _sum(x).reshape(-1, C).sum(0) / n  # (C,), float64
        (x,), (rounded,) = _wide([x.reshape(-1, C)], [mean.astype(dtype)])
        about = np.subtract(x, rounded, out=buffer("channels", x.shape, dtype))
        about *= about
        return n, mean, _sum(about).reshape(-1, C).sum(0)

    n, means, squares = map(np.array, zip(*_blockwise(work, [x]), strict=True))
    M = x.size // C
    mean = n @ means / M
    var = (squares.sum(0) + n @ (means - mean) ** 2) / M
    mean, var = mean.astype(dtype), var.astype(dtype)
    sigma, before = np.sqrt(var + eps), running_mean.copy()
    far = is_far(mean, sigma, M)
    some_far = far.any()
    if some_far:
        mean, var = _far_moments(x, mean, var, far)
        sigma = np.sqrt(var + eps).astype(dtype)
    for running, batch in (running_mean, mean), (running_var, var * M / (M - 1)):
        running *= decay
        running += (1 - decay) * batch
    if some_far and decay < 1:
        # Far from 0, a small part of a small difference is rounded away: take the smallest step.
        stuck = far & (running_mean == before)
        running_mean[stuck] = np.nextafter(before, mean.astype(dtype))[stuck]
    return mean, sigma


def _far_moments(x, mean, var, far):
    """Return mean and var (C,) in float64, computed anew where ``far`` (C,) is True."""
    columns = x.reshape(-1, x.shape[-1])[:, far].astype(float)  # (M, C'), the far channels alone
    exact = columns.mean(0)
    exact += (columns - exact).mean(0)
    mean, var = mean.astype(float), var.astype(float)
    mean[far], var[far] = exact, ((columns - exact) ** 2).mean(0)
    return mean, var


def batch_norm(x, mean, sigma, gamma, beta):
    """y = gamma x̂ + beta, with x̂ = (x - mean) / sigma."""

    def work(x, y, mean, scale, beta):
        np.subtract(x, mean, out=y)  # first, while nothing has been rounded yet
        y *= scale
        y += beta

    return _new(work, [x], [mean, gamma / sigma, beta])


def batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma):
    """Return s = sum of dy, q = sum of x̂ dy per channel; add them to dbeta, dgamma if not None."""

    def work(dy, x, mean):
        product = np.subtract(x, mean, out=buffer("channels", x.shape, x.dtype))
        product *= dy
        return np.stack([_sum(dy), _sum(product)])

    sums = sum(_blockwise(work, [dy, x], [mean]))  # float64
    s, q = sums.reshape(2, -1, x.shape[-1]).sum(1).astype(x.dtype)
    q /= sigma
    if dgamma is not None:
        dgamma += q
        dbeta += s
    return s, q


def batch_norm_grad(dy, x, mean, sigma, gamma, s, q):
    """dx = gamma (dy - s / M - x̂ q / M) / sigma = a dy + b (x - mean) + c."""
    M, a = x.size // x.shape[-1], gamma / sigma

    def work(dy, x, dx, mean, a, b, c):
        np.subtract(x, mean, out=dx)
        dx *= b
        dx += c
        dx += np.multiply(dy, a, out=buffer("channels", dy.shape, dy.dtype))

    return _new(work, [dy, x], [mean, a, -a * q / (M * sigma), -a * s / M])


def _wide(arrays, vectors):
    """Reshape arrays (..., C) to (R/K, K*C): K rows become one; repeat vectors (C,) K times."""
    C = arrays[0].shape[-1]
    R, K = arrays[0].size // max(C, 1), 1
    while R % (2 * K) == 0 and 2 * K * C <= ROW and R >= LONG * K:
        K *= 2
    wide = [a.reshape(R // K, K * C) for a in arrays]
    return wide, [v if K == 1 else np.tile(v, K) for v in vectors]


def _sum(a):
    """Sum over the rows of a block, (R, C) -> (C,); beyond `CHUNK` rows, add up in float64."""
    R, C = a.shape
    whole = R - R % CHUNK
    total = a[whole:].sum(0).astype(float)
    if whole:
        total += a[:whole].reshape(-1, CHUNK, C).sum(1).sum(0, dtype=float)
    return total


def _new(work, arrays, vectors=()):
    """Return a new array like the first one, filled block by block by ``work``."""
    result = empty(arrays[0].shape, arrays[0].dtype)
    _blockwise(work, [*arrays, result], vectors)
    return result


def _blockwise(work, arrays, vectors=()):
    """Call ``work(*blocks, *vectors)`` on matching blocks of rows; return a list of its results."""
    wide, vectors = _wide(arrays, vectors)
    rows, bytes_each = len(wide[0]), wide[0].shape[1] * wide[0].itemsize

    def share_of(blocks):
        return [work(*(a[b] for a in wide), *vectors) for b in blocks]

    shares = share(share_of, rows, bytes_each, BLOCK)
    return [result for results in shares for result in results]
