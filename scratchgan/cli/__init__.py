"""The command line: one file a job."""

from .main import main

__all__ = ["main"]
