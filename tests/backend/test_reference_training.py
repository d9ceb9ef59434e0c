"""A training step on the reference: plain NumPy all the way, and the numbers of the fast forms."""

import sys
from pathlib import Path

import numpy as np

import scratchgan.backend
from scratchgan.backend import reference
from scratchgan.gan import Config, build

from ..compare import relative_error

FOLDER = Path(scratchgan.backend.__file__).parent


def mlp(backend):
    """A trainer of the MLP, by Adam, in float64."""
    images = np.random.default_rng(1).integers(0, 256, (24, 28, 28, 1), np.uint8)
    config = Config("random", "mlp", batch_size=8, dtype="float64")
    assert config.g_optimiser == config.d_optimiser == "adam"
    return build(config, images, backend)


def test_a_step_of_the_mlp_enters_no_file_of_the_backend_but_the_reference():
    trainer = mlp("reference")
    trainer.step()
    entered = set()

    def look(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and FOLDER in path.parents:
            entered.add((path.relative_to(FOLDER).as_posix(), frame.f_code.co_name))

    sys.setprofile(look)
    try:
        trainer.step()
    finally:
        sys.setprofile(None)
    assert {function for file, function in entered if file == "__init__.py"} == {"ops_of"}
    assert {file for file, _ in entered} == {"__init__.py", "reference.py"}
    operations = {function for file, function in entered if file == "reference.py"}
    assert {"matmul", "add_bias_", "leaky_relu", "leaky_relu_grad", "adam_"} <= operations
    # On Python below 3.12 a comprehension or a lambda would be a function of its own.
    assert operations <= set(reference.__all__)


def test_twenty_steps_are_those_of_the_fast_forms():
    found = {}
    for backend in ("reference", "numpy"):  # one after the other: NumPy arrays have one backend
        trainer = mlp(backend)
        losses = np.array([[float(value) for value in trainer.step()] for _ in range(20)])
        networks = trainer.generator, trainer.discriminator
        found[backend] = losses, *(network.theta.copy() for network in networks)
    for own, other in zip(found["reference"], found["numpy"], strict=True):
        assert relative_error(own, other) < 1e-9
