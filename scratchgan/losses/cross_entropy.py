"""Cross-entropies of logits, each with its gradient."""

import numpy as np

from ..backend import Array, ops_of
from ..layers.base import ShapeError, expect_floats


def expect_logits(owner: str, *logits: Array) -> None:
    """Raise ShapeError unless all are arrays of floats and hold a number; ``owner`` is the loss."""
    expect_floats(owner, "logits", *logits)
    if not all(a.size for a in logits):
        raise ShapeError(f"{owner}: expected at least one logit, got an empty batch")


def binary_cross_entropy(logits: Array, target: float | Array) -> tuple[Array, Array]:
    """Mean of -target log D - (1 - target) log(1 - D), with D = sigmoid(logits).

    Parameters
    ----------
    logits : array (N, ...)
    target : float in [0, 1], or array of the shape of logits

    Returns
    -------
    value : scalar
    dlogits : array, the shape of logits

    Raises
    ------
    ValueError
        The target is an array of another shape.
    """
    expect_logits("binary_cross_entropy", logits)
    if np.shape(target) not in ((), logits.shape):
        raise ValueError(f"target: expected shape {logits.shape}, got {np.shape(target)}")
    ops = ops_of(logits)
    if np.shape(target):
        target = ops.asarray(target, logits.dtype)
    return ops.binary_cross_entropy(logits, target)


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Mean of -log p[label], with p = softmax(logits).

    Parameters
    ----------
    logits : array (N, K)
    labels : integer array (N,), values 0 to K - 1
        Only labels on the host are checked for their range, as in `Embedding`: for labels on a
        device, the host would have to wait.

    Returns
    -------
    value : scalar
    dlogits : array (N, K)

    Raises
    ------
    ValueError
        The labels are not N integers in that range.
    """
    expect_logits("softmax_cross_entropy", logits)
    N, K = logits.shape
    ops = ops_of(logits)
    xp, on_host = ops.xp, ops.on_host or not isinstance(labels, ops.xp.ndarray)
    labels = np.asarray(labels) if on_host else labels
    if labels.shape != (N,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {N} integers, got {labels.dtype} {labels.shape}")
    if on_host and N and not 0 <= labels.min() <= labels.max() < K:
        raise ValueError(f"labels: expected 0 to {K - 1}, got {labels.min()} to {labels.max()}")
    labels = ops.asarray(labels)
    shifted = logits - logits.max(1, keepdims=True)  # (N, K): e^shifted cannot overflow
    e = xp.exp(shifted)
    total = e.sum(1, keepdims=True)  # (N, 1)
    rows = xp.arange(N)
    value = (xp.log(total[:, 0]) - shifted[rows, labels]).mean()
    dlogits = e / total
    dlogits[rows, labels] -= 1  # d value/da = p - [k = label]
    return value, dlogits / N
