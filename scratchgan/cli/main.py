"""Check gradients, draw samples from a training run, score it."""

import argparse

from . import gradcheck, sample, score
from .common import HelpFormatter, exit_status


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, run the command, return the exit status.

    Parameters
    ----------
    argv : list of str, optional
        By default, the process's own arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m scratchgan", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (gradcheck, sample, score):
        name, about = module.__name__.rpartition(".")[2], module.__doc__
        p = commands.add_parser(name, help=about, description=about, formatter_class=HelpFormatter)
        module.add_options(p)
        p.set_defaults(run=module.run)
    options = parser.parse_args(argv)
    return exit_status(lambda: options.run(options))
