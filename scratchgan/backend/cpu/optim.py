"""Optimisers in NumPy, applied to the flat vectors block by block.

The four or five arrays of a block stay in cache from the first operation on them to the last.
"""

import numpy as np

from .. import reference
from .memory import buffer

# Numbers in a block. Smaller blocks would fit into a faster cache, but NumPy's overhead would take
# longer than the operation.
BLOCK = 131_072


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    _blockwise(reference.sgd_, (theta, grad, velocity), lr, momentum)


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    _blockwise(_rmsprop, (theta, grad, square), lr, alpha, eps)


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """One step of Adam, written into theta, m and v; see ``reference.py``."""
    _blockwise(_adam, (theta, grad, m, v), rate, beta1, beta2, eps)


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    _blockwise(reference.ema_, (mean, theta), decay)


def _rmsprop(theta, grad, square, lr, alpha, eps):
    """Compute ``reference.rmsprop_`` with a single temporary array, which is reused."""
    step = buffer("optim", grad.shape, grad.dtype)
    if not _product(np.multiply(grad, 1 - alpha, out=step), grad, step):
        return reference.rmsprop_(theta, grad, square, lr, alpha, eps)
    square *= alpha
    square += step
    np.sqrt(square, out=step)
    step += eps
    np.divide(grad, step, out=step)
    step *= lr
    theta -= step


def _adam(theta, grad, m, v, rate, beta1, beta2, eps):
    """Compute ``reference.adam_`` with a single temporary array, which is reused."""
    step = buffer("optim", grad.shape, grad.dtype)
    if not _product(grad, grad, step):
        return reference.adam_(theta, grad, m, v, rate, beta1, beta2, eps)
    step *= 1 - beta2
    v *= beta2
    v += step
    m *= beta1
    m += np.multiply(grad, 1 - beta1, out=step)
    np.sqrt(v, out=step)
    step += eps
    np.divide(m, step, out=step)
    step *= rate
    theta -= step


def _product(a, b, out):
    """Write a * b into out; return False if a product of finite numbers is infinite."""
    try:
        with np.errstate(over="raise"):
            np.multiply(a, b, out=out)
    except FloatingPointError:
        return False
    return True


def _blockwise(update, arrays, *numbers):
    """Call ``update(*blocks, *numbers)`` on matching blocks of flat arrays."""
    for start in range(0, arrays[0].size, BLOCK):
        update(*(a[start : start + BLOCK] for a in arrays), *numbers)
