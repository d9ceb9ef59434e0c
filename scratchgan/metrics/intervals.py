"""How far a score can be trusted: its spread over samples that are drawn again."""

from collections.abc import Callable

import numpy as np


def bootstrap(
    statistic: Callable[..., float], *samples: np.ndarray, rounds: int = 500, seed: int = 0
) -> np.ndarray:
    """Compute a statistic of samples drawn again from the given ones, with replacement.

    The percentiles 2.5 and 97.5 of the result are an interval of 95 % for a mean, such as a share.
    Of a biased statistic, such as the Fréchet distance or a divergence, the result is shifted
    upwards, for it has the bias twice: use its standard deviation only.

    Parameters
    ----------
    statistic : callable, (arrays like ``samples``) -> float
    *samples : array (N, ...)
        Each is drawn from independently of the others.
    rounds : int
    seed : int

    Returns
    -------
    array (rounds,)

    References
    ----------
    Efron and Tibshirani, 1993, An introduction to the bootstrap, chapters 6 and 13.
    """
    rng = np.random.default_rng(seed)
    draws = ([a[rng.integers(0, len(a), len(a))] for a in samples] for _ in range(rounds))
    return np.array([statistic(*again) for again in draws])
