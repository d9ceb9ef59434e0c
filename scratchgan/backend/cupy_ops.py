"""The names and signatures of ``numpy_ops``, on CuPy. Imported only when a device is asked for.

What the functions compute is said there. Each is one launch of a kernel from ``kernels/``, and
two where there are many rows to add up; nothing here waits for the device.
"""

import functools

import cupy as cp
import numpy as np

from . import cublas
from .conv_reference import out_size
from .cuda import (
    THREADS,
    families,
    for_columns,
    for_numbers,
    for_partials,
    for_sums,
    options,
    source,
)

__all__ = [
    "adam_", "add_bias_", "add_rows_", "allow_tf32", "asarray", "batch_moments_", "batch_norm",
    "batch_norm_grad", "batch_norm_sums_", "binary_cross_entropy", "claim_cores", "conv2d",
    "conv2d_adjoint", "conv2d_weight_grad", "device_count", "draw", "ema_", "leaky_relu",
    "leaky_relu_grad", "matmul", "numbers", "rmsprop_", "room", "sgd_", "sigmoid", "softplus",
    "sum_rows", "synchronize", "tanh", "tanh_grad", "to_host", "upload", "xp",
]  # fmt: skip

name = "cupy"
xp = cp


class State:
    """What is so until told otherwise."""

    tf32 = False
    recorder = None  # where draws come from while a step is recorded; see ``capture.py``


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


def draw(make, shape, dtype, rng=None):
    """What the host draws for a training step, copied here through pinned memory.

    The host does not wait for the copy: CuPy keeps the pinned memory until it is done.
    """
    if State.recorder:
        return State.recorder.draw(make, shape, dtype, rng)
    return cp.asarray(np.asarray(make(), dtype))


def numbers(make, count):
    """So many numbers for a training step, from ``make()``: arguments of `adam_` and its like."""
    return State.recorder.numbers(make, count) if State.recorder else make()


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
    if cublas.library() is None:
        return a @ b
    return cublas.gemm(a, b, State.tf32)


def allow_tf32(allowed):
    """From now on, products of float32 matrices may round their entries to 10 bits, or may not."""
    State.tf32 = allowed


@functools.cache
def _module(family, dtype):
    """A family of kernels for arrays of this dtype. CuPy keeps what was compiled on disk."""
    return cp.RawModule(code=source(family), options=options(dtype))


@functools.cache
def _kernel(name, dtype):
    """The kernel called ``name``, for arrays of this dtype: ``kernel(grid, block, arguments)``.

    Arguments are contiguous arrays, and NumPy scalars of the types that it declares.
    """
    return _module(families()[name], str(dtype)).get_function(name)


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
    logits, targets = _dense(dtype, logits, targets)
    value, slope = cp.empty((), dtype), cp.empty_like(logits)
    target = dtype.type(0 if many else target)
    arguments = (logits, target, targets, np.int32(many), value, slope, np.int64(logits.size))
    _kernel("binary_cross_entropy", dtype)((1,), (1, THREADS), arguments)
    return value, slope


def _map(name, x, *parameters):
    """y = f(x)."""
    (x,) = _dense(x.dtype, x)
    y = cp.empty_like(x)
    _start_flat(name, x, y, *parameters)
    return y


def _map_grad(name, dy, y, *parameters):
    """dx = f'(x) dy, from dy and y = f(x)."""
    dy, y = _dense(dy.dtype, dy, y)
    dx = cp.empty_like(dy)
    _start_flat(name, dy, y, dx, *parameters)
    return dx


def _start_flat(name, first, *others):
    """Start a kernel that does the same with each number."""
    grid, block = for_numbers(first.size, first.dtype)
    _kernel(name, first.dtype)(grid, block, (first, *others, np.int64(first.size)))


def _dense(dtype, *arrays):
    """The arrays as kernels read them: of one dtype, row after row without gaps."""
    return [cp.ascontiguousarray(a, dtype) for a in arrays]


