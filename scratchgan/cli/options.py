"""The options of ``scratchgan train``, made from the fields of `Config`."""

import argparse
import difflib
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from ..gan import PRESETS, Config, preset_options
from ..runs import find_networks
from ..runs.folder import COMMAND, saved_options
from ..runs.front import OPTIONS
from ..runs.networks import OF_A_FILE
from .common import HelpFormatter, add_backend


def parser(
    description: str, models: list[str], out: str, steps: int, save_every: int = 500, **own: Any
) -> argparse.ArgumentParser:  # fmt: skip
    """Return the argument parser of a recipe. Most of its options are those of `Config`.

    Parameters
    ----------
    description : str
        Text at the top of ``--help``.
    models : list of str
        Names of networks that suit the recipe; the first is the default.
    out : str
        Default folder of the run.
    steps, save_every : int
        Default number of training steps, and of steps between two sample grids.
    **own
        The recipe's own defaults of options of `Config`.

    Returns
    -------
    argparse.ArgumentParser
    """
    p = _Parser(description=description, formatter_class=HelpFormatter)
    where = p.add_argument_group("where")
    add_backend(where)
    where.add_argument("--out", default=out, type=_folder, help="folder of the run")
    about = "go on from the folder's checkpoint, with the folder's options"
    where.add_argument("--resume", action="store_true", help=about)
    count = _at_least(1)
    where.add_argument("--save-every", type=count, default=save_every, help="steps between samples")
    length = p.add_argument_group("how long").add_mutually_exclusive_group()
    length.add_argument("--steps", type=count, default=steps, help="training steps")
    length.add_argument("--epochs", type=count, help="passes over the data, instead of --steps")
    about = "take the settings of a paper; other options on the command line override them"
    p.add_argument("--preset", choices=PRESETS, help=about)

    options = [f for f in fields(Config) if f.metadata]
    titles = dict.fromkeys(f.metadata["group"] for f in options)
    groups = {title: p.add_argument_group(title) for title in titles}
    for f in options:
        how = {"default": f.default, "help": f.metadata["help"]}
        kind = (get_args(f.type) or [f.type])[0]  # float, for `float | None`
        if kind is bool:
            how["action"] = "store_true"
        else:
            least = f.metadata["least"]
            how["type"] = kind if least is None else _at_least(least)
            how["choices"] = f.metadata["choices"]
        if f.name == "model":
            how["type"] = _model
            known = ", ".join(models) or "a name of `scratchgan models`"
            how["help"] += f": {known}; or your own, FILE.py:PAIR, a scratchgan.Model"
        groups[f.metadata["group"]].add_argument("--" + f.name.replace("_", "-"), **how)
    groups["how to train it"].add_argument(
        "--lr", type=float, action=_BothRates, default=argparse.SUPPRESS,
        help="learning rate of both, G and D",
    )  # fmt: skip
    p.set_defaults(model=models[0] if models else None, **own)
    return p


class _Parser(argparse.ArgumentParser):
    """A parser whose defaults are those of the run that goes on, or of ``--preset``."""

    def parse_args(self, args=None, namespace=None):
        """Read the command line; options given there override all defaults."""
        known = self.parse_known_args(args)[0]
        saved = saved_options(known.out, known.resume)
        given = saved.pop(COMMAND, {}) | {k: v for k, v in saved.items() if k in OPTIONS}
        if known.preset:
            given |= preset_options(known.preset)
        # argparse sets no default for what is in the namespace already.
        return super().parse_args(args, argparse.Namespace(**given))

    def error(self, message):
        """Exit with status 2 and one line, which guesses the option that was meant."""
        wrong = message.removeprefix("unrecognized arguments: ").partition(" ")[0].partition("=")[0]
        near = difflib.get_close_matches(wrong, self._option_string_actions, 1)
        guess = f"; did you mean {near[0]}?" if near and wrong[:2] == "--" else ""
        super().error(message + guess)


class _BothRates(argparse.Action):
    """Set both learning rates."""

    def __call__(self, parser, namespace, value, option=None):
        """Store the value as ``g_lr`` and ``d_lr``."""
        namespace.g_lr = namespace.d_lr = value


def _at_least(least):
    """Return a function that reads an integer of at least ``least``."""

    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")
        return int(text)

    number.__name__ = "int"  # argparse prints it if the text is no number
    return number


def _model(text):
    """Check the name of the library's networks; files are read later."""
    try:
        return text if OF_A_FILE.search(text) else find_networks(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("model: ")) from None


def _folder(text):
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got nothing")
    return Path(text)


def absolute(text: str) -> str:
    """Return a path that means the same from every folder."""
    return os.path.abspath(os.path.expanduser(text)) if text else text
