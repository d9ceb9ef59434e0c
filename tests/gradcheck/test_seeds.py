"""No right layer is ever accused: each of many, over 200 seeds.

``python -m pytest tests/gradcheck/test_seeds.py`` takes seconds, because a slow case is checked
with a part of the seeds; ``EVERY_SEED=1`` before it runs the full product.
"""

import os

import pytest

from scratchgan import (
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
CASES = [(repr(layer)[:50], layer, shape, 200) for layer, shape in layer_cases()]
CASES += [(make.__name__, *make(), 20) for make in OWN]


def stride(layer, shape):
    """Every how many seeds a case is checked: so that all together take seconds."""
    if os.environ.get("EVERY_SEED"):
        return 1
    size = layer.size + int.__mul__(*([1, 1] + [*shape])[-2:])
    return 1 if size < 40 else 8


@pytest.mark.parametrize(
    ("number", "layer", "shape"),
    [(i, layer, shape) for i, (_, layer, shape, _) in enumerate(CASES)],
    ids=[f"{i}-{name}" for i, (name, *_) in enumerate(CASES)],
)
def test_no_right_layer_is_accused(number, layer, shape):
    step = stride(layer, shape)
    for seed in range(number % step, SEEDS, step):
        report = check(layer, shape, seed)
        assert report.passed, f"seed {seed}:\n{report}"
