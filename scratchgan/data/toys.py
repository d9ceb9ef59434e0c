"""Mixtures of equal Gaussians in the plane, a ring and a grid, on which lost modes are counted.

Metz et al., 2017 (unrolled GANs); Srivastava et al., 2017 (VEEGAN); Lin et al., 2018 (PacGAN),
section 4.1, whose numbers are the defaults here.
"""

import math

import numpy as np


def ring(
    n: int, rng: np.random.Generator, *, modes: int = 8, radius: float = 1.0, sigma: float = 0.01
) -> np.ndarray:
    """Draw from equal Gaussians whose means stand on a circle.

    Parameters
    ----------
    n : int
        How many points.
    rng : numpy.random.Generator
    modes : int
        The number of Gaussians.
    radius : float
        Radius of the circle.
    sigma : float
        The standard deviation of each Gaussian, in each coordinate.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ValueError
        If `n` or `modes` is below 1, `radius` not positive, or `sigma` negative.
    """
    return _mixture(n, rng, ring_modes(modes, radius), sigma)


def ring_modes(modes: int = 8, radius: float = 1.0) -> np.ndarray:
    """Return the means of `ring`: radius * (cos a, sin a) with a = 2 pi k / modes.

    Parameters
    ----------
    modes, radius
        As for `ring`.

    Returns
    -------
    ndarray of float64, shape (modes, 2)
        The first is at angle 0.
    """
    check_count("modes", modes)
    _check_length("radius", radius)
    a = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(a), np.sin(a)], axis=1)  # (modes, 2)


def grid(
    n: int, rng: np.random.Generator, *, side: int = 5, spacing: float = 2.0, sigma: float = 0.05
) -> np.ndarray:
    """Draw from equal Gaussians whose means stand on a square grid around the origin.

    Parameters
    ----------
    n : int
        How many points.
    rng : numpy.random.Generator
    side : int
        The number of Gaussians along each side; there are side^2.
    spacing : float
        The distance of neighbouring means.
    sigma : float
        The standard deviation of each Gaussian, in each coordinate.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ValueError
        If `n` or `side` is below 1, `spacing` not positive, or `sigma` negative.
    """
    return _mixture(n, rng, grid_modes(side, spacing), sigma)


def grid_modes(side: int = 5, spacing: float = 2.0) -> np.ndarray:
    """Return the means of `grid`: {-4, -2, 0, 2, 4}^2 for the defaults.

    Parameters
    ----------
    side, spacing
        As for `grid`.

    Returns
    -------
    ndarray of float64, shape (side^2, 2)
    """
    check_count("side", side)
    _check_length("spacing", spacing)
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)


def blur(x: np.ndarray, rng: np.random.Generator, name: str, sigma: float) -> np.ndarray:
    """Add Gaussian noise to points.

    Parameters
    ----------
    x : ndarray, shape (n, 2)
    rng : numpy.random.Generator
    name : str
        The caller's name for `sigma`, for the error.
    sigma : float
        The noise's standard deviation, in each coordinate.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ValueError
        If `sigma` is negative or not finite.
    """
    if not 0 <= sigma < math.inf:
        raise ValueError(f"{name}: expected a finite number of at least 0, got {sigma}")
    return (x + sigma * rng.standard_normal(x.shape)).astype(np.float32)


def check_count(name: str, value: int) -> None:
    """Raise a ValueError that gives the name of a value below 1."""
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")


def _check_length(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"{name}: expected a finite number above 0, got {value}")


def _mixture(n, rng, means, sigma):
    check_count("n", n)
    return blur(means[rng.integers(len(means), size=n)], rng, "sigma", sigma)
