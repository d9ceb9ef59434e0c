"""The command line: one file for each command. ``train.py`` is for the training examples."""

from .common import exit_status
from .main import main

__all__ = ["exit_status", "main"]
