"""The Fréchet distance of generated samples to real ones, computed from their features: the FID.

A sample's features are, for example, the last hidden layer of a classifier: (N, F), one row for
each sample. Whatever the features are, compare a score with its floor: the score of real samples
against other real samples. See ``neighbours.py`` and ``kernel.py`` for the other measures, and
``intervals.py`` for how far a score can be trusted.
"""

import numpy as np


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Distance between Gaussians fitted to the real and the fake features: the FID.

    |m_r - m_f|^2 + trace(C_r + C_f - 2 (C_r C_f)^(1/2)), with means m and covariances C.
    Heusel et al., 2017, equation 6. They take the features of the Inception network.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        More rows than features. The distance of finite samples is too large, the more so the fewer
        there are: compare only scores of equal N and M.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the features are not such arrays, or not finite; if N or M is at most F: a covariance is
        singular then, and the distance is that of the few samples, not of what they come from.
    """
    real, fake = as_features(real, fake)
    F = real.shape[1]
    for name, a in (("real", real), ("fake", fake)):
        if len(a) <= F:
            why = f"the covariance of {F} features needs them"
            cure = f"take more samples, or a judge of fewer than {len(a)} features"
            raise ValueError(f"{name}: expected at least {F + 1} rows, got {len(a)}: {why}; {cure}")
    centre = real.mean(0)
    real, fake = real - centre, fake - centre  # the distance stays; less is rounded near 0
    between = real.mean(0) - fake.mean(0)
    C_r, C_f = np.atleast_2d(np.cov(real.T)), np.atleast_2d(np.cov(fake.T))
    # trace (C_r C_f)^(1/2) = trace (C_r^(1/2) C_f C_r^(1/2))^(1/2), a symmetric matrix.
    values, vectors = np.linalg.eigh(C_r)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ C_f @ root), 0)).sum()
    return float(between @ between + np.trace(C_r) + np.trace(C_f) - 2 * cross)


def as_features(
    real: np.ndarray, fake: np.ndarray, least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Return both feature arrays in float64.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
    least : int
        The smallest N and M allowed.

    Raises
    ------
    ValueError
        If one is another array, too short, or not finite, or their widths differ.
    """
    real, fake = np.asarray(real, float), np.asarray(fake, float)
    for name, a in (("real", real), ("fake", fake)):
        if a.ndim != 2 or len(a) < least or a.shape[1] == 0:
            rows = "two" if least == 2 else least
            got = f"got shape {a.shape}"
            raise ValueError(f"{name}: expected {rows} or more finite rows (N, F), {got}")
        if not np.isfinite(a).all():
            bad = int((~np.isfinite(a)).any(1).sum())
            got = f"got shape {a.shape} with NaN or infinity in {bad} of them"
            cure = "look at these samples, and at what made the features"
            raise ValueError(f"{name}: expected two or more finite rows (N, F), {got}; {cure}")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"features: expected equal widths, got {real.shape} and {fake.shape}")
    return real, fake
