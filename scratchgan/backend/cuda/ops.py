"""The operations of ``reference.py`` on a CUDA device. It needs CuPy.

``reference.py`` says what each function computes. Each is one launch of a kernel from
``kernels/``, or two if there are many rows to add up; none waits for the device, unless its
docstring says so.
"""
# ruff: noqa: F401 - all that is imported here is offered

import functools

import cupy as cp
import numpy as np

from .conv import conv2d, conv2d_adjoint, conv2d_weight_grad
from .gemm import allow_tf32, matmul
from .grids import THREADS
from .launch import add_up, dense, kernel, start_columns, start_flat

name = "cupy"
on_host = False
xp = cp


class State:
    """The current recorder, which gives a step its arrays from the host; see ``graph.py``."""

    recorder = None


def asarray(x, dtype=None):
    """Copy a host array to the device; return a device array as it is."""
    return cp.asarray(x, dtype)


def upload(x):
    """Copy a large host array, such as a data set, to the device; wait for the copy.

    `asarray` would copy it to pinned memory first, which CuPy then keeps, rounded up to a power
    of two.
    """
    there = cp.empty(x.shape, x.dtype)
    there.set(x)
    synchronize()
    return there


def to_host(x):
    """Wait for x, and copy it to a NumPy array."""
    return cp.asnumpy(x)


def host_array(make, shape, dtype, rng=None):
    """Array that the host makes for a training step, copied to the device.

    The host does not wait: CuPy keeps the pinned memory that it copies from until the copy is done.
    """
    if State.recorder:
        return State.recorder.host_array(make, shape, dtype, rng)
    return cp.asarray(np.asarray(make(), dtype))


def host_scalars(make, count):
    """Sequence of ``count`` numbers for a training step, such as the arguments of `adam_`."""
    return State.recorder.host_scalars(make, count) if State.recorder else make()


def free_memory():
    """Bytes that data may take on the device: half of what is free now."""
    return cp.cuda.runtime.memGetInfo()[0] // 2


def device_count():
    """Number of CUDA devices; 0 without a driver."""
    return cp.cuda.runtime.getDeviceCount() if cp.is_available() else 0


def limit_blas_threads():
    """Do nothing: BLAS threads exist on the host only."""


def synchronize():
    """Wait until all results are computed."""
    cp.cuda.get_current_stream().synchronize()


# ---- activations -----------------------------------------------------------------------------


def leaky_relu(x, slope):
    """y = x where x > 0, slope * x elsewhere; 0 <= slope <= 1."""
    return _map("leaky_relu", [x], x.dtype.type(slope))


def leaky_relu_grad(dy, y, slope):
    """dx = dy where y > 0, slope * dy elsewhere, for y = leaky_relu(x)."""
    return _map("leaky_relu_grad", [dy, y], dy.dtype.type(slope))


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return _map("sigmoid", [x])


def softplus(x):
    """log(1 + e^x)."""
    return _map("softplus", [x])


def tanh(x):
    """Hyperbolic tangent of each entry."""
    return _map("tanh_value", [x])


def tanh_grad(dy, y):
    """dx = (1 - y^2) dy, for y = tanh(x)."""
    return _map("tanh_grad", [dy, y])


def _map(name, arrays, *parameters):
    """Apply an elementwise kernel to the arrays; return its result."""
    arrays = dense(arrays[0].dtype, *arrays)
    result = cp.empty_like(arrays[0])
    start_flat(name, *arrays, result, *parameters)
    return result


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


# ---- biases and batch normalisation ----------------------------------------------------------


def add_bias_(y, b):
    """y += b.  y (..., C), b (C,)."""
    if y.flags.c_contiguous:
        start_columns("add_bias", y, *dense(y.dtype, b), like=y)
    else:
        y += b


def sum_rows(a):
    """Sum over the rows, accurate for any number of rows.  (R, C) -> (C,)."""
    total = cp.empty(a.shape[-1], a.dtype)
    add_up("sum_rows", 1, [a], [], [total, np.int32(0)])
    return total


def add_rows_(total, a):
    """total += sum over the rows of a.  total (C,), a (R, C)."""
    add_up("sum_rows", 1, [a], [], [total, np.int32(1)])


def batch_moments_(running_mean, running_var, x, decay, eps):
    """Return mean and sigma = sqrt(variance + eps) per channel; update the running averages."""
    C = x.shape[-1]
    mean, sigma = cp.empty(C, np.float64), cp.empty(C, x.dtype)
    into = [mean, sigma, running_mean, running_var, np.float64(decay), np.float64(eps)]
    add_up("batch_moments", 3, [x], [], into)
    return mean, sigma


def batch_norm(x, mean, sigma, gamma, beta):
    """y = gamma x̂ + beta, with x̂ = (x - mean) / sigma."""
    (x,), (mean,) = dense(x.dtype, x), dense(np.float64, mean)
    y = cp.empty_like(x)
    start_columns("batch_norm", x, mean, sigma, gamma, beta, y, like=x)
    return y


def batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma):
    """Return s = sum of dy, q = sum of x̂ dy per channel; add them to dbeta, dgamma if not None."""
    (s, q), (mean,) = cp.empty((2, x.shape[-1]), x.dtype), dense(np.float64, mean)
    wanted = dgamma is not None
    into = [sigma, s, q, *((dgamma, dbeta) if wanted else (q, s)), np.int32(wanted)]
    add_up("batch_norm_sums", 2, [dy, x], [mean], into)
    return s, q


def batch_norm_grad(dy, x, mean, sigma, gamma, s, q):
    """dx = gamma (dy - s / M - x̂ q / M) / sigma, with s and q of `batch_norm_sums_`."""
    (dy, x), (mean,) = dense(x.dtype, dy, x), dense(np.float64, mean)
    dx = cp.empty_like(x)
    start_columns("batch_norm_grad", dy, x, mean, sigma, gamma, s, q, dx, like=x)
    return dx


# ---- optimisers ------------------------------------------------------------------------------


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    start_flat("sgd", theta, grad, velocity, *_now(lr), np.float64(momentum))


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    start_flat("rmsprop", theta, grad, square, *_now(lr), np.float64(alpha), np.float64(eps))


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """One step of Adam, written into theta, m and v; see ``reference.py``."""
    start_flat("adam", theta, grad, m, v, *_now(rate, eps), np.float64(beta1), np.float64(beta2))


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    start_flat("ema", mean, theta, *_now(decay))


def _now(*rates):
    """Return a kernel's arguments for rates that may change; see ``kernels/optim.cu``."""
    recorded = isinstance(rates[0], cp.ndarray)
    pairs = [(np.float64(0), r) if recorded else (np.float64(r), _nowhere()) for r in rates]
    return *(argument for pair in pairs for argument in pair), np.int32(recorded)


@functools.cache
def _nowhere():
    """Return an array that no kernel reads. It is never freed, so it must not be in a pool."""
    with cp.cuda.using_allocator(None):
        return cp.empty(1, np.float64)
