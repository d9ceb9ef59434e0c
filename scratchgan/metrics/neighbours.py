"""Measures from the nearest neighbours of features: quality, variety, and copies.

Letters: N real samples, M fake ones, F features. Around each sample there is a ball that reaches to
its k-th nearest neighbour in its own set; a set's manifold is the union of its balls. A sample on a
ball's very edge is outside, as in the code of Naeem et al.
"""

from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from .features import as_features

AT_ONCE = 1 << 22  # distances computed at a time: bounds the memory


class Balls(NamedTuple):
    """How the samples of two sets lie in each other's balls, from `balls`.

    Attributes
    ----------
    holding : integer array (M,)
        How many balls of real samples hold each fake one.
    recalled : bool array (N,)
        Whether a ball of a fake sample holds the real one.
    covered : bool array (N,)
        Whether the real sample's own ball holds a fake one.
    """

    holding: np.ndarray
    recalled: np.ndarray
    covered: np.ndarray


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Share of fake samples that look real, and share of real ones that the fakes cover.

    Precision is the share of fakes in the manifold of the reals, recall the share of reals in the
    manifold of the fakes. Kynkäänniemi et al., 2019, equations 1 and 2.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        More than k rows each.
    k : int

    Returns
    -------
    precision, recall : float

    Raises
    ------
    ValueError
        If the features are not such arrays, or not finite, or k is below 1.
    """
    (found,) = balls(real, fake, k)
    return float((found.holding > 0).mean()), float(found.recalled.mean())


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Mean number of real balls around a fake sample, by k, and share of real balls with a fake.

    An outlier among the reals has a large ball: it alone can raise precision, but hardly density.
    Recall grows with fakes spread far apart; coverage does not. Both are about 1 for real samples:
    density is not bounded, coverage is 1 - 2^-k for equally many. Naeem et al., 2020, equations 4
    and 5.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        More than k rows each.
    k : int

    Returns
    -------
    density, coverage : float

    Raises
    ------
    ValueError
        If the features are not such arrays, or not finite, or k is below 1.
    """
    (found,) = balls(real, fake, k)
    return float(found.holding.mean() / k), float(found.covered.mean())


def balls(real: np.ndarray, fake: np.ndarray, *ks: int) -> list[Balls]:
    """Find who lies in whose ball; the distances are computed once for several k.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
    *ks : int

    Returns
    -------
    list of Balls
        One for each k.
    """
    if min(ks) < 1:
        raise ValueError(f"k: expected 1 or more, got {min(ks)}")
    real, fake = _centred(real, fake, max(ks) + 1)
    r_real, r_fake = _radii(real, ks), _radii(fake, ks)  # (N, len(ks)), (M, len(ks))
    N, M = len(real), len(fake)
    found = [Balls(np.zeros(M, int), np.empty(N, bool), np.empty(N, bool)) for _ in ks]
    for rows, d in _squared_distances(real, fake):  # (rows, M)
        for i, (holding, recalled, covered) in enumerate(found):
            inside = d < r_real[rows, i, None]
            holding += inside.sum(0)
            covered[rows] = inside.any(1)
            recalled[rows] = (d < r_fake[:, i]).any(1)
    return found


def nearest(
    points: np.ndarray, of: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest neighbour of each sample in a set, such as the training images.

    A generator that copies is nearer to the training images than held-out real ones are: compare
    the distances of both. Meehan et al., 2020, section 3.

    Parameters
    ----------
    points : array (M, F)
    of : array (N, F)
        The set that is searched.
    own : integer array (M,), optional
        If the points are in the set themselves: their rows, which are left out in turn.

    Returns
    -------
    distance : array (M,)
    index : integer array (M,)
        The neighbour's row.
    """
    of, points = _centred(of, points)
    distance, index = np.empty(len(points)), np.empty(len(points), int)
    for rows, d in _squared_distances(points, of):  # (rows, N)
        i = np.arange(len(d))
        if own is not None:
            d[i, own[rows]] = np.inf
        index[rows] = d.argmin(1)
        distance[rows] = np.sqrt(d[i, index[rows]])
    return distance, index


def _radii(points, ks):
    """Squared distance of each sample to its k-th neighbours in its own set: (N, len(ks))."""
    radii = np.empty((len(points), len(ks)))
    for rows, d in _squared_distances(points, points):
        radii[rows] = np.partition(d, ks, 1)[:, ks]  # the 0-th is the sample itself
    return radii


def _squared_distances(points, of):
    """Yield squared distances (rows, N), a few rows at a time, and which rows they are."""
    norms = (of**2).sum(1)
    step = max(1, AT_ONCE // len(of))
    for start in tqdm(range(0, len(points), step), desc="distances", delay=1, leave=False):
        block = points[start : start + step]
        d = (-2 * block) @ of.T  # (rows, N); the rest is done in place, for it costs as much
        d += norms
        d += (block**2).sum(1)[:, None]
        yield slice(start, start + len(block)), np.maximum(d, 0, out=d)


def _centred(real, fake, least=2):
    """Return both, moved so that the real sample in their middle is 0.

    Near 0, less is rounded. Whole numbers stay whole, and equal distances equal.
    """
    real, fake = as_features(real, fake, least)
    middle = real[((real - real.mean(0)) ** 2).sum(1).argmin()]
    return real - middle, fake - middle
