"""Noisy curves in the plane: one-dimensional data in a space of two dimensions."""

import numpy as np

from .toys import blur, check_count


def swiss_roll(n: int, rng: np.random.Generator, *, noise: float = 0.05) -> np.ndarray:
    """Draw from a spiral of one and a half turns: (2 a / 4.5 pi) (cos a, sin a) + noise.

    The angle a is uniform in [1.5 pi, 4.5 pi], so the curve ends at radius 2 and is densest at its
    inner end, radius 2/3. Gulrajani et al., 2017 (WGAN-GP), show critics on such a roll.

    Parameters
    ----------
    n : int
        How many points.
    rng : numpy.random.Generator
    noise : float
        The standard deviation of Gaussian noise, in each coordinate.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ValueError
        If `n` is below 1 or `noise` negative.
    """
    check_count("n", n)
    a = np.pi * rng.uniform(1.5, 4.5, n)
    x = 2 * a / (4.5 * np.pi) * np.stack([np.cos(a), np.sin(a)])  # (2, n)
    return blur(x.T, rng, "noise", noise)


def two_moons(n: int, rng: np.random.Generator, *, noise: float = 0.05) -> np.ndarray:
    """Draw from two interleaved half circles of radius 4/3, which no straight line separates.

    s (cos a - 1/2, sin a - 1/4) + noise with s = +-4/3 and a uniform in [0, pi]; without noise
    the points lie in [-2, 2] x [-1, 1].

    Parameters
    ----------
    n : int
        How many points.
    rng : numpy.random.Generator
    noise : float
        The standard deviation of Gaussian noise, in each coordinate.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ValueError
        If `n` is below 1 or `noise` negative.
    """
    check_count("n", n)
    s = rng.choice([-4 / 3, 4 / 3], n)
    a = rng.uniform(0, np.pi, n)
    x = s * np.stack([np.cos(a) - 1 / 2, np.sin(a) - 1 / 4])  # (2, n)
    return blur(x.T, rng, "noise", noise)
