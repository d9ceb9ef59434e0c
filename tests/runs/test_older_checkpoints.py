"""Checkpoints that an older version wrote: a run goes on from them as it did with that version.

``checkpoints/NAME-24.safetensors`` was written after 24 steps, ``NAME-48.safetensors`` after 24
more, by the last version before the package was rearranged (NumPy backend, float64).
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from scratchgan.gan import Config
from scratchgan.runs import train
from scratchgan.runs.checkpoint import read_checkpoint

FOLDER = Path(__file__).parent / "checkpoints"


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_a_run_of_an_older_version_goes_on(name, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (48, 16, 16, 1), np.uint8)
    path = tmp_path / "checkpoint.safetensors"
    shutil.copy(FOLDER / f"{name}-24.safetensors", path)
    config = Config(**read_checkpoint(path)[1]["config"])
    labels = np.arange(48) % 3 if config.condition else None
    train(
        config, images, tmp_path, steps=48, save_every=24,
        backend="numpy", resume=True, labels=labels,
    )  # fmt: skip
    found, about = read_checkpoint(path)
    wanted, wanted_about = read_checkpoint(FOLDER / f"{name}-48.safetensors")
    # The options that were new since then have their defaults.
    wanted_about["config"] = asdict(Config(**wanted_about["config"]))
    assert about == wanted_about  # counters, the state of every random generator, the configuration
    assert found.keys() == wanted.keys()
    # Since then, BatchNorm's statistics in the running mean of G are averaged, too.
    for key in [key for key in wanted if key.startswith("average/") and ".running_" in key]:
        assert found.pop(key).shape == wanted.pop(key).shape
    if made_with() == json.loads((FOLDER / "made_with.json").read_text()):
        assert all(found[key].tobytes() == wanted[key].tobytes() for key in wanted)
    for key, array in wanted.items():  # another BLAS rounds in another way
        np.testing.assert_allclose(found[key], array, rtol=1e-8, atol=1e-11, err_msg=key)


def made_with():
    """What decides how numbers are rounded: NumPy's version, and its BLAS."""
    blas = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    return [np.__version__, *(f"{lib['version']} {lib['architecture']}" for lib in blas)]
