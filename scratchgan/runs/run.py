"""A training run: a folder with its configuration, metrics, samples and checkpoint.

RUN_DIR/config.json             the options of the run
RUN_DIR/metrics.csv             a row every few steps
RUN_DIR/samples/00001000.png    a grid from the fixed noise, every ``save_every`` steps
RUN_DIR/checkpoint.safetensors  the newest good state
RUN_DIR/losses.png, samples.gif written at the end
"""

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import plots
from ..backend import get_backend, ops_of
from ..files import remove_leftovers, write_atomically
from ..gan import Config, Trainer, build, draw_noise, generate
from ..layers import Layer
from . import checkpoint
from .checkpoint import CHECKPOINT, CheckpointError
from .monitor import Monitor, missing_bound, spread
from .steps import stepper_for
from .stopping import asked_to_stop

COLUMNS = ("step", "epoch", "d_loss", "g_loss", "d_real", "d_fake", "images_per_second")
METRICS_EVERY = 10  # steps
FIXED = 64  # samples in a grid
COLUMNS_OF_CLASS = 10  # in the grid of a conditional run: a row is a class, a column one noise
SPREAD = 256  # real images from which their spread is computed


class Stopped(Exception):  # noqa: N818
    """The user has stopped the run, and its state has been saved."""


def train(
    config: Config, images: np.ndarray, out: str | Path, *, steps: int, backend: str = "auto",
    resume: bool = False, save_every: int = 500, labels: np.ndarray | None = None,
) -> Trainer:  # fmt: skip
    """Train, and save metrics, samples and checkpoints in a folder.

    Parameters
    ----------
    config : Config
    images : uint8 array (M, H, W, C)
    out : path-like
        The run's folder; it is made if it does not exist.
    steps : int
        Total number of training steps, including those before a resume.
    backend : str
        Name of a backend; see `get_backend`.
    resume : bool
        Go on from the folder's checkpoint. The results equal those of a run without a stop, bit for
        bit. Without a checkpoint, start at step 0.
    save_every : int
        Steps from one sample grid and checkpoint to the next.
    labels : integer array (M,), optional
        Labels of the images, for a conditional run.

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
    path, config_file = out / CHECKPOINT, out / "config.json"
    text = json.dumps(asdict(config), indent=2) + "\n"
    if path.exists() and not resume and checkpoint.read_checkpoint(path)[1]["step"]:
        raise CheckpointError(f"{path}: exists; go on with --resume, or choose another --out")
    if not path.exists() and config_file.exists() and config_file.read_text() != text:
        raise CheckpointError(f"{config_file}: belongs to another run; choose another --out")
    for folder in (out, out / "samples"):
        remove_leftovers(folder)
    if path.exists() and resume:
        fixed_noise = checkpoint.load_checkpoint(path, trainer, asdict(config))
        _delete_after(trainer.step_count, out, steps, save_every)
    else:
        if resume:
            print(f"no checkpoint in {out} yet: starting at step 0", file=sys.stderr)
        n = COLUMNS_OF_CLASS if config.condition else FIXED
        fixed_noise = draw_noise(trainer.rng, n, trainer.z_dim, config.noise)
        out.mkdir(parents=True, exist_ok=True)
        _write_text(config_file, text)
        _write_text(out / "metrics.csv", ",".join(COLUMNS) + "\n")
    (out / "samples").mkdir(exist_ok=True)
    print(f"{config.model} on {config.data}, backend {ops.name}, into {out}", file=sys.stderr)
    _Run(trainer, config, out, fixed_noise, save_every).go_on_to(steps)
    return trainer


class _Run:
    """The loop around a trainer: metrics, samples, checkpoints, warnings."""

    def __init__(self, trainer, config, out, fixed_noise, save_every):
        self.trainer, self.config, self.out = trainer, config, out
        self.fixed_noise, self.save_every = fixed_noise, save_every
        networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
        self.monitor = Monitor(spread(trainer.images[:SPREAD]), config.smooth, networks)
        self.last = None  # the newest `Step`

    def go_on_to(self, steps):
        """Train up to step ``steps``, saving on the way."""
        trainer, size = self.trainer, self.trainer.batch_size * self.trainer.d_steps
        stepper, done = stepper_for(trainer), trainer.step_count
        if not done:
            self.save()
        self.warn(missing_bound(self.config))
        bar = tqdm(
            total=steps * size, initial=done * size, unit="img", unit_scale=True, dynamic_ncols=True
        )
        with (
            asked_to_stop() as asked,
            np.errstate(over="ignore", invalid="ignore"),  # the monitor reports these
            open(self.out / "metrics.csv", "a", buffering=1) as metrics,
            bar,
            closing(stepper),
        ):
            self.since = time.perf_counter(), done
            while trainer.step_count < steps and not asked:
                due = [n - trainer.step_count % n for n in (METRICS_EVERY, self.save_every)]
                n = min(stepper.max_steps, steps - trainer.step_count, *due)
                self.last = stepper.run(n)
                bar.update(n * size)
                if trainer.step_count % METRICS_EVERY == 0 or trainer.step_count == steps:
                    self.report(metrics, bar)
                if trainer.step_count % self.save_every == 0:
                    self.save()
        if trainer.step_count % self.save_every:
            self.save()
        if asked:
            raise Stopped(f"stopped at step {trainer.step_count}, and saved; go on with --resume")
        self.draw()

    def report(self, metrics, bar):
        """Write a row of metrics, the bar's text, and a warning if one is due."""
        trainer, now = self.trainer, time.perf_counter()
        step, epoch = trainer.step_count, trainer.batches.epoch
        d_loss, g_loss, d_real, d_fake = found = [float(value) for value in self.last]
        then, before = self.since
        speed = (step - before) * trainer.batch_size * trainer.d_steps / (now - then)
        self.since = now, step
        row = [step, epoch, *(f"{value:.6g}" for value in found), f"{speed:.0f}"]
        metrics.write(",".join(map(str, row)) + "\n")
        said = f"epoch {epoch}, D loss {d_loss:.3f}, G loss {g_loss:.3f}"
        said += f", D(x) {d_real:.2f}, D(G(z)) {d_fake:.2f}"
        bar.set_postfix_str(said, refresh=False)
        self.monitor.check_finite(step, D_loss=d_loss, G_loss=g_loss)
        self.warn(self.monitor.watch_losses(step, d_loss, g_loss))
        if ops_of(trainer.generator.theta).on_host:
            self.warn(self.monitor.watch_cores(now))
        if trainer.loss.probability:
            self.warn(self.monitor.watch_probabilities(step, d_real, d_fake))

    def save(self):
        """Write a checkpoint and a sample grid, unless the state is no longer finite."""
        step, z, columns = self.trainer.step_count, self.fixed_noise, None
        if self.last:
            d_loss, g_loss = float(self.last.d_loss), float(self.last.g_loss)
            self.monitor.check_finite(step, D_loss=d_loss, G_loss=g_loss)
        checkpoint.save_checkpoint(self.out / CHECKPOINT, self.trainer, asdict(self.config), z)
        if self.config.condition:
            images = samples_of_classes(self.trainer.best_generator, z, self.config.classes)
            columns = len(z)
        else:
            images = generate(self.trainer.best_generator, z)
        grid = plots.sample_grid(images, columns)
        plots.save_image(grid, self.out / "samples" / f"{step:08}.png")
        if step:
            self.warn(self.monitor.watch_samples(step, images))

    def draw(self):
        """Draw the loss curves and the animation of the whole run."""
        rows = np.genfromtxt(self.out / "metrics.csv", delimiter=",", names=True)
        plots.loss_curves(np.atleast_1d(rows), self.out / "losses.png")
        frames = sorted((self.out / "samples").glob("*.png"))
        plots.save_animation(frames, self.out / "samples.gif")

    def warn(self, message):
        """Print a warning, if there is one, above the progress bar."""
        if message:
            tqdm.write(f"warning: {message}", file=sys.stderr)


def samples_of_classes(generator: Layer, z: np.ndarray, classes: int) -> np.ndarray:
    """Draw every class with every noise: (n, z_dim) -> uint8 (classes * n, H, W, C), by class."""
    labels = np.repeat(np.arange(classes), len(z))  # (classes * n,)
    return generate(generator, np.tile(z, (classes, 1)), labels)


def _delete_after(step, out, steps, save_every):
    """Delete metric rows after `step` and the grid saved by the interruption."""
    path = out / "metrics.csv"
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    complete = [line for line in lines if line.count(",") == len(COLUMNS) - 1]
    kept = [line for line in complete if int(line.partition(",")[0]) <= step]
    _write_text(path, "\n".join([",".join(COLUMNS), *kept]) + "\n")
    if step >= steps:
        print(f"already at step {step}: nothing to train", file=sys.stderr)
    elif step % save_every:  # a run without the interruption has no grid of this step
        (out / "samples" / f"{step:08}.png").unlink(missing_ok=True)


def _write_text(path, text):
    write_atomically(path, lambda file: file.write(text.encode()))
