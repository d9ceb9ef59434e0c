"""The three products of ``conv_reference.py``, on NumPy, at the speed of the machine.

The formulas are the same. What is different is the order of the work:

* a few images at a time, so that their columns stay in cache between being copied and being
  multiplied, and temporary memory does not grow with the batch;
* each block of images in one of several Python threads (copies and products release the GIL),
  with BLAS at one thread in each: the threads of BLAS itself would wait for every single copy;
* in buffers that each thread keeps, since fresh memory costs a page fault every 4 KiB.

Letters and arguments are those of ``conv_reference.py``.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import as_strided
from threadpoolctl import ThreadpoolController

from .conv_reference import out_size

__all__ = ["conv2d", "conv2d_adjoint", "conv2d_weight_grad", "set_threads"]

# Bytes of columns in a block. Measured: products of 3 MB of columns run at full speed, and their
# columns are still in the last-level cache; smaller blocks repack the weights too often.
BLOCK = 3_000_000
SMALL = 500_000  # bytes of columns in all, below which handing work to threads is not worth it


class _Workers(threading.local):
    """The pool and its size for all threads, the buffers of each."""

    pool = blas = None
    threads = 1

    def __init__(self):
        self.buffers = {}

    def buffer(self, name, shape, dtype):
        """An array of this thread's own, with whatever values its last use left in it."""
        size, key = int(np.prod(shape)), (name, np.dtype(dtype))
        if key not in self.buffers or self.buffers[key].size < size:
            self.buffers[key] = np.empty(size, dtype)
        return self.buffers[key][:size].reshape(shape)


_mine = _Workers()


def set_threads(threads=None):
    """Use this many threads for convolutions: all cores of the process unless given.

    The environment variable ``SCRATCHGAN_THREADS`` sets it, too. Results depend on it only by the
    order in which the blocks of a weight gradient are summed.
    """
    if threads is None:
        threads = int(os.environ.get("SCRATCHGAN_THREADS", len(os.sched_getaffinity(0))))
    if threads < 1:
        raise ValueError(f"{threads} threads given, at least 1 wanted")
    _Workers.threads, _Workers.pool = threads, ThreadPoolExecutor(threads)


def _share(work, N, bytes_each):
    """Do ``work`` on a list of slices of range(N) in every thread; a list of its results."""
    if _Workers.pool is None:
        set_threads()
        _Workers.blas = ThreadpoolController()
    images = max(1, min(BLOCK // bytes_each, -(-N // _Workers.threads)))
    blocks = [slice(start, min(start + images, N)) for start in range(0, N, images)]
    shares = [blocks[i :: _Workers.threads] for i in range(min(_Workers.threads, len(blocks)))]
    if len(shares) < 2 or N * bytes_each < SMALL:
        return [work(blocks)]
    with _Workers.blas.limit(limits=1, user_api="blas"):
        return list(_Workers.pool.map(work, shares))


def _columns(x, kernel, stride, padding, Y, X):
    """im2col of a block, in a buffer: (n, H, W, C) -> (n*Y*X, KH*KW*C)."""
    (KH, KW), (SH, SW), ((top, bottom), (left, right)) = kernel, stride, padding
    n, H, W, C = x.shape
    if top or bottom or left or right:
        inside, x = x, _mine.buffer("padded", (n, H + top + bottom, W + left + right, C), x.dtype)
        x[:, :top] = x[:, top + H :] = 0
        x[:, top : top + H, :left] = x[:, top : top + H, left + W :] = 0
        x[:, top : top + H, left : left + W] = inside
    x = np.ascontiguousarray(x)
    sn, sh, sw, _ = x.strides
    # A row of a patch is KW*C numbers side by side: with channels last the copy is of long runs.
    patches = as_strided(x, (n, Y, X, KH, KW * C), (sn, sh * SH, sw * SW, sh, x.itemsize))
    cols = _mine.buffer("columns", patches.shape, x.dtype)
    np.copyto(cols, patches)
    return cols.reshape(n * Y * X, KH * KW * C)


def conv2d(x, w, stride, padding):
    """y = cols w.  x (N, H, W, C), w (KH, KW, C, O) -> y (N, Y, X, O)."""
    KH, KW, C, O = w.shape  # noqa: E741
    N = len(x)
    Y, X = (out_size(*a) for a in zip(x.shape[1:3], (KH, KW), stride, padding, strict=True))
    w = w.reshape(KH * KW * C, O)
    y = np.empty((N, Y, X, O), np.result_type(x, w))

    def work(blocks):
        for b in blocks:
            np.matmul(_columns(x[b], (KH, KW), stride, padding, Y, X), w, out=y[b].reshape(-1, O))

    _share(work, N, Y * X * KH * KW * C * x.itemsize)
    return y


def conv2d_adjoint(dy, w, stride, padding, size):
    """dx = col2im(dy w^T).  dy (N, Y, X, O), w (KH, KW, C, O) -> dx (N, H, W, C), size (H, W)."""
    KH, KW, C, O = w.shape  # noqa: E741
    (SH, SW), ((top, bottom), (left, right)), (H, W) = stride, padding, size
    N, Y, X, _ = dy.shape
    w = w.reshape(KH * KW * C, O).T
    dx = np.empty((N, H, W, C), np.result_type(dy, w))

    def work(blocks):
        for b in blocks:
            n = b.stop - b.start
            dcols = _mine.buffer("columns", (n * Y * X, KH * KW * C), dx.dtype)
            np.matmul(dy[b].reshape(-1, O), w, out=dcols)
            dcols = dcols.reshape(n, Y, X, KH, KW, C)
            padded = _mine.buffer("padded", (n, H + top + bottom, W + left + right, C), dx.dtype)
            padded[...] = 0
            for p in range(KH):
                for q in range(KW):
                    padded[:, p : p + SH * Y : SH, q : q + SW * X : SW] += dcols[:, :, :, p, q]
            dx[b] = padded[:, top : top + H, left : left + W]

    _share(work, N, Y * X * KH * KW * C * dx.itemsize)
    return dx


def conv2d_weight_grad(x, dy, kernel, stride, padding):
    """dw = cols^T dy.  x (N, H, W, C), dy (N, Y, X, O) -> dw (KH, KW, C, O)."""
    (KH, KW), (N, Y, X, O), C = kernel, dy.shape, x.shape[-1]  # noqa: E741
    columns = KH * KW * C

    def work(blocks):
        dw = np.zeros((columns, O), np.result_type(x, dy))
        product = _mine.buffer("product", dw.shape, dw.dtype)
        for b in blocks:
            cols = _columns(x[b], kernel, stride, padding, Y, X)
            dw += np.matmul(cols.T, dy[b].reshape(-1, O), out=product)
        return dw

    return sum(_share(work, N, Y * X * columns * x.itemsize)).reshape(KH, KW, C, O)
