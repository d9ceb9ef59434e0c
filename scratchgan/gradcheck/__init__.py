"""Gradient checks as a tool: `check` for a layer or a network, `check_loss` for a loss.

Read ``finite.py`` (how a derivative is measured), then ``layer.py`` (what a layer is tested for).
"""

from .check import check, check_loss
from .report import ADJOINT, FIRST, SECOND, Report, Row

__all__ = ["ADJOINT", "FIRST", "SECOND", "Report", "Row", "check", "check_loss"]
