"""Reports: a table of rows, and the functions that make a row from a comparison."""

from dataclasses import dataclass, field
from html import escape

import numpy as np

from .finite import probe
from .hints import CURES, guess

FIRST, SECOND, ADJOINT = 1e-7, 1e-6, 1e-12  # allowed errors, relative to the largest entry


@dataclass
class Row:
    """One check and its result.

    Attributes
    ----------
    check : str
        Name of the check.
    error, tolerance : float
        Relative to the largest entry. The row passes if error <= tolerance.
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


class KinkError(Exception):
    """The differences do not converge: no derivative here to compare a gradient with."""


def gradient_row(what, tolerance, function, x, gradient, rng, size, every=True):
    """Compare a gradient with differences of a function.

    ``function`` reads x and returns a sum, whose rounding errors are relative to ``size``.
    """
    if np.shape(gradient) != x.shape:
        return Row(what, np.inf, tolerance, f"expected shape {x.shape}, got {np.shape(gradient)}")
    # Rounding error of the sum, divided by the smallest step. Differences cannot tell a gradient
    # below this from zero. The gradient of a bias in front of a BatchNorm is such a one.
    noise = 1e-9 * size
    places, claimed, found, doubts = probe(function, x, gradient, rng, every)
    largest = max(np.abs(claimed).max(initial=0), np.abs(found).max(initial=0))
    if largest <= noise:
        return Row(what, 0.0, tolerance)
    if doubts.max(initial=0) > max(0.1 * tolerance * largest, noise):
        raise KinkError(what)
    difference = np.maximum(np.abs(claimed - found) - np.minimum(doubts, noise), 0)
    error = float(difference.max(initial=0) / largest) if np.isfinite(largest) else np.inf
    row = Row(what, error, tolerance)
    if not row.passed:
        i = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        values = f"expected {found[i]:.8g} (from differences), got {claimed[i]:.8g}"
        row.detail = f"worst at {places[i]}: {values}\nhint: {guess(claimed, found)}"
    return row


def inner_row(what, a, b, other):
    """Compare the inner product <a, b> with a number that should equal it."""
    value, largest = (a * b).sum(), np.linalg.norm(a) * np.linalg.norm(b)
    error = abs(value - other) / (largest or 1.0)
    return Row(what, error, ADJOINT, f"left side {value:.16g}, right side {other:.16g}")


def same_row(what, names, arrays, expected):
    """Compare arrays: the largest difference, relative to the largest entry of its array."""
    row, cure = Row(what, 0.0, ADJOINT), CURES[what.removesuffix(" (evaluation)")]
    for name, a, e in zip(names, arrays, expected, strict=True):
        if not (shape := shape_row(what, name, a, e)).passed:
            return shape
        difference = np.abs(a - e)
        error = difference.max(initial=0) / (np.abs(e).max(initial=0) or 1.0)
        error = error if np.isfinite(error) else np.inf
        if error > row.error:
            i = tuple(map(int, np.unravel_index(np.argmax(difference), difference.shape)))
            worst = f"worst in {name} at {i}: expected {e[i]:.8g}, got {a[i]:.8g}"
            row.error, row.detail = float(error), f"{worst}\nhint: {cure}"
    return row


def shape_row(what, name, a, like):
    """Check that ``a`` is an array of the shape of ``like``."""
    got = f"shape {a.shape}" if isinstance(a, np.ndarray) else type(a)
    error = 0.0 if got == f"shape {like.shape}" else np.inf
    return Row(what, error, ADJOINT, f"{name}: expected an array of shape {like.shape}, got {got}")
