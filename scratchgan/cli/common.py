"""Shared parts of the commands: the layout of ``--help``, ``--backend``, the exit status."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ..backend import NAMES, BackendError
from ..runs import DivergenceError, Stopped


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Print the description as it is written, and each default unless it is None or False."""

    def _get_help_string(self, action):
        hidden = any(action.default is value for value in (None, False, argparse.SUPPRESS))
        return action.help if hidden else f"{action.help} (default: %(default)s)"


def add_backend(parser: Any) -> None:
    """Add the option ``--backend`` to a parser, or to a group of one."""
    about = "where to compute; auto: on a GPU if there is one"
    parser.add_argument("--backend", choices=NAMES, default="auto", help=about)


def exit_status(job: Callable[[], int | None]) -> int:
    """Call ``job``; turn a user's error into one line on stderr, and return an exit status.

    Parameters
    ----------
    job : callable, () -> int or None

    Returns
    -------
    int
        The job's own status (None counts as 0); 1 if training diverged, 2 if something that the
        user gave cannot be used, 130 if the user stopped it (Ctrl-C, SIGTERM).
    """
    try:
        return job() or 0
    except (DivergenceError, ValueError, OSError, BackendError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, DivergenceError) else 2
    except Stopped as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:  # before the first step, or a second time
        print("interrupted", file=sys.stderr)
    return 130
