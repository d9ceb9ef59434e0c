"""Every operation that a backend offers, in plain NumPy.

A backend is a module with the names in ``__all__``. ``cpu/ops.py`` and ``cuda/ops.py`` have the
same names with the same arguments, and are fast; tests compare each of their functions with the
one here. To follow a training step in a debugger, choose ``get_backend("reference")``.

A function whose name ends in an underscore writes into some of its arguments; its docstring says
into which. Channels are the last axis: x is (..., C), a vector with one number per channel is (C,),
and M is the number of values of a channel. The convolutions are in ``conv_reference.py``.
"""

import math

import numpy as np

from .conv_reference import conv2d, conv2d_adjoint, conv2d_weight_grad

__all__ = [
    "adam_", "add_bias_", "add_rows_", "allow_tf32", "asarray", "batch_moments_", "batch_norm",
    "batch_norm_grad", "batch_norm_sums_", "binary_cross_entropy", "conv2d", "conv2d_adjoint",
    "conv2d_weight_grad", "device_count", "ema_", "free_memory", "host_array", "host_scalars",
    "leaky_relu", "leaky_relu_grad", "limit_blas_threads", "matmul", "name", "on_host", "rmsprop_",
    "sgd_", "sigmoid", "softplus", "sum_rows", "synchronize", "tanh", "tanh_grad", "to_host",
    "upload", "xp",
]  # fmt: skip

name = "reference"
on_host = True  # arrays of this backend are NumPy arrays
xp = np  # the array module (numpy or cupy), for functions that are not defined below


# ---- between the host and the device: here the host computes ---------------------------------


def asarray(x, dtype=None):
    """Convert x to an array of this backend; copy it only if needed."""
    return np.asarray(x, dtype)


def upload(x):
    """Convert a large NumPy array, such as a data set, to an array of this backend."""
    return x


def to_host(x):
    """Convert x to a NumPy array."""
    return np.asarray(x)


def host_array(make, shape, dtype, rng=None):
    """Call ``make()`` on the host, and return its result as an array of this backend.

    Every random or changing input of a training step (noise, dropout masks, indices) goes through
    here or through `host_scalars`, so that a GPU can replay a recorded step with new values
    (``cuda/graph.py``). If ``make`` alone draws from ``rng``, it may run in another thread.
    """
    return np.asarray(make(), dtype)


def host_scalars(make, count):
    """Call ``make()`` for ``count`` numbers that change from step to step."""
    return make()


def free_memory():
    """Free memory in bytes; unlimited on the CPU."""
    return math.inf


def device_count():
    """Number of accelerators that this backend can use."""
    return 0


def synchronize():
    """Wait until all results are computed: nothing to do, since NumPy computes at once."""


def allow_tf32(allowed):
    """Allow products of float32 matrices to round to 10 bits, on a GPU's tensor cores."""


def limit_blas_threads():
    """Limit BLAS to one thread, if a backend has threads of its own (``cpu/threads.py``)."""


# ---- products and activations ----------------------------------------------------------------


def matmul(a, b):
    """Matrix product a b.  (R, K), (K, C) -> (R, C)."""
    return a @ b


def leaky_relu(x, slope):
    """y = x where x > 0, slope * x elsewhere; 0 <= slope <= 1."""
    return np.maximum(x, slope * x) if slope else np.maximum(x, 0)  # 0 * infinity is not 0


def leaky_relu_grad(dy, y, slope):
    """dx = dy where y > 0, slope * dy elsewhere, for y = leaky_relu(x)."""
    return np.where(y > 0, dy, slope * dy)


