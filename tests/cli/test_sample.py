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
from scratchgan.plots import sample_grid
from scratchgan.runs import load_generator, train

from ..gan.tiny import SHAPE, install, random_images, tiny_config, tiny_discriminator


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


@pytest.mark.parametrize(
    ("n", "cells", "scale"), [(1, (1, 1), 26), (5, (3, 2), 10), (64, (8, 8), 4), (400, (20, 20), 2)]
)
def test_a_png_is_a_grid_that_one_can_look_at(trained, tmp_path, capsys, n, cells, scale):
    out = tmp_path / "x.png"
    status, said, _ = sample(capsys, trained(), "--n", n, "--out", out)
    assert status == 0 and f"{out}: {n} {'image' if n == 1 else 'images'} from" in said
    with Image.open(out) as image:
        assert image.size == tuple(scale * (2 + 8 * cells_) for cells_ in cells)


def test_scale_columns_and_border_are_as_asked(trained, tmp_path, capsys):
    run, images = trained("colour"), tmp_path / "x.npz"
    assert sample(capsys, run, "--n", 3, "--out", images)[0] == 0
    for scale, columns, border in [(1, 3, 0), (5, 1, 2), (3, 2, 1)]:
        look = ["--scale", scale, "--columns", columns, "--border", border]
        assert sample(capsys, run, "--n", 3, "--out", tmp_path / "x.png", *look)[0] == 0
        wanted = sample_grid(arrays(images)["images"], columns, border, scale)
        with Image.open(tmp_path / "x.png") as image:
            assert np.array_equal(np.asarray(image), np.asarray(wanted))


def test_one_image_can_be_written_pixel_by_pixel(trained, tmp_path, capsys):
    run = trained()
    for out in ("x.npz", "x.png"):
        bare = ["--n", 1, "--scale", 1, "--border", 0]
        assert sample(capsys, run, *bare, "--out", tmp_path / out)[0] == 0
    with Image.open(tmp_path / "x.png") as image:
        assert np.array_equal(np.asarray(image), arrays(tmp_path / "x.npz")["images"][0])


@pytest.mark.parametrize(("name", "shape"), [("tiny", (5, 6, 6)), ("colour", (5, 4, 3, 3))])
def test_an_npz_holds_the_images(trained, tmp_path, capsys, name, shape):
    run = trained(name)
    assert sample(capsys, run, "--n", 5, "--out", tmp_path / "x.npz", "--seed", 7)[0] == 0
    found = arrays(tmp_path / "x.npz")
    assert found.keys() == {"images", "z"}
    images, z = found["images"], found["z"]
    assert images.shape == shape and images.dtype == np.uint8
    assert z.shape == (5, 5) and z.dtype == np.float32
    generator, _ = load_generator(run, "numpy")
    assert np.array_equal(z, draw_noise(np.random.default_rng(7), 5, 5))
    assert np.array_equal(images, generate(generator, z).reshape(shape))
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


