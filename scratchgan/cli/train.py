"""The command line that all training examples share."""

import argparse
import sys
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from ..backend import BackendError
from ..data import ImageFolder, load_images, mnist
from ..gan.config import Config
from ..gan.discriminator import CONDITIONS, NORMS
from ..gan.presets import PRESETS, RECIPE
from ..losses import ADVERSARIAL
from ..optim import OPTIMISERS
from ..penalties import PENALTIES
from ..runs.monitor import DivergenceError
from ..runs.run import Stopped, train

__all__ = ["exit_status", "parser", "train_from", "train_on_mnist"]


def parser(description, models, out, steps, save_every=500, **defaults):
    """An argument parser for a training example.

    Parameters
    ----------
    description : str
    models : list of str
        Choices of ``--model``; the first is the default. Empty: no such option, and the example
        sets ``model`` itself.
    out : str
        Default folder of the run.
    steps, save_every : int
        Default length of the run, and from one sample grid to the next.
    **defaults
        Of the fields of `Config`, where they are not those of `Config` itself.

    Returns
    -------
    argparse.ArgumentParser
    """
    p = _Parser(description=description, formatter_class=_HelpFormatter)
    where = p.add_argument_group("where")
    where.add_argument(
        "--backend",
        choices=["auto", "numpy", "cupy"],
        default="auto",
        help="where to compute; auto: on a GPU where there is one",
    )
    where.add_argument("--out", default=out, type=_folder, help="folder of the run")
    where.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    where.add_argument(
        "--save-every", type=_positive, default=save_every, help="steps between samples"
    )

    length = p.add_argument_group("how long").add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive, default=steps, help="training steps")
    length.add_argument("--epochs", type=_positive, help="passes over the data, instead of --steps")

    game = p.add_argument_group("what")
    if models:
        game.add_argument("--model", choices=models, default=models[0], help="a pair of networks")
    game.add_argument("--loss", choices=list(ADVERSARIAL), help="the game that is played")
    game.add_argument(
        "--preset",
        choices=list(PRESETS),
        help="the settings of a paper; what else is on the command line overrides them",
    )
    game.add_argument("--condition", choices=CONDITIONS, help="let both networks know the labels")
    game.add_argument("--smooth", type=float, help="label smoothing: D(x) is to be 1 - SMOOTH")
    game.add_argument("--noise", choices=["normal", "uniform"], help="N(0, 1) or U(-1, 1)")
    game.add_argument("--seed", type=_seed, help="of everything that is random")

    how = p.add_argument_group("how")
    how.add_argument("--batch-size", type=_positive, help="images a step")
    how.add_argument("--d-steps", type=_positive, help="steps of D for each step of G")
    how.add_argument("--g-optimiser", choices=list(OPTIMISERS), help="of the generator")
    how.add_argument("--d-optimiser", choices=list(OPTIMISERS), help="of the discriminator")
    how.add_argument("--g-lr", type=float, help="learning rate of the generator")
    how.add_argument("--d-lr", type=float, help="learning rate of the discriminator")
    how.add_argument("--beta1", type=float, help="decay of Adam's mean gradient")
    how.add_argument("--beta2", type=float, help="decay of Adam's mean square")
    how.add_argument("--l2-generator", type=float, help="L2 penalty on G's weights")
    how.add_argument("--ema", type=float, help="samples from a running mean of G's weights; 0: off")
    how.add_argument("--dtype", choices=["float32", "float64"], help="of all arrays")
    how.add_argument(
        "--tf32",
        action="store_true",
        help="on a GPU, faster products of float32 numbers, rounded to 10 bits",
    )

    cures = p.add_argument_group("cures, all for the discriminator")
    cures.add_argument("--d-norm", choices=NORMS, help="in place of the model's BatchNorm")
    cures.add_argument("--penalty", choices=["none", *PENALTIES], help="on D's slope")
    cures.add_argument("--penalty-weight", type=float, help="lambda or gamma; the paper's, if left")
    cures.add_argument("--penalty-every", type=_positive, help="only at every so-many-th step of D")
    cures.add_argument("--clip-weights", type=float, help="to this size: WGAN")
    cures.add_argument("--pack", type=_positive, help="samples that are judged together: PacGAN")
    cures.add_argument(
        "--minibatch-std", action="store_true", help="let D see how much a batch varies"
    )
    cures.add_argument("--instance-noise", type=float, help="standard deviation, on all D sees")
    cures.add_argument("--instance-noise-steps", type=int, help="until it has fallen to 0")
    own = {f.name: f.default for f in fields(Config) if f.name not in ("data", "model")}
    p.set_defaults(**(own | defaults))
    return p


