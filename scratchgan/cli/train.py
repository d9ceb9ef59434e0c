"""Train a GAN: on MNIST, or on images of your own, with networks of your own."""

import argparse
import difflib
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from ..data import Dataset, load_images, mnist
from ..gan import PRESETS, Config, Trainer, dcgan_name, preset_options
from ..runs import find_networks
from ..runs import train as train_run
from ..runs.folder import COMMAND, CONFIG, saved_options
from ..runs.front import (
    OPTIONS,
    configure,
    default_model,
    load_for,
    steps_of,
    unused_labels,
)  # fmt: skip
from ..runs.networks import OF_A_FILE, Networks, networks_for
from ..runs.run import on_stderr
from .common import HelpFormatter, add_backend, as_shell
from .recipes import RECIPES

NO_COMMAND = {"out", "resume", "backend", "preset", "epochs", "lr"}  # not kept for --resume
DCGAN = ("width", "dropout", "upsample")  # options of the DCGAN for own images


def main(argv: list[str], prog: str) -> Trainer:
    """Train the recipe that is the first word, or else the one that fits the options.

    Parameters
    ----------
    argv : list of str
    prog : str
        Name of the command, for ``--help``.
    """
    if argv and argv[0][:1] != "-":
        name, *argv = argv
        if name not in RECIPES:
            raise ValueError(f"train: expected one of {', '.join(RECIPES)}, got {name!r}")
    else:
        name = _fitting(argv)
    return train(name, argv, prog=prog)


def train(
    name: str, argv: list[str] | None = None, about: str = "", out: str | None = None,
    prog: str | None = None,
) -> Trainer:  # fmt: skip
    """Train a recipe with the options of a command line.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    argv : list of str, optional
        By default, the process's own arguments.
    about : str, optional
        Text at the top of ``--help``.
    out : str, optional
        Default folder of the run: ``runs/NAME`` unless given.
    prog : str, optional
        Name of the program, for ``--help``.

    Returns
    -------
    Trainer
    """
    recipe = RECIPES[name]
    models, out = list(recipe.models), out or f"runs/{name}"
    p = parser(about or _about(), models, out, recipe.steps, recipe.save_every, **recipe.options)
    p.prog = prog or p.prog
    p.usage = f"{p.prog} [options]"
    (_add_images if name == "images" else _add_mnist)(p)
    options = p.parse_args(argv)
    if getattr(options, "recipe", name) != name:
        raise ValueError(f"{options.out}: expected a run of {name}, got one of {options.recipe}")
    options.recipe = name
    networks = networks_for(options.model, options.out, options.resume)
    data = _images(options, networks) if name == "images" else _mnist(options)
    return train_from(options, data, networks)


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


def train_from(
    options: argparse.Namespace, data: Dataset, networks: Networks | None = None
) -> Trainer:
    """Train on ``data``, with the options of the command line.

    Parameters
    ----------
    options : argparse.Namespace
        From `parser`.
    data : Dataset
    networks : Networks, optional
        Default: those of ``options.model``.

    Returns
    -------
    Trainer
    """
    networks = networks or find_networks(options.model)
    config = configure(data, networks, {name: getattr(options, name) for name in OPTIONS})
    if options.epochs:
        options.steps = steps_of(options.epochs, data, config)
    command = {k: v for k, v in vars(options).items() if k not in {*OPTIONS, *NO_COMMAND}}
    trainer = train_run(
        config, data.images, options.out, steps=options.steps, backend=options.backend,
        resume=options.resume, save_every=options.save_every, labels=data.labels,
        networks=networks, tell=_tell, command=command,
    )  # fmt: skip
    print(f"{options.out}: samples/, samples.gif, losses.png, metrics.csv")
    return trainer


def _tell(message):
    on_stderr(as_shell(message))


# ---- where the images come from -------------------------------------------------------------


def _add_mnist(p):
    about = "folder with MNIST's files, or an .npy or .npz of images"
    p.add_argument("--data", type=_absolute, help=about)


def _mnist(options):
    load = load_images if (options.data or "").endswith((".npy", ".npz")) else mnist
    return load(options.data)


def _add_images(p):
    about = "a folder of pictures, or an .npy or .npz file"
    p.add_argument("--images", type=_absolute, help=about)
    net = p.add_argument_group("the DCGAN, and the pictures made from a folder")
    about = "pixels a side (default: 64, or the array's or the model's)"
    net.add_argument("--size", type=int, help=about)
    about = "1: grey, 3: colour (default: 3, or the array's or the model's)"
    net.add_argument("--channels", type=int, choices=[1, 3], help=about)
    net.add_argument("--width", type=int, help="channels of the first convolution (default: 64)")
    net.add_argument("--dropout", type=float, help="dropout rate in D (default: 0, no dropout)")
    about = "build G of upsampling and convolution, not of transposed convolution"
    net.add_argument("--upsample", action="store_true", default=None, help=about)


def _images(options, networks):
    """Return the images, and set the name of the model if none is given."""
    if not options.images:
        raise ValueError("--images: expected a folder of pictures, or an .npy or .npz file")
    own = {name: getattr(options, name) for name in DCGAN if getattr(options, name) is not None}
    if options.size and not networks:  # before any picture is decoded
        dcgan_name(options.size, options.channels or 3, **own)
    data = load_for(networks, options.images, None, options.size, options.channels)
    H, W, C = data.images.shape[1:]
    dcgan = networks and networks.name.startswith("dcgan-")
    if own and networks and not (dcgan and networks.name == dcgan_name(H, C, **own)):
        given = ", ".join(f"--{name} {value}" for name, value in own.items())
        raise ValueError(f"{given}: not for --model {networks.name}")
    if not options.condition:
        unused_labels(data, _tell)
    if not options.model:
        options.model = dcgan_name(H, C, **own) if own else default_model((H, W, C))
    return data


# ---- reading the command line ----------------------------------------------------------------


def _about():
    lines = "\n".join(f"  {name:18} {recipe.about}" for name, recipe in RECIPES.items())
    more = "scratchgan train images --help lists --images, --size and others of that recipe"
    return f"{__doc__}\n\n    scratchgan train [RECIPE] [options]\n\nRecipes:\n{lines}\n\n{more}"


def _fitting(argv):
    """Return the recipe of a run that goes on; else the one that takes the options."""
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument("--images")
    p.add_argument("--out", type=Path)
    p.add_argument("--resume", action="store_true")
    known, _ = p.parse_known_args(argv)
    saved = saved_options(known.out, known.resume) if known.out else {}
    name = saved.get(COMMAND, {}).get("recipe")
    if name is not None and name not in RECIPES:
        raise ValueError(f"{known.out / CONFIG}: damaged: there is no recipe {name!r}")
    return name or ("images" if known.images else "mnist_mlp")


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


def _absolute(text):
    return os.path.abspath(os.path.expanduser(text)) if text else text