@pytest.mark.parametrize(
    ("name", "least", "value"),
    [
        ("n", 1, 0), ("n", 1, -3), ("seed", 0, -1), ("scale", 1, 0), ("columns", 1, 0),
        ("columns", 1, -2), ("border", 0, -1),
    ],
)  # fmt: skip
def test_a_number_that_is_too_small_is_refused(trained, tmp_path, capsys, name, least, value):
    wanted = f"--{name}: expected {least} or more, got {value}"
    assert wanted in refused(capsys, trained(), f"--{name}", value, "--out", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.npy", "x.png.txt", "x.gif", ""])
def test_a_name_in_another_suffix_is_refused(trained, tmp_path, capsys, name):
    error = refused(capsys, trained(), "--out", tmp_path / name)
    assert ".png or .npz (a picture, or arrays), got " in error
    assert not (tmp_path / name).is_file()


def test_a_suffix_may_be_in_capitals(trained, tmp_path, capsys):
    run = trained()
    for name in ("x.PNG", "x.Npz"):
        assert sample(capsys, run, "--out", tmp_path / name)[0] == 0
        assert (tmp_path / name).is_file()


def test_a_folder_in_the_place_of_the_file_is_refused(trained, tmp_path, capsys):
    (tmp_path / "x.png").mkdir()
    error = refused(capsys, trained(), "--out", tmp_path / "x.png")
    assert f"--out: expected a file, got the folder {tmp_path / 'x.png'}" in error


# ---- many images -----------------------------------------------------------------------------


def test_more_images_than_a_picture_can_show_are_refused(trained, tmp_path, capsys):
    error = refused(capsys, trained(), "--n", 10_001, "--out", tmp_path / "x.png")
    assert "--n: expected 10000 or fewer in a picture, got 10001; " in error and ".npz" in error


def test_a_picture_that_no_program_opens_is_refused(trained, tmp_path, capsys):
    out = tmp_path / "new" / "x.png"
    error = refused(capsys, trained(), "--scale", 999, "--out", out)
    assert "expected 134217728 pixels or fewer, got 65934 x 65934 pixels for 64 images" in error
    assert not out.parent.exists()


@pytest.mark.parametrize("n", [10**13, 10**17])
def test_more_noise_than_memory_is_one_line(trained, tmp_path, capsys, n):
    """z: 5 floats of 4 bytes; two copies of an image of 36 pixels: 92 bytes for each image."""
    status, _, said = sample(capsys, trained(), "--n", n, "--out", tmp_path / "x.npz")
    first, error = said.splitlines()
    assert status == 2 and first.endswith(f"{n} images need about {n * 92 / 1e9:.1f} GB of memory")
    assert error.startswith(f"error: --n {n}: not enough memory") and "--seed" in error


def test_the_memory_of_many_images_is_said(trained, tmp_path, capsys, monkeypatch):
    run = trained()
    monkeypatch.setattr("scratchgan.cli.sample.LARGE", 1e4)
    status, _, said = sample(capsys, run, "--n", 999, "--out", tmp_path / "x.npz")
    assert status == 0 and said == "999 images need about 0.0 GB of memory\n"
    assert sample(capsys, run, "--n", 100, "--out", tmp_path / "x.npz")[2] == ""


# ---- folders and files -----------------------------------------------------------------------


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


def test_a_folder_that_is_not_there_is_made_and_named(trained, tmp_path, capsys):
    out, run = tmp_path / "new" / "folder" / "x.png", trained()
    status, said, _ = sample(capsys, run, "--out", out)
    assert status == 0 and out.is_file()
    assert said == f"{out}: 64 images from {run}, in the new folder {out.parent}\n"
    status, said, _ = sample(capsys, run, "--out", out)
    assert status == 0
    assert said == f"{out}: 64 images from {run}, in place of an older file\n"


def test_a_folder_that_cannot_be_made_is_refused(trained, tmp_path, capsys):
    run, file = trained(), tmp_path / "file"
    file.write_text("mine")
    error = refused(capsys, run, "--out", file / "folder" / "x.png")
    assert (
        f"--out {file / 'folder' / 'x.png'}: the folder {file / 'folder'} cannot be made" in error
    )
    assert "Not a directory; nothing was written" in error
    error = refused(capsys, run, "--out", file / "x.npz")
    assert f"{file / 'x.npz'}: cannot be written: Not a directory; nothing was written" in error
    assert file.read_text() == "mine"
    long = tmp_path / f"{'n' * 300}.png"
    wanted = f"{long}: cannot be written: File name too long; nothing was written"
    assert wanted in refused(capsys, run, "--out", long)


def test_no_folder_is_made_for_what_is_refused(trained, tmp_path, capsys):
    out = tmp_path / "new" / "x.png"
    refused(capsys, tmp_path, "--out", out)
    refused(capsys, trained(), "--label", 3, "--out", out)
    assert not out.parent.exists()


def conditional(tmp_path, monkeypatch):
    """The folder of a conditional run with three classes."""

    def generator():
        return Sequential(Dense(25, 36), Tanh(), Reshape(SHAPE))

    monkeypatch.setitem(MODELS, "wide", Model(generator, tiny_discriminator, 25, SHAPE))
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)
    config = tiny_config(model="wide", condition="classifier", classes=3)
    images, labels = random_images(32), np.arange(32) % 3
    train(config, images, tmp_path / "run", steps=1, backend="numpy", labels=labels)
    return tmp_path / "run"


def test_labels_are_kept_with_their_noise_and_images(tmp_path, monkeypatch, capsys):
    run, out = conditional(tmp_path, monkeypatch), tmp_path / "x.npz"
    for label, wanted in [(None, [0, 1, 2, 0, 1]), (2, [2] * 5)]:
        chosen = [] if label is None else ["--label", label]
        assert sample(capsys, run, "--n", 5, *chosen, "--out", out)[0] == 0
        found = arrays(out)
        assert found.keys() == {"images", "z", "labels"} and found["labels"].tolist() == wanted
        generator, _ = load_generator(run, "numpy")
        again = generate(generator, found["z"], found["labels"])
        assert np.array_equal(found["images"], again[..., 0])
    for label in (3, -1):
        error = refused(capsys, run, "--label", label, "--out", out)
        assert f"--label: expected 0 to 2, got {label}" in error


@pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed")
def test_cupy_without_cupy_is_one_line_with_the_cure(trained, capsys):
    run = trained()
    capsys.readouterr()
    assert main(["sample", str(run), "--backend", "cupy"]) == 2
    error = capsys.readouterr().err
    assert "pip install" in error and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["sample"], ["sample", "x", "--n", "many"], ["paint"]])
def test_a_command_line_that_makes_no_sense_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


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
