"""Scores of mode collapse: how many modes of a known distribution samples reach, how evenly.

Lin et al., 2018 (PacGAN), table 1 (ring and grid) and table 2 (stacked MNIST).
"""

from typing import NamedTuple

import numpy as np


class ModeCount(NamedTuple):
    """Result of `count_modes`.

    Attributes
    ----------
    modes : int
        The number of modes with a good sample.
    good : float
        The share of the samples that are good, 0 to 1.
    reverse_kl : float
        How unevenly the good samples fall on the K modes: 0 (evenly) to log K (all on one); NaN
        if no sample is good.
    """

    modes: int
    good: float
    reverse_kl: float


def count_modes(samples: np.ndarray, centres: np.ndarray, sigma: float) -> ModeCount:
    """Count the modes that the samples reach, in a mixture of K equal Gaussians.

    A sample belongs to the nearest centre. It is good if it lies within 3 sigma of it. With p_k the
    share of mode k among the good samples,

        reverse_kl = KL(p || uniform) = sum_k p_k log(p_k K).

    Lin et al., 2018, section 4.1. Their own code leaves bad samples out of p, too
    (`MetricLogger`, github.com/fjxmlzn/PacGAN); it logs the entropy of p, log K - reverse_kl.

    A perfect sampler in the plane has 1 - exp(-9/2) = 98.89 % good samples. Its reverse KL is about
    (K - 1) / (2 N), not 0: for N = 2,500, 0.0014 on the ring of 8 modes and 0.0049 on the grid of
    25.

    Parameters
    ----------
    samples : array (N, D)
    centres : array (K, D)
        The means of the Gaussians, from `scratchgan.data.ring_modes` for example.
    sigma : float
        Their standard deviation, in each coordinate.

    Returns
    -------
    ModeCount

    Raises
    ------
    ValueError
        If an array is empty, not finite, or of another shape, or `sigma` is not positive.
    """
    samples, centres = _points(samples, "samples"), _points(centres, "centres")
    if samples.shape[1] != centres.shape[1]:
        got = f"{samples.shape} and {centres.shape}"
        raise ValueError(f"samples and centres: expected equal widths, got {got}")
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma: expected a finite number above 0, got {sigma}")
    squared = np.stack([((samples - centre) ** 2).sum(1) for centre in centres], 1)  # (N, K)
    good = squared.min(1) <= (3 * sigma) ** 2  # (N,)
    counts = np.bincount(squared.argmin(1)[good], minlength=len(centres))  # (K,)
    return ModeCount(int((counts > 0).sum()), float(good.mean()), _kl_to_uniform(counts))


def count_classes(labels: np.ndarray, classes: int) -> tuple[int, float]:
    """Count the classes that the samples reach, by the labels that a classifier gives them.

    With p_k the share of class k among all samples, kl = KL(p || uniform) = sum_k p_k log(p_k K).
    Lin et al., 2018, table 2, count the K = 1000 classes of stacked MNIST, with N = 26,000. A
    perfect sampler has a kl of about 0.024 there: (K - 1) / (2 N) = 0.019 because N is finite, and
    0.004 because MNIST's ten digits are not equally frequent.

    Parameters
    ----------
    labels : array of integers (N,)
        The predicted class of each sample, 0 to ``classes`` - 1.
    classes : int
        Their number K.

    Returns
    -------
    modes : int
        The number of classes with a sample.
    kl : float
        0 (all classes equally often) to log K (one class only).

    Raises
    ------
    ValueError
        If `labels` is empty, or holds anything else.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "ui" or labels.ndim != 1 or len(labels) == 0:
        got = f"{labels.dtype} of shape {labels.shape}"
        raise ValueError(f"labels: expected one integer a sample, got {got}")
    low, high = labels.min(), labels.max()
    if not 0 <= low <= high < classes:
        raise ValueError(f"labels: expected 0 to {classes - 1}, got {low} to {high}")
    counts = np.bincount(labels.astype(np.int64), minlength=classes)  # (K,)
    return int((counts > 0).sum()), _kl_to_uniform(counts)


def _kl_to_uniform(counts):
    """KL divergence of the shares of ``counts`` from 1/K each; NaN if all counts are 0."""
    total = counts.sum()
    if total == 0:
        return float("nan")
    hit = counts[counts > 0]  # 0 log 0 = 0
    return float((hit / total * np.log(hit * len(counts) / total)).sum())


def _points(a, name):
    a = np.asarray(a, float)
    if a.ndim != 2 or a.size == 0 or not np.isfinite(a).all():
        raise ValueError(f"{name}: expected finite points (N, D), got shape {a.shape}")
    return a
