"""A learned vector for each class: this is how a label enters a network."""

from ..backend import ops_of
from .base import Layer, Param
from .init import Initialiser, normal
from .options import size

STANDARD = normal(1.0)  # N(0, 1)


class Embedding(Layer):
    """y_n = w[labels_n]: row k of w is the vector of class k.

    Letters: N batch, K classes, W width; labels (N,), w (K, W), y (N, W).

    It is the linear map y = H w of the one-hot rows H (N, K), H_nk = 1 where labels_n = k. Forward
    does not compute the product: it picks the rows. Labels are not continuous, so there is no dx.

    Parameters
    ----------
    classes, width : int
        K and W.
    init : callable, (rng, shape) -> array
        Draws w. No output sums over the rows, so N(0, 1) is right for any K.
    """

    def __init__(self, classes: int, width: int, *, init: Initialiser = STANDARD):
        shape = size(self, classes=classes), size(self, width=width)
        self.w = Param(shape=shape, init=init)

    def forward(self, labels, train=True):
        """Pick a row of w for each label.

        Parameters
        ----------
        labels : integer array (N,)
            From 0 to K - 1. An array on the host is copied to where w is.
        train : bool

        Returns
        -------
        y : array (N, W)
        cache : object

        Raises
        ------
        ShapeError
            The labels are not integers of shape (N,), or out of range. Only labels on the host are
            checked for their range: for labels on a device, the host would have to wait. There a
            label out of range picks another row, without an error.
        """
        if self.theta is None:
            self.initialized()  # raises, and says what to do
        on_host = ops_of(labels).on_host
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            self.refuse("integer labels of shape (N,)", f"{labels.dtype} of shape {labels.shape}")
        K = self.w.shape[0]
        if on_host and not (labels.min(initial=0) >= 0 and labels.max(initial=0) < K):
            self.refuse(f"labels from 0 to {K - 1}", f"{labels.min()} to {labels.max()}")
        labels = ops_of(self.w.value).asarray(labels)
        return self.w.value[labels], labels  # (N, W)

    def backward(self, dy, cache, into_params=True):
        """dw += H^T dy: row k is the sum of dy_n over all n of class k. Return None: no dx exists.

        ``w.grad[labels] += dy`` would add a class that occurs twice only once. The product adds
        each, and is the same few operations on every backend. Its N K W multiplications are few
        compared with those of a dense layer.
        """
        if into_params:
            ops = ops_of(dy)
            H = (cache[:, None] == ops.xp.arange(self.w.shape[0])).astype(dy.dtype)  # (N, K)
            self.w.grad += ops.matmul(H.T, dy)  # (K, W)

    def double_backward(self, t, dy, cache):
        """B = <J t, dy> = 0 for every t, because labels are not continuous."""
        return ops_of(dy).xp.zeros_like(dy), None

    def __repr__(self):
        return f"{type(self).__name__}{self.w.shape}"
