"""The kernel distance of generated samples to real ones (KID), with its standard error.

Letters: x, real features (N, F); y, fake ones (M, F); k, the kernel.
"""

import numpy as np
from tqdm.auto import tqdm

from .features import as_features

AT_ONCE = 1 << 22  # kernel values computed at a time: bounds the memory


def kid(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Return the squared kernel distance of fake to real features, the KID, and its standard error.

    With k(x, y) = (x.y / F + 1)^3, the unbiased estimate of the squared maximum mean discrepancy

        MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i,j} k(x_i, y_j)

    over all samples. It is 0 on average if both come from the same distribution, whatever N and M
    are, so it can be negative.

    The standard error is the root of the variance of this U-statistic. Split each kernel value
    into its mean, a part of each of the two samples, and the rest r: k(x, x') = mean + a(x) + a(x')
    + r_xx, k(y, y') = mean + d(y) + d(y') + r_yy, k(x, y) = mean + b(x) + c(y) + r_xy. All parts
    are uncorrelated, so

        Var = 4/N Var(a - b) + 4/M Var(d - c)
              + 2/(N (N-1)) E r_xx^2 + 2/(M (M-1)) E r_yy^2 + 4/(N M) E r_xy^2.

    The first line vanishes where the distributions are equal; then the second line is all. Each
    term is estimated without bias, and the result is not let below half of the second line.

    Parameters
    ----------
    real, fake : array (N, F), (M, F)
        At least four rows each.

    Returns
    -------
    value, standard_error : float

    Raises
    ------
    ValueError
        If the features are not such arrays, or not finite.

    References
    ----------
    Bińkowski et al., 2018 (MMD GANs), section 4: the kernel. Gretton et al., 2012, equation 3: the
    estimate. Sutherland et al., 2017, section 2, and Bounliphone et al., 2016: its variance; their
    second-order terms are those of N = M. Song et al., 2012, equation 5: E r_xx^2 without bias.
    """
    x, y = as_features(real, fake, least=4)
    N, M = len(x), len(y)
    # A number that is taken from all kernel values changes nothing below, but less is rounded.
    middle = (x.mean(0) @ y.mean(0) / x.shape[1] + 1) ** 3
    xx, _, xx_squares = _sums(x, x, middle)  # sums of rows (N,); without the diagonal
    yy, _, yy_squares = _sums(y, y, middle)  # (M,)
    xy, yx, xy_squares = _sums(x, y, middle)  # (N,), (M,)
    value = xx.sum() / (N * (N - 1)) + yy.sum() / (M * (M - 1)) - 2 * xy.sum() / (N * M)
    r_xx, r_yy = _rest(xx, xx_squares), _rest(yy, yy_squares)
    among = xy_squares - (xy**2).sum() / M - (yx**2).sum() / N + xy.sum() ** 2 / (N * M)
    r_xy = max(among / ((N - 1) * (M - 1)), 0)
    # xx / (N - 2) is a(x) and xy / M is b(x), each plus a number and the mean of its row's rests.
    first_x = np.var(xx / (N - 2) - xy / M, ddof=1) - r_xx / (N - 2) - r_xy / M
    first_y = np.var(yy / (M - 2) - yx / N, ddof=1) - r_yy / (M - 2) - r_xy / N
    first = 4 / N * first_x + 4 / M * first_y
    second = 2 / (N * (N - 1)) * r_xx + 2 / (M * (M - 1)) * r_yy + 4 / (N * M) * r_xy
    # Near 0, the estimate of the first line may well be negative. To cut it off at 0 makes the mean
    # standard error of equal distributions 16 % too large, to leave it as it is 20 % too small.
    return float(value), float(np.sqrt(max(first + second, second / 2)))


def _sums(x, y, middle):
    """Sums of the kernel matrix (N, M): of its rows, its columns, its squares."""
    F = x.shape[1]
    rows, columns, squares = np.empty(len(x)), np.zeros(len(y)), 0.0
    step = max(1, AT_ONCE // len(y))
    for start in tqdm(range(0, len(x), step), desc="kernel", delay=1, leave=False):
        t = (x[start : start + step] / F) @ y.T  # (step, M)
        t += 1
        k = t * t * t
        k -= middle
        if x is y:  # a sample and itself do not count
            i = np.arange(len(k))
            k[i, start + i] = 0
        rows[start : start + step] = k.sum(1)
        columns += k.sum(0)
        squares += np.vdot(k, k)
    return rows, columns, squares


def _rest(rows, squares):
    """E r^2 within one sample of N, from a kernel matrix with zeros on its diagonal."""
    N = len(rows)
    within = squares + rows.sum() ** 2 / ((N - 1) * (N - 2)) - 2 * (rows**2).sum() / (N - 2)
    return max(within / (N * (N - 3)), 0)
