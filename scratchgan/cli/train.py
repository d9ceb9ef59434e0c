"""The command line that all training examples share. Most of its options are those of `Config`."""

import argparse
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ..data import Dataset, load_images, mnist
from ..gan import PRESETS, Config, Trainer, preset_options
from ..runs import train
from .common import HelpFormatter, add_backend


def parser(
    description: str, models: list[str], out: str, steps: int, save_every: int = 500, **own: Any
) -> argparse.ArgumentParser:  # fmt: skip
    """Return the argument parser of a training example.

    Parameters
    ----------
    description : str
        Text at the top of ``--help``.
    models : list of str
        Choices of ``--model``; the first is the default. If the list is empty, there is no such
        option, and the example sets ``model`` itself.
    out : str
        Default folder of the run.
    steps, save_every : int
        Default number of training steps, and of steps between two sample grids.
    **own
        The example's own defaults of options of `Config`.

    Returns
    -------
    argparse.ArgumentParser
    """
    p = _Parser(description=description, formatter_class=HelpFormatter)
    count = _at_least(1)
    where = p.add_argument_group("where")
    add_backend(where)
    where.add_argument("--out", default=out, type=_folder, help="folder of the run")
    where.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    where.add_argument("--save-every", type=count, default=save_every, help="steps between samples")
    length = p.add_argument_group("how long").add_mutually_exclusive_group()
    length.add_argument("--steps", type=count, default=steps, help="training steps")
    length.add_argument("--epochs", type=count, help="passes over the data, instead of --steps")
    about = "take the settings of a paper; other options on the command line override them"
    p.add_argument("--preset", choices=PRESETS, help=about)

    options = [f for f in fields(Config) if f.metadata and (models or f.name != "model")]
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
            how["choices"] = models if f.name == "model" else f.metadata["choices"]
        groups[f.metadata["group"]].add_argument("--" + f.name.replace("_", "-"), **how)
    p.set_defaults(**({"model": models[0]} if models else {}) | own)
    return p


def train_from(options: argparse.Namespace, data: Dataset) -> Trainer:
    """Train on ``data``, with the options of the command line.

    Parameters
    ----------
    options : argparse.Namespace
        From `parser`.
    data : Dataset

    Returns
    -------
    Trainer
    """
    own = {f.name: getattr(options, f.name) for f in fields(Config) if f.metadata}
    # A digest of the images, because a run must not be resumed on others.
    about = f"{data.name} {data.images.shape} {data.digest or _crc32(data.images)}"
    if options.condition and data.labels is not None:
        about += f", labels {_crc32(data.labels)}"
        own["classes"] = int(data.labels.max()) + 1
    config = Config(data=about, **own)
    steps = options.steps
    if options.epochs:
        batches = options.epochs * (len(data.images) // config.batch_size)
        steps = -(-batches // config.d_steps)  # rounded up: a step takes d_steps batches
    trainer = train(
        config, data.images, options.out, steps=steps, backend=options.backend,
        resume=options.resume, save_every=options.save_every, labels=data.labels,
    )  # fmt: skip
    print(f"{options.out}: samples/, samples.gif, losses.png, metrics.csv")
    return trainer


def train_on_mnist(parser: argparse.ArgumentParser) -> Trainer:
    """Add ``--data`` to the parser, read the command line, and train on the images it names.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        From `parser`.

    Returns
    -------
    Trainer
    """
    parser.add_argument("--data", help="folder with MNIST's files, or an .npy or .npz of images")
    options = parser.parse_args()
    load = load_images if (options.data or "").endswith((".npy", ".npz")) else mnist
    return train_from(options, load(options.data))


class _Parser(argparse.ArgumentParser):
    """A parser in which the settings of ``--preset`` replace the example's own defaults."""

    def parse_args(self, args=None, namespace=None):
        """Read the command line; options given there override the preset."""
        preset = self.parse_known_args(args)[0].preset
        if preset:  # argparse sets no default for what is in the namespace already
            namespace = argparse.Namespace(**preset_options(preset))
        return super().parse_args(args, namespace)


def _at_least(least):
    """Return a function that reads an integer of at least ``least``."""

    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")
        return int(text)

    number.__name__ = "int"  # argparse prints it if the text is no number
    return number


def _folder(text):
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got nothing")
    return Path(text)


def _crc32(array):
    return f"{zlib.crc32(np.ascontiguousarray(array)):08x}"
