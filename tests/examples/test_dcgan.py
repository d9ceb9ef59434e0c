"""The two DCGAN examples, with networks and images small enough for a test."""

import numpy as np
import pytest
from PIL import Image

from scratchgan.data import folder
from scratchgan.runs import load_generator
from scratchgan.runs.checkpoint import read_checkpoint

from .running import ROOT, in_process, write_images

FACES, MNIST_DCGAN = ROOT / "examples" / "faces_dcgan.py", ROOT / "examples" / "mnist_dcgan.py"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures of many kinds, one of them broken."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    (folder / "more").mkdir()
    for i in range(24):
        height, width = rng.integers(10, 50, 2)
        shape = (height, width) if i % 4 == 0 else (height, width, 3)
        picture = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
        kind = ("png", "jpg", "webp")[i % 3]
        picture.save(folder / ("more" if i % 2 else "") / f"{i}.{kind}")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def faces(monkeypatch, capsys, tmp_path):
    """Run the example with small networks: options -> exit status, stdout, stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(images, *arguments, steps=3, out="run"):
        always = ["--images", images, "--out", tmp_path / out, "--backend", "numpy"]
        always += ["--batch-size", 8, "--width", 4, "--steps", steps, "--save-every", 2]
        return in_process(monkeypatch, FACES, *always, *arguments), *capsys.readouterr()

    return call


def state(out):
    return read_checkpoint(out / "checkpoint.safetensors")


def test_a_folder_of_anything(faces, pictures, tmp_path):
    status, said, error = faces(pictures, "--size", 16)
    assert status == 0, error
    assert "left out 1 of 25 files" in error and "broken.png" in error
    out = tmp_path / "run"
    assert str(out) in said
    for name in ("losses.png", "samples.gif", "metrics.csv", "samples/00000003.png"):
        assert (out / name).stat().st_size > 0, name
    generator, config = load_generator(out, "numpy")
    assert config.model == "dcgan-16x3-w4"
    assert f"{pictures.name} (24, 16, 16, 3)" in config.data
    assert generator.forward(np.zeros((1, 100), np.float32), train=False)[0].shape == (1, 16, 16, 3)


def test_pictures_are_decoded_once(faces, pictures, monkeypatch):
    decoded, decode = [], folder.decode
    monkeypatch.setattr(
        folder, "decode", lambda path, *args: decoded.append(path.name) or decode(path, *args)
    )
    for out in ("one", "two"):
        assert faces(pictures, "--size", 16, steps=7, out=out)[0] == 0  # more than two epochs
        assert len(decoded) == len(set(decoded)) == 25


def test_every_option_reaches_the_networks(faces, pictures, tmp_path):
    options = ["--size", 32, "--channels", 1, "--upsample", "--dropout", 0.25]
    options += ["--d-steps", 2, "--l2-generator", 1e-4]
    status, _, error = faces(pictures, *options)
    assert status == 0, error
    config = state(tmp_path / "run")[1]["config"]
    assert config["model"] == "dcgan-32x1-w4-up-drop0.25"
    assert (config["d_steps"], config["l2_generator"]) == (2, 1e-4)


def test_a_run_in_two_parts_is_a_run_in_one(faces, pictures, tmp_path):
    options = ["--size", 16, "--dropout", 0.25]
    assert faces(pictures, *options, steps=5, out="whole")[0] == 0
    assert faces(pictures, *options, steps=3, out="parts")[0] == 0
    assert faces(pictures, *options, "--resume", steps=5, out="parts")[0] == 0
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert whole[1] == parts[1] and whole[0].keys() == parts[0].keys()
    for key, array in whole[0].items():
        assert parts[0][key].tobytes() == array.tobytes(), key
    last = "samples/00000005.png"
    whole, parts = (tmp_path / out / last for out in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


def test_a_run_is_not_gone_on_with_on_other_images(faces, pictures, tmp_path):
    assert faces(pictures, "--size", 16)[0] == 0
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(pictures.rglob("*.png"))[1:]:
        (other / path.name).write_bytes(path.read_bytes())
    status, _, error = faces(other, "--size", 16, "--batch-size", 4, "--resume", steps=5)
    assert status == 2 and "data" in error


def test_an_array_file(faces, tmp_path):
    images = write_images(tmp_path / "cifar.npz", 16, (32, 32, 3))
    status, _, error = faces(images)  # of its own size
    assert status == 0, error
    assert "cifar (16, 32, 32, 3)" in state(tmp_path / "run")[1]["config"]["data"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", 50], "power of two, such as 48 or 56, got size 50"),
        (["--size", 64], "expected images of shape (64, 64, 3), got (32, 32, 3)"),
        (["--dropout", 1.5], "expected 0 <= dropout < 1, got dropout 1.5"),
        (["--dropout", -0.5], "dropout -0.5"),
        (["--dropout", "nan"], "dropout nan"),
        (["--width", -4], "width -4"),
        (["--size", -16], "size -16"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(faces, tmp_path, options, message):
    images = write_images(tmp_path / "cifar.npz", 16, (32, 32, 3))
    status, _, error = faces(images, *options)
    assert status == 2
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_an_array_of_four_channels(faces, tmp_path):
    images = write_images(tmp_path / "rgba.npz", 16, (16, 16, 4))
    status, _, error = faces(images)
    assert status == 0, error
    with Image.open(tmp_path / "run" / "samples" / "00000003.png") as grid:
        assert grid.mode == "RGBA"


def test_a_folder_without_images(faces, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, error = faces(tmp_path / "empty")
    assert status == 2 and error.startswith("error: ") and "at least one image" in error


def test_mnist(monkeypatch, tmp_path):
    data = write_images(tmp_path / "digits.npz", 16)
    arguments = ["--data", data, "--out", tmp_path / "run", "--backend", "numpy"]
    arguments += ["--batch-size", 8, "--steps", 2]
    assert in_process(monkeypatch, MNIST_DCGAN, *arguments) == 0
    config = state(tmp_path / "run")[1]["config"]
    assert config["model"] == "dcgan28" and config["ema"] == 0.999
