"""The options of a run, each defined here only; the command line is generated from them."""

from dataclasses import dataclass, field, fields
from functools import partial
from numbers import Integral, Real
from typing import Any, get_args

import numpy as np

from ..losses import ADVERSARIAL
from ..optim import OPTIMISERS, SCHEDULES
from ..penalties import PENALTIES
from .discriminator import AUGMENTATIONS, CONDITIONS, NORMS


def option(
    default: Any, help: str, group: str, choices: Any = None, least: int | None = None,
    preset: bool = False,
) -> Any:  # fmt: skip
    """Return a field of a dataclass that is also an option of the command line.

    Parameters
    ----------
    default : object
    help : str
        Line of ``--help``.
    group : str
        Title in ``--help`` under which the option is listed.
    choices : collection of str, optional
        The only values allowed.
    least : int, optional
        Smallest value allowed.
    preset : bool
        True if every preset sets this option: to the paper's value, or back to the default.

    Returns
    -------
    dataclasses.Field
    """
    about = {"help": help, "group": group, "choices": choices, "least": least, "preset": preset}
    return field(default=default, metadata=about)


_game = partial(option, group="what to train")
_training = partial(option, group="how to train it")
_cure = partial(option, group="cures for unstable training, all in the discriminator")


@dataclass(frozen=True)
class Config:
    """All settings of a run. Two runs with equal settings give equal numbers.

    Attributes
    ----------
    data : str
        Name, shape and checksum of the images, so that a run is not resumed on others.
    model : str
        A pair of networks: a name that `model` knows.
    classes : int
        How many classes the labels have; 0 without ``condition``.

    The other attributes are options of the command line: ``scratchgan train --help`` explains them.

    Raises
    ------
    TypeError, ValueError
        An option's value is of another type than its default, not one of its choices, or too small.
    """

    data: str
    model: str = _game("mlp", "pair of networks")
    loss: str = _game("non-saturating", "loss of D and of G", choices=ADVERSARIAL, preset=True)
    smooth: float = _game(0.0, "smooth the labels: train D(x) towards 1 - SMOOTH", preset=True)
    batch_size: int = _training(128, "images in a batch", least=1)
    seed: int = _game(0, "seed of all random numbers", least=0)
    g_optimiser: str = _training("adam", "optimiser of G", choices=OPTIMISERS, preset=True)
    d_optimiser: str = _training("adam", "optimiser of D", choices=OPTIMISERS, preset=True)
    g_lr: float = _training(2e-4, "learning rate of G", preset=True)
    d_lr: float = _training(2e-4, "learning rate of D", preset=True)
    schedule: str = _training(
        "constant", "how both learning rates fall to 0, if they do", choices=SCHEDULES, preset=True
    )
    schedule_steps: int = _training(
        0, "steps until they are 0; with a schedule, as many as the training has", least=0
    )
    beta1: float = _training(0.5, "decay rate of Adam's mean gradient", preset=True)
    beta2: float = _training(0.999, "decay rate of Adam's mean squared gradient", preset=True)
    d_steps: int = _training(1, "train D this often for each step of G", least=1, preset=True)
    condition: str | None = _game(None, "let both networks see the labels", choices=CONDITIONS)
    classes: int = 0
    d_norm: str = _cure("model", "replace the model's BatchNorm", choices=NORMS, preset=True)
    penalty: str = _cure("none", "penalise D's slope", choices=["none", *PENALTIES], preset=True)
    penalty_weight: float | None = _cure(None, "penalty's weight, if not the paper's", preset=True)
    penalty_every: int = _cure(1, "apply the penalty in every n-th step of D", least=1, preset=True)
    clip_weights: float | None = _cure(None, "WGAN: clip D's weights to this size", preset=True)
    pack: int = _cure(1, "PacGAN: let D judge this many samples together", least=1, preset=True)
    minibatch_std: bool = _cure(False, "show D how much a batch varies", preset=True)
    instance_noise: float = _cure(0.0, "add noise of this standard deviation to all D sees")
    instance_noise_steps: int = _cure(0, "lower that noise to 0 in this many steps; 0: keep it")
    augment: str = _cure(
        "none", "change all images that D sees, at random: for few images",
        choices=["none", *AUGMENTATIONS],
    )  # fmt: skip
    noise: str = _game("normal", "draw z from N(0, 1) or U(-1, 1)", choices=["normal", "uniform"])
    l2_generator: float = _training(0.0, "L2 penalty on G's weights")
    ema: float = _training(0.0, "draw samples from a running mean of G's weights; 0: do not")
    dtype: str = _training("float32", "type of all numbers", choices=["float32", "float64"])
    tf32: bool = _training(False, "on a GPU, multiply float32 faster, rounded to 10 bits")

    def __post_init__(self):
        for f in fields(self):
            value, kind = getattr(self, f.name), (get_args(f.type) or [f.type])[0]
            if value is not None or f.default is not None:
                object.__setattr__(self, f.name, _checked(f, value, kind))


# The type of an option -> the types of the values that it takes, and a word for them.
_KINDS = {
    bool: ((bool, np.bool_), "True or False"), int: (Integral, "an integer"),
    float: (Real, "a number"), str: (str, "a text"),
}  # fmt: skip


def _checked(f, value, kind):
    """Return an option's value as plain Python; raise unless the option takes it."""
    kinds, word = _KINDS[kind]
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{f.name}: expected {word}, got {value!r}")
    choices, least = f.metadata.get("choices"), f.metadata.get("least")
    if choices and value not in choices:
        raise ValueError(f"{f.name}: expected one of {', '.join(choices)}, got {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{f.name}: expected {least} or more, got {value}")
    return kind(value)
