"""Gradient checks as a tool: `check` a layer or a network, `check_loss` a loss.

Read ``finite.py`` (how a derivative is measured), then ``check.py`` (what is asked of a layer).
"""

from .check import ADJOINT, FIRST, SECOND, check, check_loss
from .report import Report, Row

__all__ = ["ADJOINT", "FIRST", "SECOND", "Report", "Row", "check", "check_loss"]
