import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scratchgan
from scratchgan import Dense, Flatten, Reshape, Sequential, Tanh
from scratchgan.__main__ import main
from scratchgan.data import load_images
from scratchgan.gan import MODELS, Model, draw_noise, generate
from scratchgan.runs import load_generator, train

from ..gan.tiny import install, random_images, tiny_config


def colour_generator():
    return Sequential(Dense(5, 36), Tanh(), Reshape((4, 3, 3)))


def colour_discriminator():
    return Sequential(Flatten(), Dense(36, 1))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Make the folder of a run: options -> path."""
    install(monkeypatch)
    monkeypatch.setitem(
        MODELS, "colour", Model(colour_generator, colour_discriminator, 5, (4, 3, 3))
    )
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)

    def make(model="tiny", **options):
        images = random_images(32, MODELS[model].image_shape)
        train(
            tiny_config(model=model, **options), images, tmp_path / model, steps=3, backend="numpy"
        )
        return tmp_path / model

    return make


def sample(capsys, *arguments):
    """Exit status, stdout and stderr of a ``sample`` command."""
    capsys.readouterr()
    status = main(["sample", *map(str, arguments), "--backend", "numpy"])
    return status, *capsys.readouterr()


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize(("n", "cells"), [(1, (1, 1)), (5, (3, 2)), (64, (8, 8))])
def test_a_png_is_a_grid(trained, tmp_path, capsys, n, cells):
    out = tmp_path / "x.png"
    status, said, _ = sample(capsys, trained(), "--n", n, "--out", out)
    assert status == 0 and f"{out}: {n} images" in said
    with Image.open(out) as image:
        assert image.size == tuple(2 * (2 + 8 * cells_) for cells_ in cells)


@pytest.mark.parametrize(("name", "shape"), [("tiny", (5, 6, 6)), ("colour", (5, 4, 3, 3))])
def test_an_npz_holds_the_images(trained, tmp_path, capsys, name, shape):
    run = trained(name)
    assert sample(capsys, run, "--n", 5, "--out", tmp_path / "x.npz", "--seed", 7)[0] == 0
    (key, images), *others = arrays(tmp_path / "x.npz").items()
    assert key == "images" and not others
    assert images.shape == shape and images.dtype == np.uint8
    generator, _ = load_generator(run, "numpy")
    wanted = generate(generator, draw_noise(np.random.default_rng(7), 5, 5))
    assert np.array_equal(images, wanted.reshape(shape))
    assert images.std() > 0


def test_an_npz_can_be_learned_from_again(trained, tmp_path, capsys):
    assert sample(capsys, trained(), "--n", 6, "--out", tmp_path / "x.npz")[0] == 0
    assert load_images(tmp_path / "x.npz").images.shape == (6, 6, 6, 1)


@pytest.mark.parametrize("options", [{"ema": 0.9}, {"noise": "uniform"}, {"dtype": "float64"}])
def test_the_runs_own_options_are_used(trained, tmp_path, capsys, options):
    run = trained(**options)
    assert sample(capsys, run, "--n", 4, "--out", tmp_path / "x.npz")[0] == 0
    generator, config = load_generator(run, "numpy")
    z = draw_noise(np.random.default_rng(0), 4, 5, config.noise)
    found = arrays(tmp_path / "x.npz")["images"]
    assert np.array_equal(found, generate(generator, z)[..., 0])
    assert generator.theta.dtype == config.dtype


def test_one_seed_one_sample(trained, tmp_path, capsys):
    run, found = trained(), []
    for i, seed in enumerate((3, 3, 4)):
        assert sample(capsys, run, "--seed", seed, "--out", tmp_path / f"{i}.npz")[0] == 0
        found.append(arrays(tmp_path / f"{i}.npz")["images"])
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def refused(capsys, *arguments):
    """The one line with which a command is refused."""
    status, said, error = sample(capsys, *arguments)
    assert status == 2 and not said
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize("n", [0, -3])
def test_a_number_below_one_is_refused(trained, tmp_path, capsys, n):
    assert f"--n: expected 1 or more, got {n}" in refused(
        capsys, trained(), "--n", n, "--out", tmp_path / "x.png"
    )
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.npy", "x.png.txt"])
def test_a_name_in_another_suffix_is_refused(trained, tmp_path, capsys, name):
    assert ".png or .npz" in refused(capsys, trained(), "--out", tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    out = tmp_path / "x.png"
    for run in (tmp_path / "nowhere", tmp_path):
        assert str(run / "checkpoint.safetensors") in refused(capsys, run, "--out", out)
    assert not out.exists()


def test_a_damaged_checkpoint_is_refused(trained, tmp_path, capsys):
    path = trained() / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert str(path) in refused(capsys, path.parent, "--out", tmp_path / "x.png")


def test_a_model_that_is_no_more_is_refused(trained, tmp_path, capsys, monkeypatch):
    run = trained()
    monkeypatch.delitem(MODELS, "tiny")
    assert "'tiny'" in refused(capsys, run, "--out", tmp_path / "x.png")


def test_a_folder_that_is_not_there_is_made(trained, tmp_path, capsys):
    out = tmp_path / "new" / "folder" / "x.png"
    assert sample(capsys, trained(), "--out", out)[0] == 0
    assert out.is_file()


@pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed")
def test_cupy_without_cupy_is_one_line_with_the_cure(trained, capsys):
    run = trained()
    capsys.readouterr()
    assert main(["sample", str(run), "--backend", "cupy"]) == 2
    error = capsys.readouterr().err
    assert "pip install" in error and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["sample"], ["sample", "x", "--n", "many"], [], ["paint"]])
def test_a_command_line_that_makes_no_sense_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m scratchgan" in capsys.readouterr().err


def test_the_module_is_a_command(tmp_path):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(scratchgan.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "scratchgan", "sample", tmp_path, "--out", tmp_path / "x.png"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "no such checkpoint" in done.stderr
    assert done.stderr.count("\n") == 1
