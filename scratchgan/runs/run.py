"""A training run: a folder with its configuration, metrics, samples and checkpoint.

RUN_DIR/config.json             what makes this run this run
RUN_DIR/metrics.csv             a row every few steps
RUN_DIR/samples/00001000.png    a grid from the fixed noise, every ``save_every`` steps
RUN_DIR/checkpoint.safetensors  the newest good state
RUN_DIR/losses.png, samples.gif written at the end
"""

import csv
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import plots
from ..backend import get_backend, ops_of
from ..files import remove_leftovers, write_atomically
from ..gan.build import build, make_generator
from ..gan.config import Config
from ..gan.source import draw_noise
from ..gan.trainer import generate
from .checkpoint import (
    CheckpointError,
    below,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)  # fmt: skip
from .monitor import Monitor, spread
from .steps import stepper_for
from .stopping import asked_to_stop

__all__ = ["Stopped", "load_generator", "samples_of_classes", "train"]

COLUMNS = ("step", "epoch", "d_loss", "g_loss", "d_real", "d_fake", "images_per_second")
METRICS_EVERY = 10  # steps
FIXED = 64  # samples in a grid
COLUMNS_OF_CLASS = 10  # in the grid of a conditional run: a row is a class, a column one noise
SPREAD = 256  # images that tell how much real ones differ
CHECKPOINT = "checkpoint.safetensors"


class Stopped(Exception):  # noqa: N818
    """The user asked the run to stop; it has been saved."""


def train(config, images, out, *, steps, backend="auto", resume=False, save_every=500, labels=None):
    """Train, and leave everything worth keeping in a folder.

    Parameters
    ----------
    config : Config
    images : uint8 array (M, H, W, C), or an ImageFolder
    out : path-like
        The run's folder; made where it does not exist.
    steps : int
        In all, those before a resume included.
    backend : {"auto", "numpy", "cupy"}
    resume : bool
        Go on from the folder's checkpoint, bit for bit as if never stopped; without one, start.
    save_every : int
        Steps from one sample grid and checkpoint to the next.
    labels : integer array (M,), optional
        Of the images, for a conditional run.

    Returns
    -------
    Trainer

    Raises
    ------
    Stopped
        After Ctrl-C or SIGTERM: a checkpoint has been written.
    DivergenceError
        A loss or a parameter is not finite: the last good checkpoint has been kept.
    CheckpointError
        The folder's checkpoint is damaged, or a different run's; or there is one and ``resume``
        is False.
    """
    ops = get_backend(backend)
    trainer = build(config, images, ops, labels)
    out = Path(out)
    path = out / CHECKPOINT
    about, config_file = json.dumps(asdict(config), indent=2) + "\n", out / "config.json"
    if path.exists() and not resume and read_checkpoint(path)[1]["step"]:
        raise CheckpointError(f"{path}: exists already; --resume goes on with it, or choose --out")
    if not path.exists() and config_file.exists() and config_file.read_text() != about:
        raise CheckpointError(f"{config_file}: exists, and is not this run's; choose another --out")
    for folder in (out, out / "samples"):
        remove_leftovers(folder)
    if path.exists() and resume:
        fixed_noise = load_checkpoint(path, trainer, asdict(config))
        _forget_after(trainer.step_count, out, steps, save_every)
    else:
        if resume:
            print(f"no checkpoint in {out} yet: starting at step 0", file=sys.stderr)
        n = COLUMNS_OF_CLASS if config.condition else FIXED
        fixed_noise = draw_noise(trainer.rng, n, trainer.z_dim, config.noise)
        out.mkdir(parents=True, exist_ok=True)
        _write_text(config_file, about)
        _write_text(out / "metrics.csv", ",".join(COLUMNS) + "\n")
    (out / "samples").mkdir(exist_ok=True)
    print(f"{config.model} on {config.data}, backend {ops.name}, into {out}", file=sys.stderr)
    run = _Run(trainer, config, out, fixed_noise, save_every)
    try:
        run.go_on_to(steps)
    finally:
        run.stepper.close()
    return trainer


