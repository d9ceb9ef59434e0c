"""Fast NumPy versions of the three matrix products in ``conv_reference.py``.

Formulas, letters and arguments are the same. The order of the work is different:

* a few images at a time, so that their columns stay in cache between being copied and being
  multiplied, and temporary memory does not grow with the batch;
* each block of images in one of several Python threads (copies and products release the
  interpreter lock), with BLAS at one thread in each: BLAS's own threads would wait for each other
  at every copy;
* in buffers that each thread keeps, since fresh memory costs a page fault every 4 KiB.
"""

from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..conv_reference import out_size
from .memory import buffer, empty
from .threads import share

# Bytes of columns in a block. Products run at full speed from 1 MB on; but with smaller blocks
# the threads wait for Python's interpreter lock too often.
BLOCK = 4_000_000


def _columns(x, kernel, stride, padding, Y, X):
    """im2col of a block of images, in a buffer.  (n, H, W, C) -> (n*Y*X, KH*KW*C)."""
    (KH, KW), (SH, SW), ((top, bottom), (left, right)) = kernel, stride, padding
    n, H, W, C = x.shape
    if top or bottom or left or right:
        inside, x = x, buffer("padded", (n, H + top + bottom, W + left + right, C), x.dtype)
        x[...] = 0
        x[:, top : top + H, left : left + W] = inside
    x = np.ascontiguousarray(x)
    sn, sh, sw, _ = x.strides
    # A row of a patch is KW*C numbers side by side: with channels last, long runs are copied.
    patches = as_strided(x, (n, Y, X, KH, KW * C), (sn, sh * SH, sw * SW, sh, x.itemsize))
    cols = buffer("columns", patches.shape, x.dtype)
    np.copyto(cols, patches)
    return cols.reshape(n * Y * X, KH * KW * C)


def conv2d(x, w, stride, padding):
    """y = cols w.  x (N, H, W, C), w (KH, KW, C, O) -> y (N, Y, X, O)."""
    KH, KW, C, O = w.shape  # noqa: E741
    Y, X = (out_size(*a) for a in zip(x.shape[1:3], (KH, KW), stride, padding, strict=True))
    w = w.reshape(KH * KW * C, O)
    y = empty((len(x), Y, X, O), np.result_type(x, w))

    def work(blocks):
        for b in blocks:
            np.matmul(_columns(x[b], (KH, KW), stride, padding, Y, X), w, out=y[b].reshape(-1, O))

    share(work, len(x), Y * X * (KH * KW * C + O) * x.itemsize, BLOCK)
    return y


def conv2d_adjoint(dy, w, stride, padding, size):
    """dx = col2im(dy w^T).  dy (N, Y, X, O), w (KH, KW, C, O) -> dx (N, H, W, C), size (H, W).

    The kernel is cut into tiles of SH x SW taps. With one tile, each pixel of dy adds to one patch
    of dx, and these patches do not overlap. If dx is cut into tiles, too, the patches together are
    a rectangle of tiles. So each tile of the kernel needs one product and one addition of long
    runs, instead of one addition for each tap.
    """
    KH, KW, C, O = w.shape  # noqa: E741
    (SH, SW), ((top, _), (left, _)), (H, W) = stride, padding, size
    N, Y, X, _ = dy.shape
    # If Y is 1, no two patches overlap in H, whatever the stride: one tile is as high as the
    # kernel. X and W are alike.
    SH, SW = max(SH, KH) if Y == 1 else SH, max(SW, KW) if X == 1 else SW
    corners = product(range(0, KH, SH), range(0, KW, SW))
    # Copies, so that each tile is a matrix of (taps * C, O).
    kernel = {(p, q): np.ascontiguousarray(w[p : p + SH, q : q + SW]) for p, q in corners}
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
    columns, dtype = KH * KW * C, np.result_type(x, dy)

    def product_of(b, out):
        cols = _columns(x[b], kernel, stride, padding, Y, X)
        return np.matmul(cols.T, dy[b].reshape(-1, O), out=out)

    def work(blocks):
        dw = product_of(blocks[0], empty((columns, O), dtype))
        for b in blocks[1:]:
            dw += product_of(b, buffer("more", dw.shape, dtype))
        return dw

    dw, *others = share(work, N, Y * X * (columns + O) * x.itemsize, BLOCK)
    for other in others:
        dw += other
    return dw.reshape(KH, KW, C, O)
