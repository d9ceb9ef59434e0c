"""How many modes of a known distribution the samples reach, and how evenly.

Table 1 (ring and grid) and table 2 (stacked MNIST) of Lin et al., 2018 (PacGAN).
"""

from typing import NamedTuple

import numpy as np

__all__ = ["ModeCount", "count_classes", "count_modes"]


class ModeCount(NamedTuple):
    """What `count_modes` finds.

    Attributes
    ----------
    modes : int
        How many modes have a good sample.
    good : float
        The share of the samples that are good, 0 to 1.
    reverse_kl : float
        How unevenly the good samples fall on the K modes: 0 (evenly) to log K (on one only); NaN
        where no sample is good.
    """

    modes: int
    good: float
    reverse_kl: float


def count_modes(samples, centres, sigma):
    """Count the modes of a mixture of K equal Gaussians that the samples reach.

    A sample belongs to the nearest centre, and is good if it lies within 3 sigma of it. With p_k
    the share of mode k among the good samples,

        reverse_kl = KL(p || uniform) = sum_k p_k log(p_k K).

    Lin et al., 2018, section 4.1. That bad samples stay out of p is how the authors' own code
    counts (`MetricLogger`, github.com/fjxmlzn/PacGAN); it logs the entropy of p, which is
    log K - reverse_kl.

    Of a perfect sampler in the plane 1 - exp(-9/2) = 98.89 % of the samples are good, and its
    reverse KL is about (K - 1) / (2 N), not 0: for N = 2,500, 0.0014 on the ring of 8 modes and
    0.0049 on the grid of 25.

    Parameters
    ----------
    samples : array (N, D)
    centres : array (K, D)
        The means of the Gaussians, from `scratchgan.data.ring_modes`, say.
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
        raise ValueError(
            f"samples {samples.shape} and centres {centres.shape} given, equal widths wanted"
        )
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma is {sigma}; wanted a finite number above 0")
    squared = np.stack([((samples - centre) ** 2).sum(1) for centre in centres], 1)  # (N, K)
    good = squared.min(1) <= (3 * sigma) ** 2  # (N,)
    counts = np.bincount(squared.argmin(1)[good], minlength=len(centres))  # (K,)
    return ModeCount(int((counts > 0).sum()), float(good.mean()), _kl_to_uniform(counts))


def count_classes(labels, classes):
    """Count the classes that the samples reach, by the labels a classifier gives them.

    With p_k the share of class k among all samples, kl = KL(p || uniform) = sum_k p_k log(p_k K).
    For stacked MNIST, K = 1000: Lin et al., 2018, table 2, with N = 26,000. A perfect sampler has
    a kl of about 0.024 there: (K - 1) / (2 N) = 0.019 because N is finite, and 0.004 because
    MNIST's ten digits are not equally many.

    Parameters
    ----------
    labels : array of integers (N,)
        The predicted class of each sample, 0 to ``classes`` - 1.
    classes : int
        K, how many there are.

    Returns
    -------
    modes : int
        How many classes have a sample.
    kl : float
        0 (all classes alike) to log K (one class only).

    Raises
    ------
    ValueError
        If `labels` are not such integers, or none.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "ui" or labels.ndim != 1 or len(labels) == 0:
        raise ValueError(
            f"labels: {labels.dtype} of shape {labels.shape} given, one integer a sample wanted"
        )
    if not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels: {labels.min()} to {labels.max()} given, 0 to {classes - 1} wanted"
        )
    counts = np.bincount(labels.astype(np.int64), minlength=classes)  # (K,)
    return int((counts > 0).sum()), _kl_to_uniform(counts)


def _kl_to_uniform(counts):
    """KL of the shares ``counts / counts.sum()`` to 1/K each; NaN where all counts are 0."""
    total = counts.sum()
    if total == 0:
        return float("nan")
    hit = counts[counts > 0]  # 0 log 0 = 0
    return float((hit / total * np.log(hit * len(counts) / total)).sum())


def _points(a, name):
    a = np.asarray(a, float)
    if a.ndim != 2 or a.size == 0 or not np.isfinite(a).all():
        raise ValueError(f"{name}: shape {a.shape} given, finite points (N, D) wanted")
    return a