# ---- optimisers ------------------------------------------------------------------------------


def sgd_(theta, grad, velocity, lr, momentum):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity."""
    _start_flat("sgd", theta, grad, velocity, *_now(lr), np.float64(momentum))


def rmsprop_(theta, grad, square, lr, alpha, eps):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (square^.5 + eps)."""
    _start_flat("rmsprop", theta, grad, square, *_now(lr), np.float64(alpha), np.float64(eps))


def adam_(theta, grad, m, v, rate, beta1, beta2, eps):
    """One step of Adam, written into theta, m and v; see ``numpy_ops.adam_``."""
    _start_flat("adam", theta, grad, m, v, *_now(rate, eps), np.float64(beta1), np.float64(beta2))


def ema_(mean, theta, decay):
    """mean = decay * mean + (1 - decay) * theta."""
    _start_flat("ema", mean, theta, *_now(decay))


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
    (b,) = _dense(y.dtype, b)
    _start_columns("add_bias", y, b, like=y)


def sum_rows(a):
    """Sum over the rows of (R, C) -> (C,), accurate for many rows."""
    total = cp.empty(a.shape[-1], a.dtype)
    _add_up("sum_rows", 1, [a], [], [total, np.int32(0)])
    return total


def add_rows_(total, a):
    """total += the sum of the rows of a:  (C,), (R, C)."""
    _add_up("sum_rows", 1, [a], [], [total, np.int32(1)])


def batch_moments_(running_mean, running_var, x, decay, eps):
    """Mean and sqrt(variance + eps) of each channel, both taken into the running averages."""
    mean, sigma = cp.empty((2, x.shape[-1]), x.dtype)
    into = [mean, sigma, running_mean, running_var, np.float64(decay), np.float64(eps)]
    _add_up("batch_moments", 3, [x], [], into)
    return mean, sigma


def batch_norm(x, mean, sigma, gamma, beta):
    """gamma (x - mean) / sigma + beta, channel by channel."""
    (x,) = _dense(x.dtype, x)
    y = cp.empty_like(x)
    _start_columns("batch_norm", x, mean, sigma, gamma, beta, y, like=x)
    return y


def batch_norm_sums_(dgamma, dbeta, dy, x, mean, sigma):
    """Sums of dy and of x̂ dy, where wanted added to dbeta and dgamma: (C,), (C,)."""
    s, q = cp.empty((2, x.shape[-1]), x.dtype)
    wanted = dgamma is not None
    into = [sigma, s, q, *((dgamma, dbeta) if wanted else (q, s)), np.int32(wanted)]
    _add_up("batch_norm_sums", 2, [dy, x], [mean], into)
    return s, q


def batch_norm_grad(dy, x, mean, sigma, gamma, s, q):
    """gamma (dy - s / M - x̂ q / M) / sigma, channel by channel, M the values of each."""
    dy, x = _dense(x.dtype, dy, x)
    dx = cp.empty_like(x)
    _start_columns("batch_norm_grad", dy, x, mean, sigma, gamma, s, q, dx, like=x)
    return dx


def _rows(x):
    """R and C of (..., C)."""
    C = x.shape[-1]
    return x.size // max(C, 1), C


def _start_columns(name, *arrays, like):
    """Start a kernel that does the same in each row of ``like``."""
    R, C = _rows(like)
    grid, block = for_columns(R, C, C, like.itemsize)
    _kernel(name, like.dtype)(grid, block, (*arrays, np.int32(R), np.int32(C)))


