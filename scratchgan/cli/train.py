"""Train a GAN: on MNIST, or on images of your own, with networks of your own."""

import argparse
from pathlib import Path

from ..data import Dataset, load_images, mnist
from ..gan import Trainer, dcgan_name
from ..runs import find_networks
from ..runs import train as train_run
from ..runs.folder import COMMAND, CONFIG, saved_options

from ..runs.front import (  # isort: skip
    OPTIONS, configure, default_model, load_for, scheduled, steps_of, unused_labels,
)  # fmt: skip
from ..runs.networks import Networks, networks_for
from ..runs.run import on_stderr
from .common import as_shell
from .options import absolute, parser
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
    config = scheduled(config, options.steps)
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
    p.add_argument("--data", type=absolute, help=about)


def _mnist(options):
    load = load_images if (options.data or "").endswith((".npy", ".npz")) else mnist
    return load(options.data)


def _add_images(p):
    about = "a folder of pictures, or an .npy or .npz file"
    p.add_argument("--images", type=absolute, help=about)
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


# ---- which recipe ---------------------------------------------------------------------------


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
