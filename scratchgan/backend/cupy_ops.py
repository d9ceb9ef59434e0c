"""The names and signatures of ``numpy_ops``, on CuPy. Imported only when a device is asked for."""

import cupy as cp
import numpy as np

from .conv_reference import conv2d, conv2d_adjoint, conv2d_weight_grad

__all__ = [
    "adam_", "add_bias_", "asarray", "channel_affine", "channel_affine_grad", "channel_moments",
    "channel_sums", "claim_cores", "conv2d", "conv2d_adjoint", "conv2d_weight_grad",
    "device_count", "draw", "ema_",
    "leaky_relu", "leaky_relu_grad", "matmul", "numbers", "rmsprop_", "room", "sgd_", "sigmoid",
    "softplus", "sum_rows", "synchronize", "to_host", "xp",
]  # fmt: skip

name = "cupy"
xp = cp


def asarray(x, dtype=None):
    """Copy a host array to the device; a device array is passed through."""
    return cp.asarray(x, dtype)


def to_host(x):
    """The NumPy array with the values of ``x``; waits for them."""
    return cp.asnumpy(x)


def draw(make, shape, dtype):
    """What the host draws for a training step, copied here through pinned memory.

    The host does not wait for the copy: CuPy keeps the pinned memory until it is done.
    """
    return cp.asarray(np.asarray(make(), dtype))


def numbers(make, count):
    """So many numbers for a training step, from ``make()``: arguments of kernels."""
    return make()


def room():
    """Bytes that data can take up on the device: half of what is free now."""
    return cp.cuda.runtime.memGetInfo()[0] // 2


def device_count():
    """Number of CUDA devices; 0 where there is no driver."""
    return cp.cuda.runtime.getDeviceCount() if cp.is_available() else 0


def claim_cores():
    """Of the host; nothing to do on a device."""


def synchronize():
    """Wait until everything asked for has been computed."""
    cp.cuda.get_current_stream().synchronize()


def matmul(a, b):
    """The product of two matrices: (R, K), (K, C) -> (R, C)."""
    return a @ b


def leaky_relu(x, slope):
    """x where x > 0, slope * x elsewhere; 0 <= slope <= 1."""
    return cp.maximum(x, slope * x if slope else 0)


def leaky_relu_grad(dy, y, slope):
    """dy where y > 0, slope * dy elsewhere."""
    return cp.where(y > 0, dy, slope * dy)


def sigmoid(x):
    """1 / (1 + e^-x) without overflow: e^-|x| never exceeds 1."""
    e = cp.exp(-cp.abs(x))
    return cp.where(x >= 0, 1, e) / (1 + e)


def softplus(x):
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which cannot overflow."""
    return cp.maximum(x, 0) + cp.log1p(cp.exp(-cp.abs(x)))


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    velocity *= momentum
    velocity += grad
    theta -= lr * velocity


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    square *= alpha
    square += (1 - alpha) * grad * grad
    theta -= lr * grad / (cp.sqrt(square) + eps)


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """One step of Adam, written into theta, m and v; see ``numpy_ops.adam_``."""
    m *= beta1
    m += (1 - beta1) * grad
    v *= beta2
    v += (1 - beta2) * grad * grad
    theta -= rate * m / (cp.sqrt(v) + eps)


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    mean += (1 - decay) * (theta - mean)


def sum_rows(a):
    """Sum over the rows of (R, C) -> (C,); CuPy adds up as a tree, which is accurate."""
    return a.sum(0)


def add_bias_(y, b):
    """y += b, for y (..., C) and b (C,)."""
    y += b


def channel_moments(x):
    """Mean and variance of each channel: (..., C) -> (C,), (C,)."""
    x = x.reshape(-1, x.shape[-1])
    mean = x.mean(0)
    return mean, ((x - mean) ** 2).mean(0)


def channel_affine(x, mean, a, b):
    """a (x - mean) + b, channel by channel."""
    return a * (x - mean) + b


def channel_sums(dy, x, mean):
    """Sum of dy and sum of (x - mean) dy of each channel: (C,), (C,)."""
    C = x.shape[-1]
    return dy.reshape(-1, C).sum(0), ((x - mean) * dy).reshape(-1, C).sum(0)


def channel_affine_grad(dy, x, mean, a, b, c):
    """a dy + b (x - mean) + c, channel by channel."""
    return a * dy + b * (x - mean) + c