def train_from(options, data):
    """Train as the command line says.

    Parameters
    ----------
    options : argparse.Namespace
        From `parser`.
    data : Dataset

    Returns
    -------
    Trainer
    """
    names = [f.name for f in fields(Config) if f.name not in ("data", "classes")]
    own = {name: getattr(options, name) for name in names}
    # So that a run is not resumed on other images:
    if isinstance(data.images, ImageFolder):
        digest = data.images.fingerprint()
    else:
        digest = f"{zlib.crc32(np.ascontiguousarray(data.images)):08x}"
    about = f"{data.name} {data.images.shape} {digest}"
    if options.condition and data.labels is not None:
        about += f", labels {zlib.crc32(np.ascontiguousarray(data.labels)):08x}"
        own["classes"] = int(data.labels.max()) + 1
    config = Config(data=about, **own)
    steps = options.steps
    if options.epochs:
        batches = options.epochs * (len(data.images) // config.batch_size)
        steps = -(-batches // config.d_steps)  # rounded up: a step takes d_steps batches
    trainer = train(
        config,
        data.images,
        options.out,
        steps=steps,
        backend=options.backend,
        resume=options.resume,
        save_every=options.save_every,
        labels=data.labels,
    )
    print(f"{options.out}: samples/, samples.gif, losses.png, metrics.csv")
    return trainer


def train_on_mnist(parser):
    """Read the command line with ``--data`` besides, load what it names, and train on it.

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
    is_array = options.data and options.data.endswith((".npy", ".npz"))
    return train_from(options, load_images(options.data) if is_array else mnist(options.data))


def exit_status(job):
    """Do a job; an error of the user's becomes one line on stderr and an exit status.

    Parameters
    ----------
    job : callable, () -> int or None

    Returns
    -------
    int
        0 done, 1 training failed, 2 something the user gave cannot be used, 130 stopped (Ctrl-C,
        SIGTERM).
    """
    try:
        return job() or 0
    except DivergenceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError, BackendError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Stopped as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:  # before the first step, or a second time
        print("interrupted", file=sys.stderr)
    return 130


class _Parser(argparse.ArgumentParser):
    """Of a preset, the settings stand in for the example's defaults: all that make up a recipe."""

    def parse_args(self, args=None, namespace=None):
        """Read the command line; what is said there overrides the preset."""
        preset = self.parse_known_args(args)[0].preset
        if preset:  # what a namespace has already, argparse does not give its default
            own = {f.name: f.default for f in fields(Config) if f.name in RECIPE}
            namespace = argparse.Namespace(**(own | PRESETS[preset].settings))
        return super().parse_args(args, namespace)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """The description as it was written, and every default that says something."""

    def _get_help_string(self, action):
        said = not any(action.default is nothing for nothing in (None, False, argparse.SUPPRESS))
        return f"{action.help or ''} (default: %(default)s)" if said else action.help


def _at_least(text, least):
    n = int(text)
    if n < least:
        raise argparse.ArgumentTypeError(f"{n} given, at least {least} wanted")
    return n


def _positive(text):
    return _at_least(text, 1)


def _seed(text):
    return _at_least(text, 0)


def _folder(text):
    if not text:
        raise argparse.ArgumentTypeError("nothing given, a folder wanted")
    return Path(text)
