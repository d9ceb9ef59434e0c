"""Derivatives without calculus: differences of function values, with a doubt attached.

Central differences at three distances,

    d_k = (f(k h) - f(-k h)) / (2 k h) ,    k = 1, 2, 3

have the errors a (k h)^2 + b (k h)^4 + ..., with a and b the same for every k. A weighted mean of
them is free of the first powers (Richardson extrapolation): with the weights 4, -1 of h^2, because
4 - 2^2 = 0; with 15, -6, 1 of h^2 and h^4, because 15 - 6 2^2 + 3^2 = 15 - 6 2^4 + 3^4 = 0. So

    (4 d_1 - d_2) / 3    and    (15 d_1 - 6 d_2 + d_3) / 10

have errors of order h^4 and h^6. Where f is smooth the two agree to many digits. Where a kink of f
(that of a ReLU, say) lies between the points they do not, and a smaller h, which steps over fewer,
is tried. A kink right at 0 escapes that test, because all d_k agree on the mean of both slopes. The
second differences

    s_k = (f(k h) - 2 f(0) + f(-k h)) / (k h)

give it away: where f is smooth s_k is f'' k h, and s_2 = 2 s_1 but for order h^3; at a kink each
s_k is the right slope less the left, and |s_2 - 2 s_1| / 2 is half of that, which is how far the
mean lies from either slope. The doubt is this, or the disagreement of the two means if larger.
"""

import numpy as np

__all__ = ["derivative", "probe"]

STEPS = (1e-4, 1e-5, 1e-6, 1e-3)  # the last for functions whose rounding noise is large
SURE = 1e-9  # relative doubt at which no other step is tried


def derivative(f, scale=0.0):
    """df/ds at s = 0, with the doubt about it.

    Parameters
    ----------
    f : callable, float -> float
    scale : float
        The size of the numbers this one will be compared with; doubts far below it do not matter.

    Returns
    -------
    value : float
    doubt : float
        An estimate of the error of ``value``; large at a kink.
    """
    middle = f(0.0)
    best, least = 0.0, np.inf
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
    """Set a gradient beside the differences of f: entry by entry, or in part.

    In part means along random directions, each of which sees every entry, and at a few entries
    by themselves.

    Parameters
    ----------
    f : callable, () -> float
        Reads x, which is changed under it and put back.
    x : array, float64
    gradient : array, the shape of x
        The claim that is probed.
    rng : np.random.Generator
    every : bool
        Whether to visit every entry.

    Returns
    -------
    places : list of (index tuple or str)
    claimed, found, doubts : arrays, one number a place
    """
    entries = np.arange(x.size) if every else rng.choice(x.size, min(8, x.size), replace=False)
    random = [rng.standard_normal(x.shape) / np.sqrt(x.size) for _ in range(4)]
    directions = [] if every else random
    scale = float(np.abs(gradient).max(initial=0))

    def moved(place, start, amount):
        x[place] = start + amount
        value = f()
        x[place] = start
        return value

    places = [tuple(int(i) for i in np.unravel_index(entry, x.shape)) for entry in entries]
    rows = [
        (gradient[i], *derivative(lambda s, i=i, start=x[i]: moved(i, start, s), scale))
        for i in places
    ]
    start = x.copy()
    for direction in directions:
        claim = (gradient * direction).sum()
        along = derivative(lambda s, d=direction: moved(..., start, s * d), abs(claim))
        rows.append((claim, *along))
    places += [f"along direction {k}" for k in range(len(directions))]
    return places, *np.array(rows, dtype=float).reshape(-1, 3).T
