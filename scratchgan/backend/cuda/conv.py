"""Convolution on a CUDA device, by the formulas of ``conv_reference.py``.

The kernels of ``kernels/conv.cu`` compute im2col and col2im; cuBLAS multiplies the matrices.
"""

import functools

import cupy as cp
import numpy as np

from ..conv_reference import out_size
from .gemm import matmul
from .grids import for_columns
from .launch import dense, kernel


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
    kernel("col2im", dx.dtype)(grid, block, (dcols, dx, np.int32(N), *geometry))
    return dx


def conv2d_weight_grad(x, dy, kernel, stride, padding):
    """dw = cols^T dy.  x (N, H, W, C), dy (N, Y, X, O) -> dw (KH, KW, C, O)."""
    C, O = x.shape[-1], dy.shape[-1]  # noqa: E741
    cols, _ = _im2col(x, kernel, stride, padding)  # (N*Y*X, KH*KW*C)
    return matmul(cols.T, dy.reshape(-1, O)).reshape(*kernel, C, O)


def _im2col(x, window, stride, padding):
    """Copy the patches of x into the rows of a matrix, (N*Y*X, KH*KW*C); return it and (Y, X)."""
    N, H, W, C = x.shape
    geometry = _geometry((H, W), C, window, stride, padding)
    Y, X = map(int, geometry[3:5])
    (x,) = dense(x.dtype, x)
    shape = N * Y * X, window[0] * window[1] * C
    if _patches_are_image((H, W), window, stride, padding):
        return x.reshape(shape), (Y, X)
    cols = cp.empty(shape, x.dtype)
    grid, block = for_columns(*shape, C, x.itemsize)
    kernel("im2col", x.dtype)(grid, block, (x, cols, np.int32(N), *geometry))
    return cols, (Y, X)


@functools.cache
def _geometry(size, C, window, stride, padding):
    """Return H, W, C, Y, X, KH, KW, SH, SW, top, left as the kernels take them."""
    out = (out_size(*each) for each in zip(size, window, stride, padding, strict=True))
    (top, _), (left, _) = padding
    return tuple(map(np.int32, (*size, C, *out, *window, *stride, top, left)))


def _patches_are_image(size, window, stride, padding):
    """Return whether im2col would only reshape x: a patch is one pixel, or the whole image."""
    pixels = tuple(window) == tuple(stride) == (1, 1)
    return not any(map(any, padding)) and (pixels or tuple(window) == tuple(size))
