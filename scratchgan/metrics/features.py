"""How near generated samples are to real ones, measured on their features.

A feature vector is what a classifier has in its last hidden layer, say: (N, F), one row a sample.
Whatever the features are, compare a score with that of real against real: its floor.
"""

import numpy as np

__all__ = ["frechet_distance", "precision_recall"]


def frechet_distance(real, fake):
    """Distance of the two Gaussians that fit the features: the FID, without the "inception".

    |m_r - m_f|^2 + trace(C_r + C_f - 2 (C_r C_f)^(1/2)), with means m and covariances C.
    Heusel et al., 2017, equation 6.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        Two rows or more of each; many more than F, for the covariances to mean something.

    Returns
    -------
    float
    """
    real, fake = _features(real, "real"), _features(fake, "fake")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"features {real.shape} and {fake.shape} given, equal widths wanted")
    between = real.mean(0) - fake.mean(0)
    C_r, C_f = np.atleast_2d(np.cov(real.T)), np.atleast_2d(np.cov(fake.T))
    # trace (C_r C_f)^(1/2) is that of the symmetric (C_r^(1/2) C_f C_r^(1/2))^(1/2).
    values, vectors = np.linalg.eigh(C_r)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ C_f @ root), 0)).sum()
    return float(between @ between + np.trace(C_r) + np.trace(C_f) - 2 * cross)


def precision_recall(real, fake, k=3):
    """Share of fake samples that look real, and share of real ones that are covered by fakes.

    A set's manifold is the union of balls around its points, each reaching to the k-th neighbour.
    Precision is the share of fakes in the manifold of the reals, recall the reverse.
    Kynkäänniemi et al., 2019, equations 1 and 2.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        More than k rows of each.
    k : int

    Returns
    -------
    precision, recall : float
    """
    from sklearn.neighbors import NearestNeighbors

    real, fake = _features(real, "real"), _features(fake, "fake")

    def share(points, of):
        """Share of ``points`` in the manifold of ``of``."""
        neighbours = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(of)
        radius = neighbours.kneighbors(of)[0][:, -1]  # (len(of),): the nearest is the point itself
        inside = 0
        for start in range(0, len(points), 512):  # bounds the memory of the distances
            block = points[start : start + 512]
            squared = (block**2).sum(1)[:, None] - 2 * block @ of.T + (of**2).sum(1)
            inside += int((squared <= radius**2).any(1).sum())
        return inside / len(points)

    return share(fake, real), share(real, fake)


def _features(a, name):
    a = np.asarray(a, float)
    if a.ndim != 2 or len(a) < 2 or not np.isfinite(a).all():
        raise ValueError(f"{name}: shape {a.shape} given, two finite rows (N, F) or more wanted")
    return a
