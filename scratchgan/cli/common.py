"""Shared parts of the commands: the layout of ``--help``, ``--backend``, the exit status."""

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any

from ..backend import NAMES, BackendError


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Print the description as it is written, and each default unless it is None or False."""

    def _get_help_string(self, action):
        hidden = any(action.default is value for value in (None, False, argparse.SUPPRESS))
        return action.help if hidden else f"{action.help} (default: %(default)s)"


def add_backend(parser: Any) -> None:
    """Add the option ``--backend`` to a parser, or to a group of one."""
    about = "where to compute; auto: on a GPU if there is one"
    parser.add_argument("--backend", choices=NAMES, default="auto", help=about)


def add_model(parser: Any) -> None:
    """Add the option ``--model`` to a parser of a command that reads a run."""
    about = "FILE.py:NAME, the run's networks, if its folder has no copy of them that may be used"
    parser.add_argument("--model", help=about)


def as_shell(message: str) -> str:
    """Write a message's options as a shell does: `resume=True` becomes --resume."""

    def option(match):
        name, value = match.groups()
        value = value.removeprefix("True").strip("\"'")
        return f"--{name.replace('_', '-')} {value}".rstrip()

    return re.sub(r"`(\w+)=([^`]*)`", option, message)


def exit_status(job: Callable[[], Any]) -> int:
    """Call ``job``; turn a user's error into one line on stderr, and return an exit status.

    Parameters
    ----------
    job : callable, () -> int or anything else

    Returns
    -------
    int
        The job's own status (0 if it returns no int); 1 if training diverged, 2 if something that
        the user gave cannot be used, 130 if the user stopped it (Ctrl-C, SIGTERM).
    """
    from ..runs import DivergenceError, Stopped  # here: a short command should start quickly

    try:
        status = job()
        return status if isinstance(status, int) else 0
    except (DivergenceError, ValueError, OSError, BackendError) as error:
        print(f"error: {as_shell(str(error))}", file=sys.stderr)
        return 1 if isinstance(error, DivergenceError) else 2
    except Stopped as error:
        print(as_shell(str(error)), file=sys.stderr)
    except KeyboardInterrupt:  # before the first step, or a second time
        print("interrupted", file=sys.stderr)
    return 130
