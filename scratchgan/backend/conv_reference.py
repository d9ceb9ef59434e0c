"""Convolution as three matrix products: the code to read.

``cpu/conv.py`` computes the same faster. ``cuda/conv.py`` follows the same steps, with kernels for
im2col and col2im.

Letters: x (N, H, W, C) images, w (KH, KW, C, O) weights, y (N, Y, X, O) output, SH and SW the
strides. Unfold x so that each output pixel has its receptive field in one row,

    cols = im2col(x)             (N, Y, X, KH, KW, C)

and convolution is linear algebra on matrices of N*Y*X rows:

    apply        y  = cols w
    weight_grad  dw = cols^T dy
    adjoint      dx = col2im(dy w^T)      col2im: the adjoint of im2col, overlaps add up
"""

import numpy as np


def out_size(size, kernel, stride, pad):
    """Number of positions of a window of ``kernel`` pixels on ``size`` pixels padded by ``pad``."""
    return (size + sum(pad) - kernel) // stride + 1


def im2col(x, kernel, stride, padding):
    """Copy the receptive field of every output pixel: one patch (KH, KW, C) for each.

    Parameters
    ----------
    x : (N, H, W, C)
    kernel, stride : (int, int)
    padding : ((top, bottom), (left, right))

    Returns
    -------
    (N, Y, X, KH, KW, C)
        ``cols[n, i, j, p, q] = x_padded[n, i * SH + p, j * SW + q]``
    """
    (KH, KW), (SH, SW) = kernel, stride
    N, H, W, C = x.shape
    Y, X = (out_size(*a) for a in zip((H, W), kernel, stride, padding, strict=True))
    x = np.pad(x, ((0, 0), *padding, (0, 0)))  # (N, H + top + bottom, W + left + right, C)
    cols = np.empty_like(x, shape=(N, Y, X, KH, KW, C))
    for p in range(KH):
        for q in range(KW):
            cols[:, :, :, p, q] = x[:, p : p + SH * Y : SH, q : q + SW * X : SW]
    return cols


def col2im(cols, stride, padding, size):
    """Adjoint of `im2col`: add every entry of ``cols`` to the pixel it was copied from.

    Parameters
    ----------
    cols : (N, Y, X, KH, KW, C)
    stride, padding : as for `im2col`
    size : (H, W)

    Returns
    -------
    (N, H, W, C)
    """
    (SH, SW), ((top, bottom), (left, right)), (H, W) = stride, padding, size
    N, Y, X, KH, KW, C = cols.shape
    x = np.zeros_like(cols, shape=(N, H + top + bottom, W + left + right, C))
    for p in range(KH):
        for q in range(KW):
            # im2col read: cols[:, :, :, p, q] = x[:, p : p + SH * Y : SH, q : q + SW * X : SW]
            x[:, p : p + SH * Y : SH, q : q + SW * X : SW] += cols[:, :, :, p, q]
    return x[:, top : top + H, left : left + W]


def conv2d(x, w, stride, padding):
    """y = cols w.  x (N, H, W, C), w (KH, KW, C, O) -> y (N, Y, X, O)."""
    KH, KW, C, O = w.shape  # noqa: E741
    cols = im2col(x, (KH, KW), stride, padding)  # (N, Y, X, KH, KW, C)
    y = cols.reshape(-1, KH * KW * C) @ w.reshape(KH * KW * C, O)  # (N*Y*X, O)
    return y.reshape(*cols.shape[:3], O)


def conv2d_adjoint(dy, w, stride, padding, size):
    """dx = col2im(dy w^T).  dy (N, Y, X, O), w (KH, KW, C, O) -> dx (N, H, W, C), size (H, W)."""
    KH, KW, C, O = w.shape  # noqa: E741
    dcols = dy.reshape(-1, O) @ w.reshape(KH * KW * C, O).T  # (N*Y*X, KH*KW*C)
    return col2im(dcols.reshape(*dy.shape[:3], KH, KW, C), stride, padding, size)


def conv2d_weight_grad(x, dy, kernel, stride, padding):
    """dw = cols^T dy.  x (N, H, W, C), dy (N, Y, X, O) -> dw (KH, KW, C, O)."""
    cols = im2col(x, kernel, stride, padding)  # (N, Y, X, KH, KW, C)
    C, O = x.shape[-1], dy.shape[-1]  # noqa: E741
    dw = cols.reshape(-1, kernel[0] * kernel[1] * C).T @ dy.reshape(-1, O)  # (KH*KW*C, O)
    return dw.reshape(*kernel, C, O)
