"""A learned vector for each class: how a label enters a network."""

from ..backend import ops_of
from .base import Layer, Param, ShapeError
from .init import normal

__all__ = ["Embedding"]

STANDARD = normal(1.0)  # N(0, 1)


class Embedding(Layer):
    """y_n = w[labels_n]: row k of w is the vector of class k.

    Letters: N batch, K classes, W width; labels (N,), w (K, W), y (N, W).

    It is the linear map y = H w of the one-hot rows H (N, K), H_nk = 1 where labels_n = k, without
    the product: forward picks the rows. Labels are no numbers that could move a little, so there
    is no dx.

    Parameters
    ----------
    classes, width : int
        K and W.
    init : callable, (rng, shape) -> array
        Draws w. A row is not a sum over inputs, so that N(0, 1) does for any K.
    """

    def __init__(self, classes, width, *, init=STANDARD):
        self.w = Param(shape=(classes, width), init=init)

    def forward(self, labels, train=True):
        """Pick a row of w for each label.

        Parameters
        ----------
        labels : integer array (N,)
            From 0 to K - 1. One on the host is copied to where w is.
        train : bool

        Returns
        -------
        y : array (N, W)
        cache : object

        Raises
        ------
        ShapeError
            Other than integers of shape (N,), or out of range. The range is looked at on the host
            only: to know labels that are on a device, the host would have to wait for it. There
            one out of range takes some other row.
        """
        if self.theta is None:
            self.initialized()
        on_host = ops_of(labels).on_host
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ShapeError(
                f"{self}: labels of shape {labels.shape} and dtype {labels.dtype} given, "
                "integers of shape (N,) wanted"
            )
        K = self.w.shape[0]
        if on_host and not (labels.min(initial=0) >= 0 and labels.max(initial=0) < K):
            raise ShapeError(
                f"{self}: labels from {labels.min()} to {labels.max()} given, 0 to {K - 1} wanted"
            )
        labels = ops_of(self.w.value).asarray(labels)
        return self.w.value[labels], labels  # (N, W)

    def backward(self, dy, cache, into_params=True):
        """dw += H^T dy: row k is the sum of dy_n over the n of class k. Returns None: no dx.

        ``w.grad[labels] += dy`` would count a class that occurs twice only once. The product
        counts each, and is the same few operations on every backend; next to the dense layers of
        a network its N K W multiplications are little.
        """
        if into_params:
            ops = ops_of(dy)
            H = (cache[:, None] == ops.xp.arange(self.w.shape[0])).astype(dy.dtype)  # (N, K)
            self.w.grad += ops.matmul(H.T, dy)  # (K, W)

    def double_backward(self, t, dy, cache):
        """B = <J t, dy> = 0, whatever t: labels do not move."""
        return ops_of(dy).xp.zeros_like(dy), None

    def __repr__(self):
        return f"{type(self).__name__}{self.w.shape}"
