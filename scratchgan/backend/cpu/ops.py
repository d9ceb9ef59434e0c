"""Every hot operation, in NumPy: the reference that the other backend is held against.

Functions whose name ends in an underscore write into their first argument.
"""

import math

import numpy as np

from .channels import (
    add_bias_,
    channel_affine,
    channel_affine_grad,
    channel_moments,
    channel_sums,
    leaky_relu,
    leaky_relu_grad,
    sum_rows,
)  # fmt: skip
from .conv import conv2d, conv2d_adjoint, conv2d_weight_grad
from .threads import buffer, limit_blas_threads, matmul

__all__ = [
    "adam_",
    "add_bias_",
    "add_rows_",
    "allow_tf32",
    "asarray",
    "batch_moments_",
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_sums_",
    "binary_cross_entropy",
    "conv2d",
    "conv2d_adjoint",
    "conv2d_weight_grad",
    "device_count",
    "ema_",
    "free_memory",
    "host_array",
    "host_scalars",
    "leaky_relu",
    "leaky_relu_grad",
    "limit_blas_threads",
    "matmul",
    "rmsprop_",
    "sgd_",
    "sigmoid",
    "softplus",
    "sum_rows",
    "synchronize",
    "tanh",
    "tanh_grad",
    "to_host",
    "upload",
    "xp",
]  # fmt: skip

name = "numpy"
xp = np

# Entries. Optimisers walk the flat vector in blocks: the four or five arrays of one block stay in
# cache from the first operation on them to the last. In smaller blocks, which a nearer cache would
# hold, NumPy's start of an operation takes longer than the operation.
BLOCK = 131_072


def asarray(x, dtype=None):
    """A copy-if-needed of a host array on this backend."""
    return np.asarray(x, dtype)


def upload(x):
    """A host array that may be as large as a data set, on this backend."""
    return x


def to_host(x):
    """The NumPy array with the values of ``x``."""
    return np.asarray(x)


def host_array(make, shape, dtype, rng=None):
    """What the host draws for a training step: ``make()``, an array of this shape, here.

    ``rng`` is the generator that ``make`` draws from, if nobody else does: then it may be called
    in a thread of its own.

    Everything random, and whatever else a step takes from the host, comes this way; so that a step
    that was recorded once can be given the draws of another step (see ``runs/steps.py``).
    """
    return np.asarray(make(), dtype)


def host_scalars(make, count):
    """So many numbers for a training step, from ``make()``: those that change from step to step."""
    return make()


def free_memory():
    """Bytes that data can take up here; on the host, they are there already."""
    return math.inf


def allow_tf32(allowed):
    """Of tensor cores; nothing to do on a CPU."""


def device_count():
    """Number of accelerators this backend can use."""
    return 0


def synchronize():
    """Wait until everything asked for has been computed. NumPy never runs ahead."""


def sigmoid(x):
    """1 / (1 + e^-x) without overflow: e^-|x| never exceeds 1."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which cannot overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def tanh(x):
    """Of each entry."""
    return np.tanh(x)


def tanh_grad(dy, y):
    """(1 - y^2) dy, which is dx for y = tanh x."""
    dx = y * y
    np.subtract(1, dx, out=dx)
    dx *= dy
    return dx


def binary_cross_entropy(logits, target):
    """Mean of -target log D - (1 - target) log(1 - D), D = sigmoid(logits); and its gradient."""
    # Both terms are positive, and each is small where the logit is right: nothing cancels.
    value = (target * softplus(-logits) + (1 - target) * softplus(logits)).mean()
    slope = (1 - target) * sigmoid(logits) - target * sigmoid(-logits)
    return value, slope / logits.size


def add_rows_(total, a):
    """total += the sum of the rows of a:  (C,), (R, C)."""
    total += sum_rows(a)


# Batch normalisation of x (..., C): the passes over x are in ``channels.py``; here is what remains,
# which is (C,). M is the number of values of a channel.


def batch_moments_(running_mean, running_var, x, decay, eps):
    """Mean and sigma = sqrt(variance + eps) of each channel: (C,), (C,).

    Both moments are taken into their running averages, running = decay * running + (1 - decay) *
    batch, the variance with M - 1 in its denominator.
    """
    M = x.size // x.shape[-1]
    mean, var = channel_moments(x)
    for running, batch in (running_mean, mean), (running_var, var * M / (M - 1)):
        running *= decay
        running += (1 - decay) * batch
    return mean, np.sqrt(var + eps)


def batch_norm(x, mean, sigma, gamma, beta):
    """gamma x̂ + beta, with x̂ = (x - mean) / sigma."""
    return channel_affine(x, mean, gamma / sigma, beta)


def batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma):
    """s = sum of dy and q = sum of x̂ dy of each channel: (C,), (C,).

    Unless they are None, dbeta += s and dgamma += q, for it was: y = gamma x̂ + beta.
    """
    s, q = channel_sums(dy, x, mean)
    q /= sigma
    if dgamma is not None:
        dgamma += q
        dbeta += s
    return s, q


def batch_norm_grad(dy, x, mean, sigma, gamma, s, q):
    """dx = gamma (dy - s / M - x̂ q / M) / sigma, with the sums of `batch_norm_sums_`."""
    M, a = x.size // x.shape[-1], gamma / sigma
    return channel_affine_grad(dy, x, mean, a, -a * q / (M * sigma), -a * s / M)


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    for w, g, v in _blocks(theta, grad, velocity):
        v *= momentum
        v += g
        w -= lr * v


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    for w, g, s in _blocks(theta, grad, square):
        s *= alpha
        s += (1 - alpha) * g * g
        step = np.sqrt(s)
        step += eps
        np.divide(g, step, out=step)
        step *= lr
        w -= step


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """m = beta1 * m + (1 - beta1) * grad;  v = beta2 * v + (1 - beta2) * grad^2;
    theta -= rate * m / (sqrt(v) + eps).
    """
    for w, g, m_, v_ in _blocks(theta, grad, m, v):
        step = buffer("adam", g.shape, g.dtype)
        m_ *= beta1
        m_ += np.multiply(g, 1 - beta1, out=step)
        v_ *= beta2
        np.multiply(g, g, out=step)
        step *= 1 - beta2
        v_ += step
        np.sqrt(v_, out=step)
        step += eps
        np.divide(m_, step, out=step)
        step *= rate
        w -= step


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    for m, w in _blocks(mean, theta):
        m += (1 - decay) * (w - m)


def _blocks(*arrays):
    """Views on matching blocks of flat arrays."""
    for start in range(0, arrays[0].size, BLOCK):
        yield tuple(a[start : start + BLOCK] for a in arrays)
