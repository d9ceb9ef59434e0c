"""No right layer is ever accused: each of many, over 200 seeds.

``python -m pytest tests/gradcheck/test_seeds.py`` takes seconds, because a slow case is checked
with a part of the seeds; ``EVERY_SEED=1`` before it runs the full product.
"""

import os

import pytest

from scratchgan import (
    Augment,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)
from scratchgan.catalogue import layer_cases
from scratchgan.gradcheck import check

SEEDS = 200


def kinked():
    """Dozens of kinks, some of which differences will straddle."""
    return Sequential(Dense(5, 16), ReLU(), Dense(16, 8), LeakyReLU(0.2), Dense(8, 2)), (4, 5)


def dead_bias():
    """The true gradient of the first bias is zero: BatchNorm takes any shift away."""
    return Sequential(Dense(4, 3), BatchNorm(3), LeakyReLU(0.2)), (5, 4)


def dead_bias_of_images():
    return Sequential(Conv2D(1, 2, kernel=2), BatchNorm(2), ReLU()), (2, 4, 4, 1)


def dead_bias_in_a_residual():
    return Residual(Dense(4, 4), LayerNorm(4), ReLU(), Dropout(0.3)), (3, 4)


def small_convolutions():
    layers = [
        Conv2D(1, 2, kernel=2, stride=2, padding=1),
        LeakyReLU(0.2),
        ConvTranspose2D(2, 1, kernel=2, stride=2),
        Tanh(),
        Flatten(),
    ]
    return Sequential(*layers), (1, 3, 3, 1)


OWN = [kinked, dead_bias, dead_bias_of_images, dead_bias_in_a_residual, small_convolutions]
CASES = [(repr(layer)[:50], layer, shape) for layer, shape in layer_cases()]
CASES += [(make.__name__, *make()) for make in OWN]


def seeds(number, layer):
    """All 200 for what is checked in milliseconds, a part of them for the others."""
    quick = layer.size == 0 and not isinstance(layer, Augment)
    step = 1 if quick else 40 if "Conv" in repr(layer) else 10
    if os.environ.get("EVERY_SEED"):
        step = 1
    return range(number % step, SEEDS, step)


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_no_right_layer_is_accused(number):
    _, layer, shape = CASES[number]
    for seed in seeds(number, layer):
        report = check(layer, shape, seed)
        assert report.passed, f"seed {seed}:\n{report}"
