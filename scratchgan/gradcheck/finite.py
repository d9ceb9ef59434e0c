"""Derivatives from differences of function values, each with an estimate of its error.

Central differences at three distances,

    d_k = (f(k h) - f(-k h)) / (2 k h) ,    k = 1, 2, 3

have the errors a (k h)^2 + b (k h)^4 + ..., with a and b the same for every k. A weighted mean of
them is free of the first powers (Richardson extrapolation): with the weights 4, -1 of h^2, because
4 - 2^2 = 0; with 15, -6, 1 of h^2 and h^4, because 15 - 6 2^2 + 3^2 = 15 - 6 2^4 + 3^4 = 0. So

    (4 d_1 - d_2) / 3    and    (15 d_1 - 6 d_2 + d_3) / 10

have errors of order h^4 and h^6. Where f is smooth the two agree to many digits. Where a kink of f
(that of a ReLU, say) lies between the points they do not. Then a smaller h is tried, which steps
over fewer kinks. A kink right at 0 escapes that test, because all d_k agree on the mean of both
slopes. The second differences

    s_k = (f(k h) - 2 f(0) + f(-k h)) / (k h)

reveal it. Where f is smooth, s_k is f'' k h, and s_2 = 2 s_1 up to terms of order h^3. At a kink,
each s_k is the right slope minus the left one. Then |s_2 - 2 s_1| / 2 is half of that, which is how
far the mean lies from either slope. The doubt, an estimate of the error, is the larger of two
numbers: |s_2 - 2 s_1| / 2, and the difference of the two weighted means.
"""

import numpy as np

STEPS = (1e-4, 1e-5, 1e-6, 1e-3)  # the last for functions whose rounding noise is large
SURE = 1e-9  # relative doubt at which no other step is tried


def derivative(f, scale=0.0):
    """Estimate df/ds at s = 0, and the error of this estimate.

    Parameters
    ----------
    f : callable, float -> float
    scale : float
        Size of the numbers that the derivative will be compared with. Doubts far below it do not
        matter.

    Returns
    -------
    value : float
    doubt : float
        Estimated error of ``value``; large at a kink.
    """
    middle, best, least = f(0.0), 0.0, np.inf
    for h in STEPS:
        pairs = [(f(k * h), f(-k * h)) for k in (1, 2, 3)]
        d = [(up - down) / (2 * k * h) for k, (up, down) in enumerate(pairs, 1)]
        s = [(up - 2 * middle + down) / (k * h) for k, (up, down) in enumerate(pairs, 1)]
        value = (15 * d[0] - 6 * d[1] + d[2]) / 10
        doubt = max(abs(value - (4 * d[0] - d[1]) / 3), abs(s[1] - 2 * s[0]) / 2)
        if doubt < least:
            best, least = value, doubt
        if least <= SURE * max(scale, abs(best)):
            break
    return best, least


def probe(f, x, gradient, rng, every):
    """Compare a gradient with differences of f: in every entry, or in some.

    Some means 8 entries and 4 random directions. Each direction moves all entries at once.

    Parameters
    ----------
    f : callable, () -> float
        Reads x, which is changed and put back between its calls.
    x : array, float64
    gradient : array, the shape of x
        Claimed to be df/dx.
    rng : np.random.Generator
    every : bool
        Whether to visit every entry.

    Returns
    -------
    places : list of (index tuple or str)
    claimed, found, doubts : arrays, one number for each place
    """

    def along(place, direction, scale=0.0):
        start, claim = x[place].copy(), (gradient[place] * direction).sum()

        def moved(s):
            x[place] = start + s * direction
            value = f()
            x[place] = start
            return value

        return claim, *derivative(moved, scale or abs(claim))

    entries = np.arange(x.size) if every else rng.choice(x.size, min(8, x.size), replace=False)
    places = [tuple(int(i) for i in np.unravel_index(entry, x.shape)) for entry in entries]
    scale = float(np.abs(gradient).max(initial=0))
    rows = [along(place, 1.0, scale) for place in places]
    directions = [rng.standard_normal(x.shape) / np.sqrt(x.size) for _ in range(4)]
    if not every:
        rows += [along(..., direction) for direction in directions]
        places += [f"along direction {k}" for k in range(4)]
    return places, *np.array(rows, dtype=float).reshape(-1, 3).T