def _add_up(name, width, arrays, vectors, into):
    """Start the kernel that adds up rows and, where several blocks share them, its "finish".

    Parameters
    ----------
    name : str
    width : int
        Numbers in a partial result.
    arrays : list of array (..., C)
        What is added up.
    vectors : list of array (C,)
        What else the first kernel reads.
    into : list
        Where the results go, and how.
    """
    dtype, (R, C) = arrays[0].dtype, _rows(arrays[0])
    grid, block = for_sums(R, C)
    partials = cp.empty((grid[1], C, width), np.float64)
    first = (*_dense(dtype, *arrays), *vectors, *into, partials, np.int32(R), np.int32(C))
    _kernel(name, dtype)(grid, block, first)
    if grid[1] > 1:
        last = (partials, *into, np.int32(grid[1]), np.int32(C))
        _kernel(f"{name}_finish", dtype)(*for_partials(C), last)


# ---- convolution: see conv_reference.py for the formulas ---------------------------------------


def conv2d(x, w, stride, padding):
    """y = cols w.  x (N, H, W, C), w (KH, KW, C, O) -> y (N, Y, X, O)."""
    KH, KW, C, O = w.shape  # noqa: E741
    cols, (Y, X) = _im2col(x, (KH, KW), stride, padding)  # (N*Y*X, KH*KW*C)
    return matmul(cols, w.reshape(KH * KW * C, O)).reshape(len(x), Y, X, O)


def conv2d_adjoint(dy, w, stride, padding, size):
    """dx = col2im(dy w^T).  dy (N, Y, X, O), w (KH, KW, C, O) -> dx (N, H, W, C), size (H, W)."""
    KH, KW, C, O = w.shape  # noqa: E741
    N, (H, W) = len(dy), size
    dcols = matmul(dy.reshape(-1, O), w.reshape(KH * KW * C, O).T)  # (N*Y*X, KH*KW*C)
    if _patches_are_image(size, (KH, KW), stride, padding):
        return dcols.reshape(N, H, W, C)
    dx = cp.empty((N, H, W, C), dcols.dtype)
    geometry = _geometry(size, C, (KH, KW), stride, padding)
    grid, block = for_columns(N * H * W, C, C, dx.itemsize)
    _kernel("col2im", dx.dtype)(grid, block, (dcols, dx, np.int32(N), *geometry))
    return dx


def conv2d_weight_grad(x, dy, kernel, stride, padding):
    """dw = cols^T dy.  x (N, H, W, C), dy (N, Y, X, O) -> dw (KH, KW, C, O)."""
    C, O = x.shape[-1], dy.shape[-1]  # noqa: E741
    cols, _ = _im2col(x, kernel, stride, padding)  # (N*Y*X, KH*KW*C)
    return matmul(cols.T, dy.reshape(-1, O)).reshape(*kernel, C, O)


def _im2col(x, window, stride, padding):
    """The patches of x as the rows of a matrix, (N*Y*X, KH*KW*C), and (Y, X)."""
    N, H, W, C = x.shape
    KH, KW = window
    geometry = _geometry((H, W), C, window, stride, padding)
    Y, X = int(geometry[3]), int(geometry[4])
    (x,) = _dense(x.dtype, x)
    if _patches_are_image((H, W), window, stride, padding):
        return x.reshape(N * Y * X, KH * KW * C), (Y, X)
    cols = cp.empty((N * Y * X, KH * KW * C), x.dtype)
    grid, block = for_columns(*cols.shape, C, x.itemsize)
    _kernel("im2col", x.dtype)(grid, block, (x, cols, np.int32(N), *geometry))
    return cols, (Y, X)


@functools.cache
def _geometry(size, C, window, stride, padding):
    """Of a convolution, as the kernels take it: H, W, C, Y, X, KH, KW, SH, SW, top, left."""
    out = (out_size(*each) for each in zip(size, window, stride, padding, strict=True))
    (top, _), (left, _) = padding
    return tuple(map(np.int32, (*size, C, *out, *window, *stride, top, left)))


def _patches_are_image(size, window, stride, padding):
    """Whether im2col would change nothing: patches of one pixel, or one patch of all."""
    pixels = tuple(window) == tuple(stride) == (1, 1)
    return not any(map(any, padding)) and (pixels or tuple(window) == tuple(size))
