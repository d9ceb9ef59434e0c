"""The names and signatures of ``cpu/ops.py``, on CuPy. Imported only when a device is asked for.

What the functions compute is said there. Each is one launch of a kernel from ``kernels/``, and
two where there are many rows to add up; nothing here waits for the device.
"""

import functools

import cupy as cp
import numpy as np

from .conv import conv2d, conv2d_adjoint, conv2d_weight_grad
from .gemm import allow_tf32, matmul
from .grids import THREADS
from .launch import add_up, dense, kernel, start_columns, start_flat

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

name = "cupy"
xp = cp


class State:
    """Where draws come from while a step is recorded; see ``graph.py``."""

    recorder = None


def asarray(x, dtype=None):
    """Copy a host array to the device; a device array is passed through."""
    return cp.asarray(x, dtype)


def upload(x):
    """Copy a host array that may be as large as a data set; waits for it.

    `asarray` would copy it to pinned memory first, which CuPy then keeps, rounded up to a power
    of two.
    """
    there = cp.empty(x.shape, x.dtype)
    there.set(x)
    synchronize()
    return there


def to_host(x):
    """The NumPy array with the values of ``x``; waits for them."""
    return cp.asnumpy(x)


def host_array(make, shape, dtype, rng=None):
    """What the host draws for a training step, copied here through pinned memory.

    The host does not wait for the copy: CuPy keeps the pinned memory until it is done.
    """
    if State.recorder:
        return State.recorder.host_array(make, shape, dtype, rng)
    return cp.asarray(np.asarray(make(), dtype))


def host_scalars(make, count):
    """So many numbers for a training step, from ``make()``: arguments of `adam_` and its like."""
    return State.recorder.host_scalars(make, count) if State.recorder else make()


def free_memory():
    """Bytes that data can take up on the device: half of what is free now."""
    return cp.cuda.runtime.memGetInfo()[0] // 2


def device_count():
    """Number of CUDA devices; 0 where there is no driver."""
    return cp.cuda.runtime.getDeviceCount() if cp.is_available() else 0


def limit_blas_threads():
    """Of the host; nothing to do on a device."""


def synchronize():
    """Wait until everything asked for has been computed."""
    cp.cuda.get_current_stream().synchronize()


# ---- entry by entry --------------------------------------------------------------------------


def leaky_relu(x, slope):
    """x where x > 0, slope * x elsewhere; 0 <= slope <= 1."""
    return _map("leaky_relu", x, x.dtype.type(slope))


def leaky_relu_grad(dy, y, slope):
    """dy where y > 0, slope * dy elsewhere."""
    return _map_grad("leaky_relu_grad", dy, y, dy.dtype.type(slope))


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return _map("sigmoid", x)


def softplus(x):
    """log(1 + e^x)."""
    return _map("softplus", x)


def tanh(x):
    """Of each entry."""
    return _map("tanh_value", x)


def tanh_grad(dy, y):
    """(1 - y^2) dy."""
    return _map_grad("tanh_grad", dy, y)


def binary_cross_entropy(logits, target):
    """Mean of -target log D - (1 - target) log(1 - D), D = sigmoid(logits); and its gradient."""
    dtype, many = logits.dtype, isinstance(target, cp.ndarray)
    targets = cp.broadcast_to(target, logits.shape) if many else logits
    logits, targets = dense(dtype, logits, targets)
    value, slope = cp.empty((), dtype), cp.empty_like(logits)
    target = dtype.type(0 if many else target)
    arguments = (logits, target, targets, np.int32(many), value, slope, np.int64(logits.size))
    kernel("binary_cross_entropy", dtype)((1,), (1, THREADS), arguments)
    return value, slope


def _map(name, x, *parameters):
    """y = f(x)."""
    (x,) = dense(x.dtype, x)
    y = cp.empty_like(x)
    start_flat(name, x, y, *parameters)
    return y


def _map_grad(name, dy, y, *parameters):
    """dx = f'(x) dy, from dy and y = f(x)."""
    dy, y = dense(dy.dtype, dy, y)
    dx = cp.empty_like(dy)
    start_flat(name, dy, y, dx, *parameters)
    return dx


# ---- optimisers ------------------------------------------------------------------------------


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    start_flat("sgd", theta, grad, velocity, *_now(lr), np.float64(momentum))


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    start_flat("rmsprop", theta, grad, square, *_now(lr), np.float64(alpha), np.float64(eps))


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """One step of Adam, written into theta, m and v; see ``cpu/ops.py``."""
    start_flat("adam", theta, grad, m, v, *_now(rate, eps), np.float64(beta1), np.float64(beta2))


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    start_flat("ema", mean, theta, *_now(decay))


def _now(*rates):
    """Arguments for what may change from step to step: see the top of ``kernels/optim.cu``."""
    recorded = isinstance(rates[0], cp.ndarray)
    pairs = [(np.float64(0), r) if recorded else (np.float64(r), _nowhere()) for r in rates]
    return *(argument for pair in pairs for argument in pair), np.int32(recorded)


@functools.cache
def _nowhere():
    """A place that no kernel looks at. It stays, so it is from no pool, which might not."""
    with cp.cuda.using_allocator(None):
        return cp.empty(1, np.float64)


# ---- channel by channel: a channel is the last axis, x (..., C), all else is rows --------------


def add_bias_(y, b):
    """y += b, for y (..., C) and b (C,)."""
    if not y.flags.c_contiguous:
        y += b
        return
    (b,) = dense(y.dtype, b)
    start_columns("add_bias", y, b, like=y)


def sum_rows(a):
    """Sum over the rows of (R, C) -> (C,), accurate for many rows."""
    total = cp.empty(a.shape[-1], a.dtype)
    add_up("sum_rows", 1, [a], [], [total, np.int32(0)])
    return total


def add_rows_(total, a):
    """total += the sum of the rows of a:  (C,), (R, C)."""
    add_up("sum_rows", 1, [a], [], [total, np.int32(1)])


def batch_moments_(running_mean, running_var, x, decay, eps):
    """Mean and sqrt(variance + eps) of each channel, both taken into the running averages."""
    mean, sigma = cp.empty((2, x.shape[-1]), x.dtype)
    into = [mean, sigma, running_mean, running_var, np.float64(decay), np.float64(eps)]
    add_up("batch_moments", 3, [x], [], into)
    return mean, sigma


def batch_norm(x, mean, sigma, gamma, beta):
    """gamma (x - mean) / sigma + beta, channel by channel."""
    (x,) = dense(x.dtype, x)
    y = cp.empty_like(x)
    start_columns("batch_norm", x, mean, sigma, gamma, beta, y, like=x)
    return y


def batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma):
    """Sums of dy and of x̂ dy, where wanted added to dbeta and dgamma: (C,), (C,)."""
    s, q = cp.empty((2, x.shape[-1]), x.dtype)
    wanted = dgamma is not None
    into = [sigma, s, q, *((dgamma, dbeta) if wanted else (q, s)), np.int32(wanted)]
    add_up("batch_norm_sums", 2, [dy, x], [mean], into)
    return s, q


def batch_norm_grad(dy, x, mean, sigma, gamma, s, q):
    """gamma (dy - s / M - x̂ q / M) / sigma, channel by channel, M the values of each."""
    dy, x = dense(x.dtype, dy, x)
    dx = cp.empty_like(x)
    start_columns("batch_norm_grad", dy, x, mean, sigma, gamma, s, q, dx, like=x)
    return dx
