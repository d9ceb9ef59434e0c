"""Runs that are stopped in the hardest ways, and end as if never stopped."""

import csv
import random
import signal
import time

import numpy as np
import pytest

from scratchgan.runs.checkpoint import read_checkpoint
from scratchgan.runs.run import METRICS_EVERY

from .running import MNIST_MLP, content, finish, in_process, start, write_images

STEPS = 120


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("data") / "images.npz")


def arguments(data, out, *more):
    return [
        *("--data", data, "--out", out, "--steps", STEPS, "--batch-size", 32),
        *("--save-every", 7, "--backend", "numpy", "--model", "mlp-small", *more),
    ]


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The folder of a run that nothing has stopped."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    status, _, error = finish(start(MNIST_MLP, *arguments(data, out)))
    assert status == 0, error
    return out


def metrics(out):
    with open(out / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row.pop("images_per_second")) > 0 for row in rows)
    return rows


def assert_same_end(out, uninterrupted):
    found, wanted = (read_checkpoint(o / "checkpoint.safetensors") for o in (out, uninterrupted))
    assert found[0].keys() == wanted[0].keys()
    for key, array in wanted[0].items():
        assert found[0][key].tobytes() == array.tobytes(), key
    assert found[1] == wanted[1]
    assert found[1]["step"] == STEPS
    assert metrics(out) == metrics(uninterrupted)
    wanted_steps = [str(n) for n in range(METRICS_EVERY, STEPS + 1, METRICS_EVERY)]
    assert [row["step"] for row in metrics(out)] == wanted_steps
    last = f"samples/{STEPS:08}.png"
    assert (out / last).read_bytes() == (uninterrupted / last).read_bytes()
    assert (out / "samples.gif").is_file() and (out / "losses.png").is_file()


def saves(out):
    return len(list((out / "samples").glob("*.png"))) if out.exists() else 0


def wait_for_save(process, out, count):
    """Until that many samples have been saved, or the process has ended."""
    deadline = time.monotonic() + 60
    while saves(out) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.004)


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_never_was(
    data, uninterrupted, tmp_path
):
    out, rng = tmp_path / "run", random.Random(5)
    killed = []
    # First while Python starts and before anything is saved, then anywhere: a step after a save
    # takes milliseconds, and so do the parts of a save.
    for moment in ["start"] * 3 + ["training"] * 8:
        process = start(MNIST_MLP, *arguments(data, out, "--resume"))
        if moment == "training":
            wait_for_save(process, out, saves(out) + 1)
            time.sleep(rng.uniform(0, 0.03))
        else:
            time.sleep(rng.uniform(0.2, 0.7))
        process.send_signal(signal.SIGKILL)
        status, _, error = finish(process)
        assert status in (0, -signal.SIGKILL), error
        if status == 0:
            break
        checkpoint = out / "checkpoint.safetensors"
        killed.append(read_checkpoint(checkpoint)[1]["step"] if checkpoint.exists() else None)
    in_the_middle = [step for step in killed if step is not None and 0 < step < STEPS]
    assert len(in_the_middle) >= 3, killed  # else this has tested little
    assert in_the_middle == sorted(in_the_middle)
    status, _, error = finish(start(MNIST_MLP, *arguments(data, out, "--resume")))
    assert status == 0, error
    assert_same_end(out, uninterrupted)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_saves_and_can_be_gone_on_with(
    data, uninterrupted, tmp_path, ctrl_c, asked
):
    out = tmp_path / "run"
    process = start(MNIST_MLP, *arguments(data, out))
    wait_for_save(process, out, 3)
    process.send_signal(asked)
    status, _, error = finish(process)
    assert status == 130, error
    last = error.strip().splitlines()[-1]
    assert "stopped at step" in last and "--resume" in last
    assert "Traceback" not in error
    arrays, meta = read_checkpoint(out / "checkpoint.safetensors")
    assert 14 <= meta["step"] < STEPS and f"step {meta['step']}," in last
    assert all(np.isfinite(array).all() for array in arrays.values())
    status, _, error = finish(start(MNIST_MLP, *arguments(data, out, "--resume")))
    assert status == 0, error
    assert_same_end(out, uninterrupted)


def test_a_finished_run_is_not_overwritten(data, uninterrupted, monkeypatch, capsys):
    before = content(uninterrupted)
    assert in_process(monkeypatch, MNIST_MLP, *arguments(data, uninterrupted)) == 2
    error = capsys.readouterr().err
    assert "checkpoint.safetensors: exists; go on with --resume" in error
    assert error.count("\n") == 1
    assert content(uninterrupted) == before
