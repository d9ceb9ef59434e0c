"""Reports: a table of rows, and the functions that make a row from a comparison."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

import numpy as np

from .finite import EPS, FLOOR, STEPS, probe
from .hints import CURES, guess

FIRST, SECOND, ADJOINT = 1e-7, 1e-6, 1e-12  # allowed errors; see `gradient_row`
WIDEST = 1e-4  # differences that can say no more than this are no check
FEW = 400  # arrays up to this size are checked in every entry


@dataclass
class Row:
    """One check and its result.

    Attributes
    ----------
    check : str
        Name of the check.
    error, tolerance : float
        The row passes if error <= tolerance.
    detail : str
        If the row fails: the worst entry, the number found and the number expected, and a hint.
    """

    check: str
    error: float
    tolerance: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        """True if the error is within the tolerance (a NaN is not)."""
        return bool(self.error <= self.tolerance)


@dataclass
class Report:
    """All checks of one layer, network or loss; its text is a table.

    Attributes
    ----------
    subject : str
        What was checked, for the table's first line.
    rows : list of Row
    notes : list of str
        Checks that were left out, and why; mistakes that are suspected outside of backward.
    """

    subject: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """True if there are rows and all of them passed."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    def add(self, row: Row, causes: Iterable[str] = ()) -> bool:
        """Add a row, and return True if it passed.

        A row may fail only because an earlier one did: ``causes`` are the names of such rows. Then
        it says so, and gives no hint of its own. Nothing else decides what follows from what.
        """
        causes = set(causes)
        cause = next((r.check for r in self.rows if not r.passed and r.check in causes), None)
        if cause and not row.passed:
            found = row.detail.partition("\nhint:")[0]
            row.detail = f"{found}\nthis may follow from {cause!r}: mend that first".lstrip()
        self.rows.append(row)
        return row.passed

    def __bool__(self) -> bool:
        return self.passed

    def worst(self, word: str = "") -> float:
        """Return the largest error of the rows whose check contains ``word``; 0 if none does."""
        return max((row.error for row in self.rows if word in row.check), default=0.0)

    def __str__(self) -> str:
        width = max([len(row.check) for row in self.rows] + [5])
        lines = [f"gradcheck {self.subject}", f"  {'check':{width}}  {'error':>8}  {'allowed':>8}"]
        for row in self.rows:
            result = f"{row.error:8.1e}  {row.tolerance:8.0e}  {'ok' if row.passed else 'FAILED'}"
            lines.append(f"  {row.check:{width}}  {result}")
            lines += [f"      {line}" for line in row.detail.splitlines() if not row.passed]
        lines += ["  note: " + note.replace("\n", "\n        ") for note in self.notes]
        failed = sum(not row.passed for row in self.rows)
        ending = f"{failed} of {len(self.rows)} checks FAILED" if failed else "all passed"
        return "\n".join([*lines, f"  {ending}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        return f"<pre>{escape(str(self))}</pre>"


CANNOT_TELL = (
    "cannot tell: differences do not settle, and may be wrong by {:.0e} of the largest entry.\n"
    "Rounding hides differences where numbers are large (outputs are up to {:.0e} here;\n"
    "those inside are not known): try smaller inputs or smaller constants"
)


class KinkError(Exception):
    """The differences do not converge: no derivative here to compare a gradient with."""


def gradient_row(
    what, tolerance, function, x, gradient, rng, size, every=True, unit=None, dead=False
):
    """Compare a gradient with differences of a function, each entry by itself.

    An entry may deviate by ``tolerance`` of its own size (or of 1e-8 of the largest entry),
    or else by twice what the differences may be wrong there. If that is more than ``tolerance`` of
    the largest entry, the row shows the wider bound as allowed; beyond 1e-4 it fails, because it
    cannot tell.

    Parameters
    ----------
    what : str
        Name of the row.
    tolerance : float
    function : callable, () -> array or float
        Reads x. The gradient is that of the sum over what it returns.
    x, gradient : arrays of one shape
    rng : np.random.Generator
    size : float
        How large a gradient would be expected. Far below it, differences that are all noise count
        as a true zero. The gradient of a bias in front of a BatchNorm is such a one. It must not
        grow with the function's values, which may contain a large constant.
    every : bool
        Whether to visit every entry, or some entries and random directions.
    unit : float, optional
        A factor of all steps; see `finite.probe`.
    dead : bool
        True if x may be one that nothing depends on, such as a bias in front of a BatchNorm.

    Raises
    ------
    KinkError
        The differences do not converge.
    """
    if np.shape(gradient) != x.shape:
        return Row(what, np.inf, tolerance, f"expected shape {x.shape}, got {np.shape(gradient)}")
    if not np.isfinite(gradient).all():
        i = first(~np.isfinite(gradient))
        detail = f"first at {i}: got {gradient[i]}\nhint: {guess(gradient, gradient)}"
        return Row(what, np.inf, tolerance, detail)
    found = probe(function, x, gradient, rng, every, tolerance, size, unit)
    places, claimed, found, doubts, noises = found
    if not len(places):
        return Row(what, 0.0, tolerance)
    own, bounds = np.maximum(np.abs(claimed), np.abs(found)), 2 * (doubts + noises)
    largest, terms = max(own.max(), np.abs(gradient).max()), np.abs(function())
    if (own <= bounds).all() and bounds.max() <= 1e-9 * size:
        # Saturated: nothing moves at all, and nobody expects that.
        if gradient.any() and not dead and _still(function, x, rng):
            return Row(what, 1.0, WIDEST, CANNOT_TELL.format(1.0, terms.max(initial=0)))
        return Row(what, 0.0, tolerance)
    if (doubts > np.maximum(0.1 * tolerance * largest, 2 * noises)).any():
        raise KinkError(what)
    scale = np.clip(np.maximum(own, bounds / tolerance), FLOOR * largest, largest) + 1e-300
    errors, allowed = np.abs(claimed - found) / scale, np.maximum(tolerance, bounds / scale)
    i = int(np.argmax(np.where(allowed <= WIDEST, errors / allowed, 0)))
    step = max(STEPS) * max(np.abs(x).max(), 1.0)
    hidden = max(allowed.max(), 2 * EPS * terms.max(initial=0) / step / (largest + 1e-300))
    if errors[i] > allowed[i] and allowed[i] <= WIDEST:
        if largest > 1e-12 * min(size, np.linalg.norm(terms)):
            values = f"expected {found[i]:.8g} (from differences), got {claimed[i]:.8g}"
            detail = (
                f"worst at {places[i]}: {values}\nhint: {guess(claimed / largest, found / largest)}"
            )
            return Row(what, float(errors[i]), float(allowed[i]), detail)
        hidden = max(hidden, errors[i], 1.0)  # backward, too, has lost its digits: all is saturated
    if hidden > WIDEST:
        return Row(what, float(hidden), WIDEST, CANNOT_TELL.format(hidden, terms.max(initial=0)))
    return Row(what, float(errors.max()), float(allowed.max()))


def _still(function, x, rng):
    """Return True if no term changes where all entries of x move by about 0.03."""
    start, before = x.copy(), np.array(function())
    x += max(STEPS) * rng.standard_normal(x.shape)
    still = np.array_equal(function(), before)
    x[...] = start
    return still


def inner_row(what, a, b, other):
    """Compare the inner product <a, b> with a number that should equal it."""
    value, largest = (a * b).sum(), np.linalg.norm(a) * np.linalg.norm(b)
    error = abs(value - other) / (largest or 1.0)
    return Row(what, error, ADJOINT, f"left side {value:.16g}, right side {other:.16g}")


def same_row(what, names, arrays, expected):
    """Compare arrays: the largest difference, relative to the largest entry of its array."""
    row, cure = Row(what, 0.0, ADJOINT), CURES.get(what.removesuffix(" (evaluation)"))
    for name, a, e in zip(names, arrays, expected, strict=True):
        if not (shape := shape_row(what, name, a, e)).passed:
            return shape
        difference = np.abs(a - e)
        error = difference.max(initial=0) / (np.abs(e).max(initial=0) or 1.0)
        error = error if np.isfinite(error) else np.inf
        if error > row.error:
            i = tuple(map(int, np.unravel_index(np.argmax(difference), difference.shape)))
            worst = f"worst in {name} at {i}: expected {e[i]:.8g}, got {a[i]:.8g}"
            row.error, row.detail = float(error), worst + (f"\nhint: {cure}" if cure else "")
    return row


def shape_row(what, name, a, like):
    """Check that ``a`` is an array of the shape of ``like``."""
    got = f"shape {a.shape}" if isinstance(a, np.ndarray) else type(a)
    error = 0.0 if got == f"shape {like.shape}" else np.inf
    return Row(what, error, ADJOINT, f"{name}: expected an array of shape {like.shape}, got {got}")


def first(mask):
    """Return the index of the first True."""
    return tuple(map(int, np.argwhere(mask)[0]))
