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

reveal it. Where f is smooth, s_k is a' k h + b' (k h)^3 up to terms of order h^5, so that

    (5 s_1 - 4 s_2 + s_3) / 4

is 0, because 5 - 4 2 + 3 = 5 - 4 2^3 + 3^3 = 0. At a kink, each s_k is the right slope minus the
left one, and the number is half of that, which is how far the mean lies from either slope. The
doubt, an estimate of the error, is the larger of this number and the difference of the two weighted
means.

The noise is the error from rounding. f is a sum, and each of its terms is rounded. A term that does
not change adds nothing to a difference, so it adds no noise: the terms are subtracted first, summed
afterwards. A term T that changes adds about eps |T| / h. A larger h is tried where that is too
much. There may be more noise than the terms show: y = (x + 1e9) - 1e9 looks harmless. But such
noise does not depend on h. What it did to a smaller step, it does to a larger one in proportion:
`settle` compares all steps, and believes none that the others contradict. A step may also be too
large: sin near x = 1e6 has many waves in a step of 100. So two smaller steps that agree with each
other contradict a larger one.
"""

from itertools import combinations

import numpy as np

STEPS = (1e-4, 1e-5, 1e-3, 1e-6, 1e-2, 3e-2)  # small ones for kinks, large ones for noise
EPS = float(np.finfo(float).eps)
FLOOR = 1e-8  # of the largest entry: below it, a right gradient may itself be rounded


def differences(f, middle, h):
    """Estimate df/ds at s = 0 with one step.

    Parameters
    ----------
    f : callable, float -> array (terms,)
        Returns the terms of a sum.
    middle : array (terms,)
        f(0).
    h : float

    Returns
    -------
    value, doubt, noise : float
    moved : bool
        True if any term changed.
    """
    k = h * np.arange(1, 4)
    up, down = (np.array([f(move) for move in moves]) for moves in (k, -k))  # (3, terms)
    changed = ((up != middle) | (down != middle)).any(axis=0)
    d = (up - down).sum(axis=1) / (2 * k)
    s = ((up - middle) - (middle - down)).sum(axis=1) / k
    value = (15 * d[0] - 6 * d[1] + d[2]) / 10
    doubt = max(abs(value - (4 * d[0] - d[1]) / 3), abs(5 * s[0] - 4 * s[1] + s[2]) / 4)
    size, moved = np.abs(middle), bool(changed.any())
    # Where no term moves, the largest may have swallowed the difference.
    rounded = size[changed].sum() if moved else size.max(initial=0)
    return value, doubt, 2 * EPS * rounded / h, moved


def settle(tries):
    """Choose among several steps, and correct their doubts and noises by what the others found.

    Parameters
    ----------
    tries : list of (h, value, doubt, noise)

    Returns
    -------
    value, doubt, noise : float
        Those of the step with the smallest sum of doubt and noise.
    """
    found, sure, seen = [(0.0, np.inf, 0.0)], [], []
    for h, value, doubt, noise in sorted(tries):
        for (v, e), (w, g) in combinations(sure, 2):  # smaller steps that can be trusted
            doubt = max(doubt, abs(v - value) - 10 * max(abs(v - w), e, g))
        if value and doubt + noise <= 0.1 * abs(value):
            sure.append((value, doubt + noise))
        seen.append((h, value, doubt, noise))
    for h, value, doubt, noise in seen:
        for other, v, d, n in seen:
            if other < h:
                noise = max(noise, max(d, abs(v - value)) * other / h)
            elif d + n <= 0.1 * abs(v):  # a larger step that can be trusted
                doubt = max(doubt, abs(v - value) - 10 * (d + n))
        found.append((value, doubt, noise))
    return min(found, key=lambda one: one[1] + one[2])


def derivative(f, claim=None, enough=0.0, rounded=0.0, units=(1.0,), close=0.0):
    """Estimate df/ds at s = 0, and the error of this estimate.

    One step is enough where it is sure and agrees with the claim. Otherwise, more steps are tried.

    Parameters
    ----------
    f : callable, float -> array or float
        Returns the terms of a sum; df/ds is the derivative of the sum.
    claim : float, optional
        What the derivative should be.
    enough : float
        Errors below it do not matter.
    rounded : float
        How much f changes because the place where it is evaluated is rounded.
    units : sequence of float
        Factors of the steps; all steps of one are tried before those of the next.
    close : float
        A difference from the claim that does not matter.

    Returns
    -------
    value : float
    doubt : float
        Estimated error of ``value`` from curvature and kinks; large at a kink.
    noise : float
        Estimated error of ``value`` from rounding.
    """

    def terms(s):
        return np.array(f(s), dtype=float).ravel()

    middle, tries, best = terms(0.0), [], (0.0, np.inf, 0.0)
    steps = [step * unit for unit in units for step in STEPS]
    largest = max(steps)
    while steps:
        h = steps.pop(0)
        with np.errstate(all="ignore"):
            value, doubt, noise, moved = differences(terms, middle, h)
        if not np.isfinite(value + doubt + noise):
            continue  # a step out of the domain of f
        tries.append((h, value, doubt, noise + 2 * rounded / h))
        best = value, doubt, noise = settle(tries)
        error = doubt + noise
        if not moved and claim == 0:  # right, if the largest step moves nothing, either
            if h == largest:
                break
            steps.sort(reverse=True)
            continue
        agrees = claim is None or abs(value - claim) <= max(close, 2 * error)
        if error <= max(enough, 1e-9 * abs(value)) and agrees:
            if moved or h == largest:
                break
            steps.sort(reverse=True)  # nothing moved: is that so after the largest step, too?
    return best


def probe(f, x, gradient, rng, every, tolerance=1e-7, size=1.0, unit=None):
    """Compare a gradient with differences of f: in every entry, or in some.

    Some means 8 entries and 4 random directions. Each direction moves all entries at once.

    Parameters
    ----------
    f : callable, () -> array or float
        Reads x, which is changed and put back between its calls. Returns the terms of a sum.
    x : array, float64
    gradient : array, the shape of x
        Claimed to be the derivative of the sum.
    rng : np.random.Generator
    every : bool
        Whether to visit every entry.
    tolerance : float
        Relative error that is allowed; the differences try to be fifty times better.
    size : float
        How large a gradient would be expected, where the claimed one is zero.
    unit : float, optional
        A factor of all steps. Without it, steps of absolute size are tried, and steps relative to
        the entry where its size is far from 1.

    Returns
    -------
    places : list of (index tuple or str)
    claimed, found, doubts, noises : arrays, one number for each place
    """
    fine, typical = 0.02 * tolerance, np.abs(x).mean() or 1.0
    largest = float(np.abs(gradient).max(initial=0)) or size
    middle = np.array(f())  # the same for every place

    def along(place, direction):
        start, claim = x[place].copy(), (gradient[place] * direction).sum()
        rounded = EPS * float(np.hypot.reduce(np.ravel(start * gradient[place])))
        own = typical if place is ... else abs(float(start)) or typical
        units = [unit or 1.0] if unit or 0.01 <= own <= 100 else [1.0, own]
        close = fine * max(abs(claim), FLOOR * largest)
        enough = min(fine * largest, max(1e-5 * abs(claim), close))

        def moved(s):
            if s == 0:
                return middle
            x[place] = start + s * direction
            value = f()
            x[place] = start
            return value

        return claim, *derivative(moved, claim, enough, rounded, units, close)

    entries = np.arange(x.size) if every else rng.choice(x.size, min(8, x.size), replace=False)
    places = [tuple(int(i) for i in np.unravel_index(entry, x.shape)) for entry in entries]
    rows = [along(place, 1.0) for place in places]
    directions = [rng.standard_normal(x.shape) / np.sqrt(x.size) for _ in range(4)]
    if not every:
        rows += [along(..., direction) for direction in directions]
        places += [f"along direction {k}" for k in range(4)]
    return places, *np.array(rows, dtype=float).reshape(-1, 4).T
