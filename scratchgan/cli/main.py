"""GANs from scratch: train, draw samples, score them, check gradients."""

import argparse
import sys
from importlib import import_module

from .. import __version__
from .common import HelpFormatter, exit_status

COMMANDS = {
    "train": "train a GAN on MNIST or on your own images",
    "sample": "draw new images from a training run",
    "score": "measure how near the digits of training runs are to MNIST's",
    "gradcheck": "check gradients against finite differences",
    "presets": "list the presets: settings of papers",
    "models": "list the networks that --model names",
}


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, run the command, return the exit status.

    Parameters
    ----------
    argv : list of str, optional
        By default, the process's own arguments.
    """
    argv = sys.argv[1:] if argv is None else argv
    prog = "python -m scratchgan" if sys.argv[0].endswith("__main__.py") else "scratchgan"
    about = "\n".join(f"  {name:10} {text}" for name, text in COMMANDS.items())
    more = f"{prog} COMMAND --help lists the options of a command."
    parser = argparse.ArgumentParser(
        prog=prog, usage=f"{prog} COMMAND [options]", formatter_class=HelpFormatter,
        description=f"{__doc__}\n\ncommands:\n{about}\n\n{more}",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"scratchgan {__version__}")
    parser.add_argument("command", nargs="?", choices=COMMANDS, help=argparse.SUPPRESS)
    command = parser.parse_args(argv[:1]).command
    if command is None:
        parser.print_help()
        return 0
    # Each is imported only when it is asked for: a short command starts quickly.
    module = import_module(f".{command}", __package__)
    if command == "train":  # its options depend on its first word
        return exit_status(lambda: module.main(argv[1:], f"{prog} train"))
    about = module.__doc__
    p = argparse.ArgumentParser(
        prog=f"{prog} {command}", description=about, formatter_class=HelpFormatter
    )
    module.add_options(p)
    options = p.parse_args(argv[1:])
    return exit_status(lambda: module.run(options))
