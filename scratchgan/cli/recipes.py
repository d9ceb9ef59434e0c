"""Recipes: what to train, each with its default options. The examples are recipes, too."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """A training that ``scratchgan train`` knows by name.

    Attributes
    ----------
    about : str
        One line.
    models : tuple of str
        Names of the library's networks that suit it; the first is the default. Empty: a DCGAN of
        the size of the images, or any other.
    steps, save_every : int
        Default number of training steps, and of steps between two grids of samples.
    options : dict
        Other defaults than those of `Config`.
    """

    about: str
    models: tuple[str, ...]
    steps: int
    save_every: int = 500
    options: dict[str, Any] = field(default_factory=dict)


RECIPES = {
    "mnist_mlp": Recipe(
        "fully connected layers on MNIST", ("mlp", "mlp-small"), 40000,
        options={"g_lr": 1e-3, "d_lr": 1e-3, "ema": 0.999}),
    # Small batches: within five epochs, many steps help more than exact gradients do.
    "mnist_dcgan": Recipe(
        "convolutions on MNIST, five epochs", ("dcgan28",), 9375, 375,
        options={"batch_size": 32, "ema": 0.999}),
    "mnist_conditional": Recipe(
        "a GAN that draws the digit it is asked for", ("mlp", "mlp-small", "dcgan28"), 30000,
        options={"d_lr": 1e-3, "ema": 0.999, "condition": "concat"}),
    "images": Recipe("images of your own, with a DCGAN or networks of your own", (), 10000, 200),
}  # fmt: skip
