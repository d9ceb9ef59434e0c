"""Convolution and transposed convolution: one pair of formulas, read in two directions.

Letters: N batch; H, W the larger image with C channels; Y, X the smaller image with O channels;
KH, KW the kernel; SH, SW the stride; w (KH, KW, C, O). Images have their channels last.

    down : (N, H, W, C) -> (N, Y, X, O)     each pixel of y looks at a KH x KW patch of x
    up   : (N, Y, X, O) -> (N, H, W, C)     its adjoint: each pixel paints such a patch

`Conv2D` applies ``down`` and goes back by ``up``; `ConvTranspose2D` exchanges the two, and
nothing else. How both become matrix products: ``backend/conv_reference.py``, which is the one to
read, and ``conv_fast.py``, which is the one that NumPy runs.
"""

from ..backend import ops_of
from .base import LinearMap, Param, ShapeError
from .init import glorot, zeros

__all__ = ["Conv2D", "ConvTranspose2D"]


class _Convolution(LinearMap):
    """Weights and geometry of the convolution ``down`` from ``c_large`` to ``c_small`` channels."""

    def __init__(self, c_large, c_small, kernel, stride, padding, init):
        self.kernel = _pair("kernel", kernel, least=1)
        self.stride = _pair("stride", stride, least=1)
        self.padding = padding if padding == "same" else _pair("padding", padding, least=0)
        self.w = Param(shape=(*self.kernel, c_large, c_small), init=init)

    def reset(self, rng, ops, dtype):
        """Convolutions bring threads of their own."""
        ops.limit_blas_threads()

    def down(self, x):
        """y[n, i, j] = sum over p, q of x[n, i * SH + p - PH, j * SW + q - PW] w[p, q]."""
        self.expect(x, "N", "H", "W", self.w.shape[2])
        pads = self.pads(x.shape[1:3])
        if any(n + sum(p) < k for n, p, k in zip(x.shape[1:3], pads, self.kernel, strict=True)):
            raise ShapeError(f"{self}: input of shape {x.shape} given, smaller than the kernel")
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
        """((top, bottom), (left, right)) for a large image of this size (H, W)."""
        if self.padding != "same":
            return tuple((p, p) for p in self.padding)
        # ceil(H / SH) patches of KH rows, SH apart, reach this many rows beyond the image:
        each = zip(size, self.kernel, self.stride, strict=True)
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in each]
        return tuple((t // 2, t - t // 2) for t in total)

    def smallest(self, out):
        """The smallest size (H, W) that goes down to ``out`` (Y, X)."""
        if self.padding == "same":
            return tuple((n - 1) * s + 1 for n, s in zip(out, self.stride, strict=True))
        each = zip(out, self.kernel, self.stride, self.padding, strict=True)
        return tuple((n - 1) * s + k - 2 * p for n, k, s, p in each)

    def __repr__(self):
        channels = f"{self.c_in}, {self.c_out}"
        geometry = f"kernel={self.kernel}, stride={self.stride}, padding={self.padding!r}"
        return f"{type(self).__name__}({channels}, {geometry})"


class Conv2D(_Convolution):
    """y = down(x) + b. (The kernel is not flipped, as everywhere in the field.)

    Parameters
    ----------
    c_in, c_out : int
    kernel : int or (int, int)
    stride : int or (int, int)
    padding : int, (int, int) or "same"
        Rows and columns of zeros on each side of x; "same" pads, at the end more than at the
        start where it must, to Y = ceil(H / SH).
    bias : bool
    init : callable, (rng, shape) -> array
        Draws w (KH, KW, c_in, c_out); b starts at zero.
    """

    def __init__(self, c_in, c_out, *, kernel, stride=1, padding=0, bias=True, init=glorot):
        super().__init__(c_in, c_out, kernel, stride, padding, init)
        self.c_in, self.c_out = c_in, c_out
        self.b = Param(shape=(c_out,), init=zeros) if bias else None

    def apply(self, x):
        """y = down(x)."""
        return self.down(x)  # (N, Y, X, c_out)

    def adjoint(self, dy, in_shape=None):
        """dx = up(dy). Several sizes of x may share one of y; the smallest, if not told."""
        return self.up(dy, in_shape[1:3] if in_shape else self.smallest(dy.shape[1:3]))

    def weight_grad(self, x, dy):
        """dw, for in apply it was: y = down(x)."""
        return self.down_weight_grad(x, dy)  # (KH, KW, c_in, c_out)


class ConvTranspose2D(_Convolution):
    """y = up(x) + b: it enlarges images. Rows: (H - 1) SH - 2 PH + KH + output_padding.

    Parameters
    ----------
    c_in, c_out : int
    kernel : int or (int, int)
    stride : int or (int, int)
    padding : int or (int, int)
        Rows and columns taken off each side of y.
    output_padding : int or (int, int), less than the stride
        Rows and columns added at the end of y: which of the sizes that go down to one is meant.
    bias : bool
    init : callable, (rng, shape) -> array
        Draws w (KH, KW, c_out, c_in); b starts at zero.
    """

    def __init__(
        self, c_in, c_out, *, kernel, stride=1, padding=0, output_padding=0, bias=True, init=glorot
    ):
        if padding == "same":
            raise ValueError("ConvTranspose2D(padding='same') given, a number of pixels wanted")
        super().__init__(c_out, c_in, kernel, stride, padding, init)
        self.c_in, self.c_out = c_in, c_out
        self.output_padding = _pair("output_padding", output_padding, least=0)
        if any(o >= s for o, s in zip(self.output_padding, self.stride, strict=True)):
            raise ValueError(
                f"{self}: output_padding={output_padding!r} given, less than the stride wanted"
            )
        self.b = Param(shape=(c_out,), init=zeros) if bias else None

    def apply(self, x):
        """y = up(x)."""
        self.expect(x, "N", "Y", "X", self.c_in)
        smallest = self.smallest(x.shape[1:3])
        size = tuple(n + o for n, o in zip(smallest, self.output_padding, strict=True))
        if min(size) < 1:
            raise ShapeError(f"{self}: input of shape {x.shape} given, no pixel of it is left")
        return self.up(x, size)  # (N, H, W, c_out)

    def adjoint(self, dy, in_shape=None):
        """dx = down(dy), for in apply it was: y = up(x)."""
        return self.down(dy)  # (N, Y, X, c_in)

    def weight_grad(self, x, dy):
        """dw: x is on the small side here, dy on the large one."""
        return self.down_weight_grad(dy, x)  # (KH, KW, c_out, c_in)


def _pair(what, value, least):
    """(n, n) for an int n, and a pair as it is."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(n, int) and n >= least for n in pair):
        raise ValueError(f"{what}={value!r} given, an int or a pair of ints >= {least} wanted")
    return pair