def sigmoid(x):
    """1 / (1 + e^-x), without overflow: e^-|x| never exceeds 1."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which cannot overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def tanh(x):
    """Hyperbolic tangent of each entry."""
    return np.tanh(x)


def tanh_grad(dy, y):
    """dx = (1 - y^2) dy, for y = tanh(x)."""
    return (1 - y * y) * dy


def binary_cross_entropy(logits, target):
    """Mean of -target log D - (1 - target) log(1 - D), D = sigmoid(logits); and its gradient."""
    # Not log(1 - D), which is log(0) once D rounds to 1; and not D - target, whose digits cancel.
    value = (target * softplus(-logits) + (1 - target) * softplus(logits)).mean()
    slope = (1 - target) * sigmoid(logits) - target * sigmoid(-logits)
    return value, slope / logits.size


# ---- biases and batch normalisation ----------------------------------------------------------


def add_bias_(y, b):
    """y += b.  y (..., C), b (C,)."""
    y += b


def sum_rows(a):
    """Sum over the rows.  (R, C) -> (C,)."""
    return a.sum(0)


def add_rows_(total, a):
    """total += sum over the rows of a.  total (C,), a (R, C)."""
    total += a.sum(0)


def batch_moments_(running_mean, running_var, x, decay, eps):
    """Return mean and sigma = sqrt(variance + eps) per channel; update the running averages.

    running = decay * running + (1 - decay) * batch; this variance has M - 1 in place of M. The mean
    is in float64, or else in x's dtype if no channel lies far from 0: there it would be too coarse.
    """
    M, axes = x.size // x.shape[-1], tuple(range(x.ndim - 1))
    mean, var = x.mean(axes, dtype=float), x.var(axes, dtype=float)  # (C,) each
    running_mean[...] = decay * running_mean + (1 - decay) * mean
    running_var[...] = decay * running_var + (1 - decay) * (var * M / (M - 1))
    return mean, np.sqrt(var + eps).astype(x.dtype)


def batch_norm(x, mean, sigma, gamma, beta):
    """y = gamma x̂ + beta, with x̂ = (x - mean) / sigma."""
    centred = (x - mean).astype(x.dtype)  # mean may be in float64: see `batch_moments_`
    return gamma * centred / sigma + beta


def batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma):
    """Return s = sum of dy, q = sum of x̂ dy per channel; add them to dbeta, dgamma if not None."""
    axes = tuple(range(x.ndim - 1))
    centred = (x - mean).astype(x.dtype)
    s, q = dy.sum(axes), (centred / sigma * dy).sum(axes)  # (C,) each
    if dgamma is not None:  # for in apply it was: y = gamma x̂ + beta
        dgamma += q
        dbeta += s
    return s, q


def batch_norm_grad(dy, x, mean, sigma, gamma, s, q):
    """dx = gamma (dy - s / M - x̂ q / M) / sigma, with s and q of `batch_norm_sums_`."""
    M, xhat = x.size // x.shape[-1], (x - mean).astype(x.dtype) / sigma
    return gamma * (dy - s / M - xhat * q / M) / sigma


# ---- optimisers: each writes into theta and into its running averages --------------------------


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    velocity *= momentum
    velocity += grad
    theta -= lr * velocity


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    most = np.sqrt(np.finfo(grad.dtype).max)  # a larger number's square is infinite
    grad = np.where(np.isinf(grad), grad, np.clip(grad, -most, most))
    square *= alpha
    square += (1 - alpha) * grad * grad
    theta -= lr * (grad / (np.sqrt(square) + eps))


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """One step of Adam, written into theta, m and v: Kingma and Ba, 2015, algorithm 1.

        m = beta1 m + (1 - beta1) grad
        v = beta2 v + (1 - beta2) grad^2
        theta -= rate m / (sqrt(v) + eps)

    rate and eps already include the corrections by 1 - beta1^t and 1 - beta2^t (``optim.py``).
    A finite grad whose square is not is replaced by the largest whose square is: m / sqrt(v) stays
    the same, and v stays finite.
    """
    most = np.sqrt(np.finfo(grad.dtype).max)
    grad = np.where(np.isinf(grad), grad, np.clip(grad, -most, most))
    m[...] = beta1 * m + (1 - beta1) * grad
    v[...] = beta2 * v + (1 - beta2) * grad**2
    theta -= rate * (m / (np.sqrt(v) + eps))


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    mean += (1 - decay) * (theta - mean)
