import os
import re
from dataclasses import fields
from importlib.util import find_spec

import numpy as np
import pytest

from scratchgan.data import mnist
from scratchgan.gan import Config, generate
from scratchgan.runs import load_generator
from scratchgan.runs.checkpoint import read_checkpoint

from .running import MNIST_MLP, in_process, write_images


@pytest.fixture
def example(monkeypatch, capsys, tmp_path):
    """Run the example: options -> exit status, stdout, stderr."""
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)

    def call(*arguments, data=None, n=64):
        data = data or write_images(tmp_path / "images.npz", n)
        always = ("--data", data, "--out", tmp_path / "run", "--backend", "numpy")
        status = in_process(
            monkeypatch, MNIST_MLP, *always, "--batch-size", 16, "--model", "mlp-small", *arguments
        )
        return status, *capsys.readouterr()

    return call


def refused(found):
    """The one line with which the example was refused."""
    status, said, error = found
    assert status == 2 and not said
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def saved(tmp_path):
    """The metadata of the run's checkpoint."""
    return read_checkpoint(tmp_path / "run" / "checkpoint.safetensors")[1]


# ---- options ---------------------------------------------------------------------------------


def test_help_mentions_every_option_with_its_default(monkeypatch, capsys):
    assert in_process(monkeypatch, MNIST_MLP, "--help") == 0
    text = capsys.readouterr().out
    assert "Train a GAN" in text and "scratchgan/gan/models.py" in text
    said = {part.split()[0]: part for part in text.partition("\nwhere:")[2].split("\n  --")[1:]}
    options = {field.name.replace("_", "-") for field in fields(Config)}
    options |= {"backend", "out", "resume", "save-every", "steps", "epochs"}
    assert said.keys() >= options - {"data", "classes"} and "--data" in text
    for choice in ("non-saturating", "rmsprop", "mlp-small", "uniform", "float64"):
        assert choice in text
    without = {name for name in options - {"data", "classes"} if "(default:" not in said[name]}
    off = {"condition", "penalty-weight", "clip-weights", "minibatch-std", "tf32"}
    assert without == {"resume", "epochs"} | off


def test_options_reach_the_run(example, tmp_path):
    wanted = {
        **{"loss": "least-squares", "smooth": 0.1, "batch_size": 8, "seed": 4, "d_steps": 2},
        **{"g_optimiser": "sgd", "d_optimiser": "rmsprop", "g_lr": 0.01, "d_lr": 0.02},
        **{"beta1": 0.3, "noise": "uniform", "l2_generator": 0.5, "ema": 0.8, "dtype": "float64"},
        **{"beta2": 0.9, "d_norm": "spectral", "penalty": "r1", "penalty_weight": 0.1},
        **{"penalty_every": 2, "clip_weights": 0.5, "pack": 2, "instance_noise": 0.1},
        **{"instance_noise_steps": 7, "augment": "translation"},
        **{"schedule": "linear", "schedule_steps": 5},
    }
    typed = [text for k, v in wanted.items() for text in (f"--{k.replace('_', '-')}", v)]
    typed += ["--minibatch-std", "--tf32"]
    wanted |= {"minibatch_std": True, "tf32": True, "condition": None, "classes": 0}
    status, said, _ = example("--steps", 2, *typed)
    assert status == 0 and str(tmp_path / "run") in said
    config = saved(tmp_path)["config"]
    assert re.fullmatch(r"images \(64, 28, 28, 1\) [0-9a-f]{8}", config.pop("data"))
    assert config == wanted | {"model": "mlp-small"}


