"""Means, variances and lengths of numbers for which plain sums in their own dtype fail.

*Far from 0.* A float32 near 10^6 is a multiple of 1/16, and so is the mean of many. In x - mean,
an error of that size is small beside the spread of most data. But of equal numbers nothing else is
left, and divided by a small sigma it is no longer small. Such a mean is subtracted in two parts.

*Tiny or huge.* In float32 the square of 1e-25 is 0 and that of 1e20 is infinite. The length of such
a vector is the length of the vector divided by its largest entry, times that entry.

All other numbers, which are nearly all, take the short way, and cost what a plain sum costs. A
device cannot choose its way without a wait of the host, so there the long way is the only one.
"""

import numpy as np

FAR = 2.0**-9  # of sigma: a mean that may be wrong by more is computed again


def is_far(mean, sigma, count):
    """Return True where the mean of so many numbers may be too wrong, or a sum has overflowed.

    A sum of n numbers, one after the other, is wrong by up to n / 2 units in its last place; longer
    sums are sums of short ones.
    """
    error = np.abs(mean) * (np.finfo(mean.dtype).eps * min(count, 64))
    return ~((error <= FAR * sigma) & (sigma < np.inf))


def centred(ops, x, axes, eps):
    """Return x - m(x) and sigma = sqrt(m((x - m(x))^2) + eps), with m the mean over some axes."""
    xp, mean = ops.xp, x.mean(axes, keepdims=True)
    x = x - mean
    if ops.on_host:
        sigma = xp.sqrt((x * x).mean(axes, keepdims=True) + eps)
        if not is_far(mean, sigma, x.size // max(mean.size, 1)).any():
            return x, sigma
    x -= x.mean(axes, keepdims=True)  # what the rounding of the mean has left
    return x, xp.sqrt((x * x).mean(axes, keepdims=True) + eps)


def lengths(ops, a):
    """Return b, the length of each row of b, and a scale, with a = scale * b.  (R, K), (R,), (R,).

    The length of a row of a is scale * length, and its direction is b / length.
    """
    xp = ops.xp
    small = np.finfo(a.dtype).tiny / np.finfo(a.dtype).eps  # beside it, what underflows is nothing
    if ops.on_host:
        with np.errstate(over="ignore", under="ignore"):
            squares = (a * a).sum(1)
        if ((small < squares) & (squares < 1 / small)).all():
            return a, np.sqrt(squares), 1
    top = xp.abs(a).max(1)
    with np.errstate(over="ignore", under="ignore"):
        square = top * top
    plain = ((small < square) & (square < 1 / small)) | (top == 0)
    scale = xp.where(plain, 1, top)
    a = a / scale[:, None]
    return a, xp.sqrt((a * a).sum(1)), scale
