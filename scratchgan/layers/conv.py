"""Convolution and transposed convolution: one pair of formulas, read in two directions.

Letters: N batch; H, W the larger image with C channels; Y, X the smaller image with O channels;
KH, KW the kernel; SH, SW the stride; PH, PW the padding at the top and left; w (KH, KW, C, O).
Images have their channels last.

    down : (N, H, W, C) -> (N, Y, X, O)     each pixel of y looks at a KH x KW patch of x
    up   : (N, Y, X, O) -> (N, H, W, C)     its adjoint: each pixel of y adds to such a patch of x

`Conv2D` applies ``down``, and its adjoint is ``up``. `ConvTranspose2D` only exchanges the two.
``backend/conv_reference.py`` shows how both become matrix products; ``backend/cpu/conv.py`` is the
faster form that NumPy runs.
"""

from typing import Any, TypeAlias

from ..backend import ops_of
from .base import LinearMap, Param
from .init import Initialiser, glorot
from .options import checked, size, sizes

Pair: TypeAlias = int | tuple[int, int]


class _Convolution(LinearMap):
    """Base class: the weights, the geometry, ``down`` and ``up``."""

    transposed = False

    def __init__(
        self, c_in: int, c_out: int, *, kernel: Pair, stride: Pair = 1, padding: Pair | str = 0,
        bias: bool = True, init: Initialiser = glorot,
    ):  # fmt: skip
        self.c_in, self.c_out = size(self, c_in=c_in), size(self, c_out=c_out)
        self.kernel = sizes(self, pair=True, kernel=kernel)
        self.stride = sizes(self, pair=True, stride=stride)
        same = isinstance(padding, str) and padding == "same"
        self.padding = "same" if same else sizes(self, 0, pair=True, padding=padding)
        channels = (self.c_out, self.c_in) if self.transposed else (self.c_in, self.c_out)
        self.w = Param(shape=(*self.kernel, *channels), init=init)
        self.b = Param(shape=(self.c_out,)) if bias else None

    def reset(self, rng, ops, dtype):
        """Limit the threads of BLAS: a convolution starts threads of its own."""
        ops.limit_blas_threads()

    def down(self, x):
        """y[n, i, j] = sum over p, q of x[n, i * SH + p - PH, j * SW + q - PW] w[p, q]."""
        self.expect(x, "N", "H", "W", self.w.shape[2])
        pads = self.pads(x.shape[1:3])
        if any(n + sum(p) < k for n, p, k in zip(x.shape[1:3], pads, self.kernel, strict=True)):
            self.refuse("input at least as large as the kernel", f"shape {x.shape}")
        return ops_of(x).conv2d(x, self.w.value, self.stride, pads)

    def up(self, y, size):
        """x[n, i * SH + p - PH, j * SW + q - PW] += y[n, i, j] w[p, q]^T, for all i, j, p, q."""
        self.expect(y, "N", "Y", "X", self.w.shape[3])
        return ops_of(y).conv2d_adjoint(y, self.w.value, self.stride, self.pads(size), size)

    def down_weight_grad(self, x, y):
        """dw[p, q] = sum over n, i, j of x[n, i * SH + p - PH, j * SW + q - PW]^T y[n, i, j]."""
        pads = self.pads(x.shape[1:3])
        return ops_of(x).conv2d_weight_grad(x, y, self.kernel, self.stride, pads)

    def pads(self, size):
        """Return ((top, bottom), (left, right)) for a large image of this size (H, W)."""
        if self.padding != "same":
            return tuple((p, p) for p in self.padding)
        # ceil(H / SH) patches of KH rows, SH apart, reach this many rows beyond the image:
        each = zip(size, self.kernel, self.stride, strict=True)
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in each]
        return tuple((t // 2, t - t // 2) for t in total)

    def smallest(self, out):
        """Return the smallest size (H, W) that ``down`` takes to ``out`` (Y, X)."""
        if self.padding == "same":
            return tuple((n - 1) * s + 1 for n, s in zip(out, self.stride, strict=True))
        each = zip(out, self.kernel, self.stride, self.padding, strict=True)
        return tuple((n - 1) * s + k - 2 * p for n, k, s, p in each)

    def __repr__(self):
        geometry = f"kernel={self.kernel}, stride={self.stride}, padding={self.padding!r}"
        return f"{type(self).__name__}({self.c_in}, {self.c_out}, {geometry})"


class Conv2D(_Convolution):
    """y = down(x) + b. (As usual in deep learning, the kernel is not flipped.)

    Parameters
    ----------
    c_in, c_out : int
    kernel : int or (int, int)
    stride : int or (int, int)
    padding : int, (int, int) or "same"
        Rows and columns of zeros on each side of x. "same" pads to Y = ceil(H / SH); an odd number
        of rows has one more at the end than at the start.
    bias : bool
    init : callable, (rng, shape) -> array
        Draws w (KH, KW, c_in, c_out); b starts at zero.
    """

    def apply(self, x):
        """y = down(x)."""
        return self.down(x)  # (N, Y, X, c_out)

    def adjoint(self, dy, in_shape=None):
        """dx = up(dy). Several sizes of x give the same size of y; in_shape says which it was."""
        return self.up(dy, in_shape[1:3] if in_shape else self.smallest(dy.shape[1:3]))

    def weight_grad(self, x, dy):
        """dw, for in apply it was: y = down(x)."""
        return self.down_weight_grad(x, dy)  # (KH, KW, c_in, c_out)


class ConvTranspose2D(_Convolution):
    """y = up(x) + b: enlarge images, to (Y - 1) SH - 2 PH + KH + output_padding rows.

    Parameters
    ----------
    c_in, c_out : int
    kernel : int or (int, int)
    stride : int or (int, int)
    padding : int or (int, int)
        Rows and columns taken off each side of y.
    output_padding : int or (int, int), less than the stride
        Rows and columns added at the end of y. Images of several sizes go ``down`` to one size;
        this number chooses between them.
    bias : bool
    init : callable, (rng, shape) -> array
        Draws w (KH, KW, c_out, c_in); b starts at zero.
    """

    transposed = True

    def __init__(
        self, c_in: int, c_out: int, *, padding: Pair = 0, output_padding: Pair = 0, **options: Any
    ):
        checked(lambda p: not isinstance(p, str), self, "a number of pixels", padding=padding)
        super().__init__(c_in, c_out, padding=padding, **options)
        self.output_padding = sizes(self, 0, pair=True, output_padding=output_padding)
        fits = all(o < s for o, s in zip(self.output_padding, self.stride, strict=True))
        checked(
            lambda _: fits, self, f"less than stride {self.stride}", output_padding=output_padding
        )

    def apply(self, x):
        """y = up(x)."""
        self.expect(x, "N", "Y", "X", self.c_in)
        smallest = self.smallest(x.shape[1:3])
        size = tuple(n + o for n, o in zip(smallest, self.output_padding, strict=True))
        if min(size) < 1:
            self.refuse("at least one pixel of output", f"{size} from input of shape {x.shape}")
        return self.up(x, size)  # (N, H, W, c_out)

    def adjoint(self, dy, in_shape=None):
        """dx = down(dy), for in apply it was: y = up(x)."""
        return self.down(dy)  # (N, Y, X, c_in)

    def weight_grad(self, x, dy):
        """dw, for in apply it was: y = up(x); so x is the smaller image, and dy the larger one."""
        return self.down_weight_grad(dy, x)  # (KH, KW, c_out, c_in)
