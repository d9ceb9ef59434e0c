"""What a check found, in a form a person can read."""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["Report", "Row"]


@dataclass
class Row:
    """One check.

    Attributes
    ----------
    check : str
        What was checked.
    error, tolerance : float
        Relative; passed means error <= tolerance.
    detail : str
        For a failure: the worst entry, both values, and a hint.
    """

    check: str
    error: float
    tolerance: float
    detail: str = ""

    @property
    def passed(self):
        """Whether the error is within the tolerance (a NaN is not)."""
        return bool(self.error <= self.tolerance)


@dataclass
class Report:
    """All checks of one subject; its text is a table.

    Attributes
    ----------
    subject : str
    rows : list of Row
    notes : list of str
        What was not checked, and why; what may be a mistake, but not one of backward.
    """

    subject: str
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def passed(self):
        """Whether there are rows and each of them passed."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    def worst(self, word=""):
        """The largest error among the rows whose check contains ``word``; 0 if there is none."""
        return max((row.error for row in self.rows if word in row.check), default=0.0)

    def __str__(self):
        width = max([len(row.check) for row in self.rows] + [5])
        lines = [f"gradcheck {self.subject}", f"  {'check':{width}}  {'error':>8}  {'allowed':>8}"]
        for row in self.rows:
            verdict = "ok" if row.passed else "FAILED"
            lines.append(
                f"  {row.check:{width}}  {row.error:8.1e}  {row.tolerance:8.0e}  {verdict}"
            )
            lines += [f"      {line}" for line in row.detail.splitlines() if not row.passed]
        for note in self.notes:
            lines.append("  note: " + note.replace("\n", "\n        "))
        failed = sum(not row.passed for row in self.rows)
        ending = f"{failed} of {len(self.rows)} checks FAILED" if failed else "all passed"
        return "\n".join([*lines, f"  {ending}"])


def compare(check, tolerance, places, claimed, found, slack):
    """A row for gradient entries: the largest difference, less slack, relative to the largest."""
    difference = np.maximum(np.abs(claimed - found) - slack, 0)
    size = max(np.abs(claimed).max(initial=0), np.abs(found).max(initial=0))
    error = float(difference.max(initial=0) / size) if size else 0.0
    row = Row(check, error if np.isfinite(size) else np.inf, tolerance)
    if not row.passed:
        i = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        row.detail = (
            f"worst at {places[i]}: the layer says {claimed[i]:.8g}, differences say {found[i]:.8g}"
            f"\nhint: {_hint(claimed, found)}"
        )
    return row


def _hint(claimed, found):
    """A guess at the mistake, from how all entries relate."""
    if not np.isfinite(claimed).all():
        return "the gradient is not finite: a division by zero or an overflow"
    if not claimed.any():
        return "the gradient is zero everywhere: it was never added, or got lost on the way"
    power = found @ found
    if power < 1e-12 * (claimed @ claimed):
        return "the true gradient is zero: this term should not be there, or should cancel"
    ratio = (claimed @ found) / power
    if np.abs(claimed - ratio * found).max() > 1e-5 * np.abs(claimed).max():
        wrong = np.abs(claimed - found) > 1e-5 * np.abs(found).max()
        if wrong.mean() < 0.5:
            return f"only {wrong.sum()} of {wrong.size} entries differ: look at borders and indices"
        return (
            "entries differ in no simple way: a missing term, a factor that is not the same for\n"
            "every entry (a slope, say), a transpose, or the wrong axes"
        )
    if abs(ratio + 1) < 1e-5:
        return "every entry has the wrong sign"
    return f"every entry is {ratio:.6g} times what it should be: a factor is forgotten or doubled"
