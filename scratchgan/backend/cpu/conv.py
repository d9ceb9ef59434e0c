"""The three products of ``backend/conv_reference.py``, on NumPy, at the speed of the machine.

The formulas are the same. What is different is the order of the work:

* a few images at a time, so that their columns stay in cache between being copied and being
  multiplied, and temporary memory does not grow with the batch;
* each block of images in one of several Python threads (copies and products release the GIL),
  with BLAS at one thread in each: the threads of BLAS itself would wait for every single copy;
* in buffers that each thread keeps, since fresh memory costs a page fault every 4 KiB.

Letters and arguments are those of ``backend/conv_reference.py``.
"""

from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..conv_reference import out_size
from .threads import buffer, empty, share

__all__ = ["conv2d", "conv2d_adjoint", "conv2d_weight_grad"]

# Bytes of columns in a block. Products run at full speed from 1 MB on; but with smaller blocks
# threads meet at Python's interpreter lock so often that it shows.
BLOCK = 4_000_000


def _columns(x, kernel, stride, padding, Y, X):
    """im2col of a block, in a buffer: (n, H, W, C) -> (n*Y*X, KH*KW*C)."""
    (KH, KW), (SH, SW), ((top, bottom), (left, right)) = kernel, stride, padding
    n, H, W, C = x.shape
    if top or bottom or left or right:
        inside, x = x, buffer("padded", (n, H + top + bottom, W + left + right, C), x.dtype)
        x[...] = 0
        x[:, top : top + H, left : left + W] = inside
    x = np.ascontiguousarray(x)
    sn, sh, sw, _ = x.strides
    # A row of a patch is KW*C numbers side by side: with channels last the copy is of long runs.
    patches = as_strided(x, (n, Y, X, KH, KW * C), (sn, sh * SH, sw * SW, sh, x.itemsize))
    cols = buffer("columns", patches.shape, x.dtype)
    np.copyto(cols, patches)
    return cols.reshape(n * Y * X, KH * KW * C)


def conv2d(x, w, stride, padding):
    """y = cols w.  x (N, H, W, C), w (KH, KW, C, O) -> y (N, Y, X, O)."""
    KH, KW, C, O = w.shape  # noqa: E741
    N = len(x)
    Y, X = (out_size(*a) for a in zip(x.shape[1:3], (KH, KW), stride, padding, strict=True))
    w = w.reshape(KH * KW * C, O)
    y = empty((N, Y, X, O), np.result_type(x, w))

    def work(blocks):
        for b in blocks:
            np.matmul(_columns(x[b], (KH, KW), stride, padding, Y, X), w, out=y[b].reshape(-1, O))

    share(work, N, Y * X * (KH * KW * C + O) * x.itemsize, BLOCK)
    return y


def conv2d_adjoint(dy, w, stride, padding, size):
    """dx = col2im(dy w^T).  dy (N, Y, X, O), w (KH, KW, C, O) -> dx (N, H, W, C), size (H, W).

    The kernel is cut into tiles of SH x SW taps. What one tile paints for all pixels of dy does
    not overlap; and with dx held as tiles, too, it is a plain window of them: so there is one
    product and one addition of long runs for each tile, instead of one addition for each tap.
    """
    KH, KW, C, O = w.shape  # noqa: E741
    (SH, SW), ((top, _), (left, _)), (H, W) = stride, padding, size
    N, Y, X, _ = dy.shape
    # One pixel alone paints nothing twice, whatever the stride: then one tile is the kernel.
    SH, SW = max(SH, KH) if Y == 1 else SH, max(SW, KW) if X == 1 else SW
    kernel = {}
    for p, q in product(range(0, KH, SH), range(0, KW, SW)):
        tile = w[p : p + SH, q : q + SW]
        kernel[p, q] = empty(tile.shape, w.dtype)
        kernel[p, q][...] = tile  # a copy, so that a tile is a matrix of (taps * C, O)
    rows = max(Y + (KH - 1) // SH, -(-(H + top) // SH))
    columns = max(X + (KW - 1) // SW, -(-(W + left) // SW))
    dx = empty((N, H, W, C), np.result_type(dy, w))

    def work(blocks):
        for b in blocks:
            n = b.stop - b.start
            tiles = buffer("tiles", (n, rows, columns, SH, SW, C), dx.dtype)
            tiles[...] = 0
            for (p, q), tile in kernel.items():
                TH, TW = tile.shape[:2]  # SH and SW, or less at the kernel's end
                painted = buffer("painted", (n * Y * X, TH * TW * C), dx.dtype)
                np.matmul(dy[b].reshape(-1, O), tile.reshape(-1, O).T, out=painted)
                window = tiles[:, p // SH : p // SH + Y, q // SW : q // SW + X, :TH, :TW]
                window += painted.reshape(n, Y, X, TH, TW, C)
            for i in range(min(SH, H)):  # row i, i + SH, i + 2 SH, ... of the image
                for j in range(min(SW, W)):
                    image = dx[b, i::SH, j::SW]
                    r, p = divmod(i + top, SH)
                    c, q = divmod(j + left, SW)
                    image[...] = tiles[:, r : r + image.shape[1], c : c + image.shape[2], p, q]

    largest = max(Y * X * KH * KW, rows * columns * SH * SW) * C  # of an image's arrays
    share(work, N, (largest + Y * X * O) * dx.itemsize, BLOCK)
    return dx


def conv2d_weight_grad(x, dy, kernel, stride, padding):
    """dw = cols^T dy.  x (N, H, W, C), dy (N, Y, X, O) -> dw (KH, KW, C, O)."""
    (KH, KW), (N, Y, X, O), C = kernel, dy.shape, x.shape[-1]  # noqa: E741
    columns = KH * KW * C

    def work(blocks):
        dw = empty((columns, O), np.result_type(x, dy))
        for b in blocks:
            cols = _columns(x[b], kernel, stride, padding, Y, X)
            if b is blocks[0]:
                np.matmul(cols.T, dy[b].reshape(-1, O), out=dw)
            else:
                more = buffer("more", dw.shape, dw.dtype)
                dw += np.matmul(cols.T, dy[b].reshape(-1, O), out=more)
        return dw

    dw, *others = share(work, N, Y * X * (columns + O) * x.itemsize, BLOCK)
    for other in others:
        dw += other
    return dw.reshape(KH, KW, C, O)