class _Run:
    """The loop around a trainer: metrics, samples, checkpoints, warnings."""

    def __init__(self, trainer, config, out, fixed_noise, save_every):
        self.trainer, self.config, self.out = trainer, config, out
        self.fixed_noise, self.save_every = fixed_noise, save_every
        self.monitor = Monitor(spread(trainer.images[:SPREAD]), config.smooth)
        self.on_host = ops_of(trainer.generator.theta).on_host
        self.last = None  # what the newest step found
        self.stepper = stepper_for(trainer)

    def go_on_to(self, steps):
        """Train up to step ``steps``, saving as it goes."""
        trainer = self.trainer
        size = trainer.batch_size * trainer.d_steps
        if trainer.step_count == 0:
            self.save()
        with (
            asked_to_stop() as flag,
            np.errstate(over="ignore", invalid="ignore"),  # the monitor says it better
            open(self.out / "metrics.csv", "a", buffering=1) as metrics,
            tqdm(
                total=steps * size,
                initial=trainer.step_count * size,
                unit="img",
                unit_scale=True,
                dynamic_ncols=True,
            ) as bar,
        ):
            self.since = time.perf_counter(), trainer.step_count
            while trainer.step_count < steps and not flag:
                n = min(self.stepper.max_steps, steps - trainer.step_count, *self.until_due())
                self.last = self.stepper.run(n)
                bar.update(n * size)
                if trainer.step_count % METRICS_EVERY == 0 or trainer.step_count == steps:
                    self.report(metrics, bar)
                if trainer.step_count % self.save_every == 0:
                    self.save()
        if trainer.step_count % self.save_every:
            self.save()
        if flag:
            raise Stopped(f"stopped at step {trainer.step_count}, and saved; go on with --resume")
        self.draw()

    def until_due(self):
        """How many steps from here on to the next row of metrics, and to the next grid."""
        return [
            every - self.trainer.step_count % every for every in (METRICS_EVERY, self.save_every)
        ]

    def report(self, metrics, bar):
        """A row of metrics, the bar's text, and a warning where one is due."""
        trainer = self.trainer
        count, values = trainer.step_count, {k: float(v) for k, v in self.last._asdict().items()}
        now, (then, before) = time.perf_counter(), self.since
        speed = (count - before) * trainer.batch_size * trainer.d_steps / (now - then)
        self.since = now, count
        row = [count, trainer.batches.epoch, *(f"{v:.6g}" for v in values.values()), f"{speed:.0f}"]
        metrics.write(",".join(map(str, row)) + "\n")
        bar.set_postfix_str(
            f"epoch {trainer.batches.epoch}, D loss {values['d_loss']:.3f}, "
            f"G loss {values['g_loss']:.3f}, D(x) {values['d_real']:.2f}, "
            f"D(G(z)) {values['d_fake']:.2f}",
            refresh=False,
        )
        self.monitor.check_finite(count, D_loss=values["d_loss"], G_loss=values["g_loss"])
        if self.on_host:
            self.warn(self.monitor.watch_cores(now))
        if trainer.loss.probability:
            self.warn(self.monitor.watch_beliefs(count, values["d_real"], values["d_fake"]))

    def save(self):
        """A checkpoint and a sample grid, unless there is nothing good to keep."""
        count = self.trainer.step_count
        if self.last:
            losses = {"D_loss": float(self.last.d_loss), "G_loss": float(self.last.g_loss)}
            self.monitor.check_finite(count, **losses)
        save_checkpoint(self.out / CHECKPOINT, self.trainer, asdict(self.config), self.fixed_noise)
        generator, z, columns = self.trainer.best_generator, self.fixed_noise, None
        if self.config.condition:
            images, columns = samples_of_classes(generator, z, self.config.classes), len(z)
        else:
            images = generate(generator, z)
        grid = plots.sample_grid(images, columns)
        plots.save_image(grid, self.out / "samples" / f"{count:08}.png")
        if count:
            self.warn(self.monitor.watch_samples(count, images))

    def draw(self):
        """The loss curves and the animation of the whole run."""
        with open(self.out / "metrics.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS}
        plots.loss_curves(columns, self.out / "losses.png")
        frames = sorted((self.out / "samples").glob("*.png"))
        plots.save_animation(frames, self.out / "samples.gif")

    def warn(self, message):
        """A line above the progress bar."""
        if message:
            tqdm.write(f"warning: {message}", file=sys.stderr)


def load_generator(run_dir, backend="auto"):
    """The generator of a run as its checkpoint has it, and the run's configuration.

    Returns
    -------
    generator : Sequential
    config : Config
    """
    path = Path(run_dir) / CHECKPOINT
    arrays, meta = read_checkpoint(path)
    try:
        config = Config(**meta["config"])
        generator = make_generator(config).initialize(0, backend, config.dtype)
        generator.load_state_dict(below("average" if config.ema else "generator", arrays))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return generator, config


def samples_of_classes(generator, z, classes):
    """Every class with every noise: (n, z_dim) -> uint8 (classes * n, H, W, C), class by class."""
    labels = np.repeat(np.arange(classes), len(z))  # (classes * n,)
    return generate(generator, np.tile(z, (classes, 1)), labels)


def _forget_after(step, out, steps, save_every):
    """Of a run that goes on at this step, what came later, and what shows that it had stopped."""
    path = out / "metrics.csv"
    lines = path.read_text().splitlines() if path.exists() else []
    complete = [line for line in lines[1:] if line.count(",") == len(COLUMNS) - 1]
    kept = [line for line in complete if int(line.partition(",")[0]) <= step]
    _write_text(path, "\n".join([",".join(COLUMNS), *kept]) + "\n")
    if step >= steps:
        print(f"already at step {step}", file=sys.stderr)
    elif step % save_every:  # its grid is of a stop, not of a stage of the run
        (out / "samples" / f"{step:08}.png").unlink(missing_ok=True)


def _write_text(path, text):
    write_atomically(path, lambda file: file.write(text.encode()))
