"""Scores of how near generated samples are to real ones, computed from their features.

A sample's features are, for example, the last hidden layer of a classifier: (N, F), one row for
each sample. Whatever the features are, compare a score with its floor: the score of real samples
against other real samples.
"""

import numpy as np


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Distance between Gaussians fitted to the real and the fake features: the FID.

    |m_r - m_f|^2 + trace(C_r + C_f - 2 (C_r C_f)^(1/2)), with means m and covariances C.
    Heusel et al., 2017, equation 6. They take the features of the Inception network.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        At least two rows each. With fewer than many times F rows, the covariances mean little.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the features are not such arrays, or not finite.
    """
    real, fake = _features(real, fake)
    between = real.mean(0) - fake.mean(0)
    C_r, C_f = np.atleast_2d(np.cov(real.T)), np.atleast_2d(np.cov(fake.T))
    # trace (C_r C_f)^(1/2) = trace (C_r^(1/2) C_f C_r^(1/2))^(1/2), a symmetric matrix.
    values, vectors = np.linalg.eigh(C_r)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ C_f @ root), 0)).sum()
    return float(between @ between + np.trace(C_r) + np.trace(C_f) - 2 * cross)


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Share of fake samples that look real, and share of real ones that the fakes cover.

    A set's manifold is the union of balls around its points, each reaching to the k-th neighbour.
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
    """
    from sklearn.neighbors import NearestNeighbors

    real, fake = _features(real, fake)

    def share(points, of):
        """Share of the points in the manifold of the set ``of``."""
        neighbours = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(of)
        radius = neighbours.kneighbors(of)[0][:, -1]  # (len(of),): the nearest is the point itself
        inside = 0
        for start in range(0, len(points), 512):  # bounds the memory of the distances
            block = points[start : start + 512]
            squared = (block**2).sum(1)[:, None] - 2 * block @ of.T + (of**2).sum(1)
            inside += int((squared <= radius**2).any(1).sum())
        return inside / len(points)

    return share(fake, real), share(real, fake)


def _features(real, fake):
    """Return both in float64, moved to where 0 is: no score changes, and less is rounded there."""
    real, fake = np.asarray(real, float), np.asarray(fake, float)
    for name, a in (("real", real), ("fake", fake)):
        if a.ndim != 2 or len(a) < 2 or not np.isfinite(a).all():
            got = f"got shape {a.shape}"
            raise ValueError(f"{name}: expected two or more finite rows (N, F), {got}")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"features: expected equal widths, got {real.shape} and {fake.shape}")
    centre = real.mean(0)
    return real - centre, fake - centre
