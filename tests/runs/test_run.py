import csv
import json
import math
import os
import signal
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from scratchgan.gan import Config
from scratchgan.losses import NonSaturating
from scratchgan.runs import (
    CheckpointError,
    DivergenceError,
    Stopped,
    checkpoint,
    load_generator,
    train,
)
from scratchgan.runs.checkpoint import read_checkpoint
from scratchgan.runs.folder import COLUMNS
from scratchgan.runs.monitor import Monitor
from scratchgan.runs.run import FIXED, METRICS_EVERY

from ..gan.tiny import differences, everything, install, random_images, tiny_config


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    install(monkeypatch)


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out what a run draws at its end, which takes longer than its steps."""
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)


def run(out, steps, images=None, *, resume=False, save_every=500, **options):
    images = random_images(40) if images is None else images
    return train(
        tiny_config(**options),
        images,
        out,
        steps=steps,
        backend="numpy",
        resume=resume,
        save_every=save_every,
    )


def rows(out):
    with open(out / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def column(out, name="step"):
    return [float(row[name]) for row in rows(out)]


def samples(out):
    return [int(path.stem) for path in sorted((out / "samples").iterdir())]


def content(out):
    """Every file of a folder with its bytes."""
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def step_of(out):
    return read_checkpoint(out / "checkpoint.safetensors")[1]["step"]


# ---- what a run leaves behind ----------------------------------------------------------------


def test_the_files_of_a_run(tmp_path):
    out = tmp_path / "not" / "there yet"
    trainer = run(out, 25, save_every=10, d_steps=2)
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "metrics.csv", "checkpoint.safetensors"),
        *("samples", "losses.png", "samples.gif"),
    }
    assert trainer.step_count == step_of(out) == 25
    assert Config(**json.loads((out / "config.json").read_text())) == tiny_config(d_steps=2)
    assert samples(out) == [0, 10, 20, 25]
    for path in (out / "samples").iterdir():
        with Image.open(path) as image:
            side = math.ceil(math.sqrt(FIXED)) * (6 + 2) + 2
            assert image.size == (2 * side, 2 * side) and image.mode == "L"
    with Image.open(out / "samples.gif") as animation:
        assert animation.n_frames == 4
    with Image.open(out / "losses.png") as curves:
        assert np.asarray(curves.convert("L")).std() > 1


def test_the_metrics(tmp_path, no_pictures):
    run(tmp_path, 25, d_steps=2)
    header, *lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == ",".join(COLUMNS)
    assert len(lines) == 3
    assert column(tmp_path) == [METRICS_EVERY, 2 * METRICS_EVERY, 25]
    assert column(tmp_path, "epoch") == [10, 20, 25]  # 40 images are two batches and a rest
    for row in rows(tmp_path):
        assert 0 < float(row["d_loss"]) < 10 and 0 < float(row["g_loss"]) < 10
        assert 0 < float(row["d_real"]) < 1 and 0 < float(row["d_fake"]) < 1
        assert float(row["images_per_second"]) > 0


def test_the_samples_come_from_the_same_noise_all_along(tmp_path, no_pictures):
    """With a generator that stands still every grid is the same one."""
    run(tmp_path, 4, save_every=2, g_optimiser="sgd", g_lr=0.0)
    run(tmp_path, 6, save_every=2, g_optimiser="sgd", g_lr=0.0, resume=True)
    noise = read_checkpoint(tmp_path / "checkpoint.safetensors")[0]["fixed_noise"]
    assert noise.shape == (FIXED, 5)
    assert samples(tmp_path) == [0, 2, 4, 6]
    grids = [np.asarray(Image.open(path)).astype(int) for path in (tmp_path / "samples").iterdir()]
    # The running statistics still move, and the noise with them would move much more.
    assert max(np.abs(grid - grids[0]).mean() for grid in grids) < 5


@pytest.mark.parametrize(
    ("save_every", "wanted"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (3, [0, 3, 4]), (9, [0, 4])]
)
def test_samples_and_checkpoints_come_as_often_as_asked(
    tmp_path, no_pictures, monkeypatch, save_every, wanted
):
    saved, save = [], checkpoint.save_checkpoint
    monkeypatch.setattr(
        checkpoint,
        "save_checkpoint",
        lambda p, t, *rest: saved.append(t.step_count) or save(p, t, *rest),
    )
    run(tmp_path, 4, save_every=save_every)
    assert samples(tmp_path) == saved == wanted


def test_how_often_it_is_saved_does_not_change_the_run(tmp_path, no_pictures):
    often, seldom = (run(tmp_path / str(n), 12, save_every=n, ema=0.9) for n in (1, 100))
    assert not differences(everything(often), everything(seldom))


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11])
def test_short_runs_have_all_files(tmp_path, steps):
    run(tmp_path, steps)
    assert column(tmp_path) == sorted({steps, min(steps, 10)})
    with Image.open(tmp_path / "samples.gif") as animation:
        assert animation.n_frames == 2
    assert (tmp_path / "losses.png").stat().st_size > 1000


def test_progress_is_told_on_stderr_and_nothing_on_stdout(tmp_path, no_pictures, capsys):
    run(tmp_path, 10)
    out, err = capsys.readouterr()
    assert not out
    assert f"tiny on random, backend numpy, into {tmp_path}" in err
    assert "D loss" in err and "img/s" in err


# ---- going on --------------------------------------------------------------------------------


def test_a_finished_run_goes_on_with_more_steps(tmp_path, no_pictures):
    run(tmp_path / "a", 20, save_every=10)
    longer = run(tmp_path / "a", 40, save_every=10, resume=True)
    whole = run(tmp_path / "b", 40, save_every=10)
    assert column(tmp_path / "a") == [10, 20, 30, 40]
    assert samples(tmp_path / "a") == [0, 10, 20, 30, 40]
    assert not differences(everything(longer), everything(whole))


def test_a_finished_run_resumed_with_the_same_steps_changes_no_numbers(tmp_path):
    run(tmp_path, 12)
    before = content(tmp_path)
    trainer = run(tmp_path, 12, resume=True)
    assert trainer.step_count == 12
    assert content(tmp_path) == before


def test_a_finished_run_is_not_shortened(tmp_path, no_pictures):
    run(tmp_path, 12)
    assert run(tmp_path, 5, resume=True).step_count == 12
    assert step_of(tmp_path) == 12 and column(tmp_path) == [10, 12]


def test_resume_without_a_checkpoint_says_so_and_starts(tmp_path, no_pictures, capsys):
    resumed = run(tmp_path / "a", 3, resume=True)
    assert f"no checkpoint in {tmp_path / 'a'} yet: starting at step 0" in capsys.readouterr().err
    assert not differences(everything(resumed), everything(run(tmp_path / "b", 3)))


@pytest.mark.parametrize("kept", [len("\n"), len("\n4"), len("\n40"), len("\n40,20,0.6"), None])
def test_rows_after_the_checkpoint_are_made_again(tmp_path, no_pictures, kept):
    """What a killed run leaves: a checkpoint, later rows, and a part of a row."""
    run(tmp_path / "a", 40)
    run(tmp_path / "b", 20)
    text = (tmp_path / "a" / "metrics.csv").read_text()
    start = text.index("\n40,")
    (tmp_path / "b" / "metrics.csv").write_text(text[: kept and start + kept])
    run(tmp_path / "b", 40, resume=True)
    assert column(tmp_path / "b") == [10, 20, 30, 40]
    for name in COLUMNS[:-1]:
        assert column(tmp_path / "a", name) == column(tmp_path / "b", name)


def test_lost_metrics_do_not_stop_a_resume(tmp_path, no_pictures):
    run(tmp_path, 20)
    (tmp_path / "metrics.csv").unlink()
    run(tmp_path, 40, resume=True)
    assert column(tmp_path) == [30, 40]


def test_a_folder_with_a_checkpoint_is_not_overwritten(tmp_path, no_pictures):
    run(tmp_path, 2)
    before = content(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"exists; go on with `resume=True`, or choose another"
    ):
        run(tmp_path, 2, seed=1)
    assert content(tmp_path) == before


@pytest.mark.parametrize("damage", ["other seed", "truncated"])
def test_a_run_that_cannot_go_on_is_left_as_it_is(tmp_path, no_pictures, damage):
    run(tmp_path, 20)
    path = tmp_path / "checkpoint.safetensors"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-10])
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors"):
        run(tmp_path, 30, resume=True, seed=int(damage == "other seed"))
    assert content(tmp_path) == before


def test_images_of_another_shape_leave_no_folder(tmp_path):
    with pytest.raises(ValueError, match=r"\(6, 6, 1\)"):
        run(tmp_path / "a", 2, images=random_images(20, (7, 6, 1)))
    assert not (tmp_path / "a").exists()


# ---- stopping --------------------------------------------------------------------------------


class Interrupting(NonSaturating):
    """Ctrl-C in the middle of the step after ``steps``, and more often if asked."""

    def __init__(self, steps, times=1):
        super().__init__()
        self.steps, self.times = steps, times

    def generator(self, fake):
        if self.steps == 0:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
        self.steps -= 1
        return super().generator(fake)


@pytest.fixture
def with_loss(monkeypatch):
    """Let a run have this loss."""
    return lambda loss: monkeypatch.setattr(
        "scratchgan.losses.adversarial", lambda name, **options: loss
    )


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(
    tmp_path, no_pictures, with_loss, ctrl_c
):
    before = signal.getsignal(signal.SIGINT)
    with_loss(Interrupting(13))
    with pytest.raises(Stopped, match="stopped at step 14, and saved; go on with `resume=True`"):
        run(tmp_path / "a", 30)
    assert signal.getsignal(signal.SIGINT) is before
    assert step_of(tmp_path / "a") == 14
    with_loss(NonSaturating())
    resumed = run(tmp_path / "a", 30, resume=True)
    assert not differences(everything(resumed), everything(run(tmp_path / "b", 30)))
    assert column(tmp_path / "a", "d_loss") == column(tmp_path / "b", "d_loss")


def test_a_second_ctrl_c_interrupts_at_once(tmp_path, no_pictures, with_loss, ctrl_c):
    run(tmp_path, 5)
    before = signal.getsignal(signal.SIGINT)
    with_loss(Interrupting(3, times=2))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 30, resume=True)
    assert signal.getsignal(signal.SIGINT) is before
    assert step_of(tmp_path) == 5  # what was saved last


def test_a_background_job_goes_on_at_ctrl_c(tmp_path, no_pictures, with_loss, ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does
    with_loss(Interrupting(3))
    before = signal.getsignal(signal.SIGTERM)
    assert run(tmp_path, 10).step_count == 10
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is before


# ---- when training goes wrong ----------------------------------------------------------------


class Broken(NonSaturating):
    """A loss that gives NaN after so many steps: its value, its gradient or both."""

    def __init__(self, steps, value, gradient):
        super().__init__()
        self.steps, self.value, self.gradient = steps, value, gradient

    def generator(self, fake):
        value, dfake = super().generator(fake)
        self.steps -= 1
        if self.steps < 0:
            return value + self.value, dfake + self.gradient
        return value, dfake


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("value", "gradient"), [(1, 1), (0, 1), (1, 0)])
def test_a_run_that_diverges_keeps_the_last_good_checkpoint(
    tmp_path, no_pictures, with_loss, value, gradient, bad
):
    good = run(tmp_path / "good", 12, save_every=4)
    with_loss(Broken(13, value and bad, gradient and bad))
    with np.errstate(all="ignore"), pytest.raises(DivergenceError) as caught:
        run(tmp_path / "a", 100, save_every=4)
    assert "learning rate" in str(caught.value)
    arrays, meta = read_checkpoint(tmp_path / "a" / "checkpoint.safetensors")
    wanted, _ = read_checkpoint(tmp_path / "good" / "checkpoint.safetensors")
    assert all(np.isfinite(array).all() for array in arrays.values())
    if gradient:  # the next time it is looked at, the parameters are gone
        assert meta["step"] == good.step_count == 12
        assert all(np.array_equal(arrays[key], wanted[key]) for key in wanted)
    generator, _ = load_generator(tmp_path / "a", "numpy")
    assert np.isfinite(generator.theta).all()


def test_a_huge_learning_rate_diverges(tmp_path, no_pictures):
    with np.errstate(all="ignore"), pytest.raises(DivergenceError, match=r"is (nan|inf)"):
        run(tmp_path, 200, g_optimiser="sgd", d_optimiser="sgd", g_lr=1e30, d_lr=1e30)
    arrays, _ = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_diverged_run_can_be_gone_on_with(tmp_path, no_pictures, with_loss):
    with_loss(Broken(13, math.nan, math.nan))
    with pytest.raises(DivergenceError):
        run(tmp_path / "a", 100, save_every=4)
    with_loss(NonSaturating())
    resumed = run(tmp_path / "a", 30, save_every=4, resume=True)
    assert not differences(everything(resumed), everything(run(tmp_path / "b", 30)))
    assert all(math.isfinite(loss) for loss in column(tmp_path / "a", "g_loss"))


def warnings(capsys):
    """Lines of warning on stderr, told from the progress bar."""
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    return [line for line in lines if line.startswith("warning: ")]


def test_collapsed_samples_are_reported(tmp_path, no_pictures, capsys, monkeypatch):
    monkeypatch.setattr(Monitor, "EARLY", 2)
    monkeypatch.setattr(
        "scratchgan.runs.run.generate", lambda net, z: np.zeros((len(z), 6, 6, 1), np.uint8)
    )
    run(tmp_path, 6, save_every=2)
    (found,) = warnings(capsys)
    assert "step 2: the samples have collapsed" in found


def test_a_discriminator_that_has_won_is_reported(tmp_path, no_pictures, capsys, monkeypatch):
    monkeypatch.setattr(Monitor, "WON_FOR", 20)
    monkeypatch.setattr(Monitor, "LEAD", 0.01)  # any discriminator better than chance
    alike = np.full((40, 6, 6, 1), 255, np.uint8)  # easy to tell from what noise makes
    run(tmp_path, 60, alike, g_optimiser="sgd", g_lr=0.0, d_lr=0.01)
    found = [line for line in warnings(capsys) if "has won" in line]
    assert found and "`d_lr=`" in found[0]


def test_a_healthy_run_is_not_warned_about(tmp_path, no_pictures, capsys):
    run(tmp_path, 30, save_every=10)
    assert warnings(capsys) == []


def test_the_config_is_what_the_checkpoint_holds(tmp_path, no_pictures):
    run(tmp_path, 1, seed=5, noise="uniform", l2_generator=0.1)
    _, meta = read_checkpoint(tmp_path / "checkpoint.safetensors")
    wanted = asdict(tiny_config(seed=5, noise="uniform", l2_generator=0.1))
    assert meta["config"] == wanted == json.loads((tmp_path / "config.json").read_text())
