"""The fully connected layer: the simplest `LinearMap`, and the model for all others."""

from ..backend import ops_of
from .base import LinearMap, Param
from .init import Initialiser, glorot
from .options import size


class Dense(LinearMap):
    """y = x w + b.

    Letters: N batch, I inputs, O outputs; x (N, I), w (I, O), b (O,), y (N, O).

    Parameters
    ----------
    n_in, n_out : int
        I and O.
    bias : bool
        False leaves b out. Right before a BatchNorm, for example, b would have no effect.
    init : callable, (rng, shape) -> array
        Draws w; b starts at zero.
    """

    def __init__(self, n_in: int, n_out: int, *, bias: bool = True, init: Initialiser = glorot):
        self.w = Param(shape=(size(self, n_in=n_in), size(self, n_out=n_out)), init=init)
        self.b = Param(shape=self.w.shape[1:]) if bias else None

    def apply(self, x):
        """y = x w."""
        self.expect(x, "N", self.w.shape[0])
        return ops_of(x).matmul(x, self.w.value)  # (N, O)

    def adjoint(self, dy, in_shape=None):
        """dx = dy w^T, for in apply it was: y = x w."""
        return ops_of(dy).matmul(dy, self.w.value.T)  # (N, I)

    def weight_grad(self, x, dy):
        """dw = x^T dy, for in apply it was: y = x w."""
        return ops_of(x).matmul(x.T, dy)  # (I, O)

    def __repr__(self):
        return f"{type(self).__name__}{self.w.shape}"
