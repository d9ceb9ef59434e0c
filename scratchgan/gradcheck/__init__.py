"""Gradient checks as a tool: `check` a layer or a network, `check_loss` a loss.

Read ``finite.py`` (how a derivative is measured), then ``subject.py`` (what is asked of a layer).
"""

from .check import check, check_loss
from .checks import ADJOINT, FIRST, SECOND
from .report import Report, Row

__all__ = ["ADJOINT", "FIRST", "SECOND", "Report", "Row", "check", "check_loss"]
