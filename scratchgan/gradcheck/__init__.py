"""Gradient checks as a tool: `check` for a layer or a network, `check_loss` for a loss.

`check_functions` is for a forward with its backward that stand alone, `check_function` for f and
its derivative. Read ``finite.py`` (how a derivative is measured), then ``layer.py`` (what a layer
is tested for).
"""

from .check import check, check_loss
from .functions import check_function, check_functions
from .report import ADJOINT, FIRST, SECOND, Report, Row

__all__ = [
    "ADJOINT",
    "FIRST",
    "SECOND",
    "Report",
    "Row",
    "check",
    "check_function",
    "check_functions",
    "check_loss",
]