@pytest.mark.parametrize(
    ("n", "d_steps", "epochs"), [(64, 1, 3), (70, 1, 2), (160, 2, 3), (160, 3, 3), (64, 5, 1)]
)
def test_epochs_are_passes_over_the_data(example, tmp_path, n, d_steps, epochs):
    assert example("--epochs", epochs, "--d-steps", d_steps, n=n)[0] == 0
    steps = saved(tmp_path)["step"]
    wanted = epochs * (n // 16)  # batches
    assert steps >= 1
    assert abs(steps * d_steps - wanted) < d_steps


@pytest.mark.parametrize(
    "arguments",
    [
        ["--steps", "0"],
        ["--steps", "-5"],
        ["--steps", "many"],
        ["--steps", "5", "--epochs", "1"],
        ["--epochs", "0"],
        ["--save-every", "0"],
        ["--batch-size", "0"],
        ["--d-steps", "0"],
        ["--loss", "hinges"],
        ["--preset", "wgan-pg"],
        ["--model", "dcgan"],
        ["--noise", "pink"],
        ["--g-optimiser", "lion"],
        ["--backend", "jax"],
        ["--seed", "-1"],
        ["--out", ""],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_exits_with_2(example, tmp_path, arguments):
    status, said, error = example(*arguments)
    assert status == 2 and not said
    last = error.splitlines()[-1]
    assert "usage:" in error and "error: argument" in last and arguments[0] in last
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--batch-size", "65"], "batch_size: expected 1 to 64, the number of images, got 65"),
        (["--smooth", "1"], "smooth=1.0"),
        (["--smooth", "-0.1"], "smooth=-0.1"),
        (["--ema", "1"], "decay=1.0"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(example, tmp_path, arguments, named):
    assert named in refused(example("--steps", 2, *arguments))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(find_spec("cupy") is not None, reason="CuPy is installed")
def test_cupy_without_cupy_is_one_line_with_the_cure(example, tmp_path):
    error = refused(example("--steps", 2, "--backend", "cupy"))
    assert "'cupy'" in error and "pip install -e '.[cuda12]'" in error
    assert not (tmp_path / "run").exists()


# ---- exit statuses ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverges_exits_with_1_and_keeps_a_checkpoint(example, tmp_path):
    huge = ["--g-optimiser", "sgd", "--d-optimiser", "sgd", "--g-lr", "1e30", "--d-lr", "1e30"]
    status, _, error = example("--steps", 100, *huge)
    assert status == 1
    last = error.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("error: step ") and "learning rate" in last
    assert "Traceback" not in error
    generator, _ = load_generator(tmp_path / "run", "numpy")
    assert np.isfinite(generator.theta).all()


def test_a_different_run_is_not_gone_on_with(example):
    assert example("--steps", 2)[0] == 0
    error = refused(example("--steps", 4, "--resume", "--seed", 9))
    assert "seed: 0 saved, 9 now" in error


def test_other_data_are_a_different_run(example, tmp_path):
    assert example("--steps", 2)[0] == 0
    other = write_images(tmp_path / "others.npz", 80)
    error = refused(example("--steps", 4, "--resume", data=other))
    assert "images (64, 28, 28, 1)" in error and "others (80, 28, 28, 1)" in error


def test_a_finished_run_goes_on_with_more_steps(example, tmp_path):
    assert example("--steps", 2)[0] == 0
    assert example("--steps", 4, "--resume")[0] == 0
    assert saved(tmp_path)["step"] == 4


def test_a_file_where_the_folder_should_be_is_refused(example, tmp_path):
    (tmp_path / "run").write_text("not a folder")
    assert str(tmp_path / "run") in refused(example("--steps", 2))


# ---- data ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none.npz", "none.npy", "nowhere"])
def test_data_that_are_not_there_are_named(example, tmp_path, name):
    assert str(tmp_path / name) in refused(example("--steps", 2, data=tmp_path / name))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("length", [0, 3, 100, 10_000, -1])
def test_truncated_data_are_named(example, tmp_path, length):
    path = write_images(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:length])
    assert str(path) in refused(example("--steps", 2, data=path))


def test_objects_are_not_unpickled(example, tmp_path):
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{"a": 1}] * 3, object), allow_pickle=True)
    assert str(path) in refused(example("--steps", 2, data=path))


@pytest.mark.parametrize("shape", [(32, 32), (28, 28, 3)])
def test_images_of_another_size_are_refused_with_both_shapes(example, tmp_path, shape):
    path = write_images(tmp_path / "large.npz", shape=shape)
    error = refused(example("--steps", 2, data=path))
    given = shape if len(shape) == 3 else (*shape, 1)
    assert "large" in error and str(given) in error and "(28, 28, 1)" in error


@pytest.mark.skipif("SCRATCHGAN_DATA" not in os.environ, reason="SCRATCHGAN_DATA is not set")
def test_a_short_run_on_mnist_moves_from_noise_towards_digits(example, tmp_path):
    folder = os.environ["SCRATCHGAN_DATA"]
    arguments = ["--batch-size", 64, "--model", "mlp", "--ema", 0]
    assert example("--steps", 1, *arguments, data=folder)[0] == 0
    real = mnist(folder).images[:2000].astype(float)
    z = np.random.default_rng(0).standard_normal((500, 100), np.float32)

    def distance():
        """From the mean generated image to the mean real one."""
        generator, _ = load_generator(tmp_path / "run", "numpy")
        return np.abs(generate(generator, z).mean(0) - real.mean(0)).mean()

    start = distance()
    assert example("--steps", 300, "--resume", *arguments, data=folder)[0] == 0
    assert distance() < start / 2  # 0.29 to 0.37 of it for six seeds, with one thread and with two
