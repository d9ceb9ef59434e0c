"""A training run: the loop around a trainer, which saves, reports and warns."""

import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from .. import plots
from ..backend import get_backend, ops_of
from ..data import as_images
from ..gan import Config, Trainer, build, draw_noise, generate
from ..layers import Layer
from . import checkpoint, folder
from .checkpoint import CHECKPOINT
from .monitor import Monitor, missing_bound, rates_at_zero, spread, unused_classes
from .networks import Networks, networks_of
from .steps import stepper_for
from .stopping import asked_to_stop

METRICS_EVERY = 10  # steps
FIXED = 64  # samples in a grid
COLUMNS_OF_CLASS = 10  # in the grid of a conditional run: a row is a class, a column one noise
SPREAD = 256  # real images from which their spread is computed


class Stopped(Exception):  # noqa: N818
    """The user has stopped the run, and its state has been saved."""


def on_stderr(message: str) -> None:
    """Print a line on stderr, above a progress bar if there is one."""
    tqdm.write(message, file=sys.stderr)


def train(
    config: Config, images: np.ndarray, out: str | Path, *, steps: int, backend: str = "auto",
    resume: bool = False, save_every: int = 500, labels: np.ndarray | None = None,
    networks: Networks | None = None, progress: bool = True,
    tell: Callable[[str], None] = on_stderr, command: dict[str, Any] | None = None,
) -> Trainer:  # fmt: skip
    """Train, and save metrics, samples and checkpoints in a folder.

    Parameters
    ----------
    config : Config
    images : array (M, H, W, C)
        Bytes, or what `scratchgan.data.as_images` makes into bytes.
    out : path-like
        The run's folder; it is made if it does not exist.
    steps : int
        Total number of training steps, including those before a resume.
    backend : str
        Name of a backend; see `get_backend`.
    resume : bool
        Go on from the folder's checkpoint. The results equal those of a run without a stop, bit for
        bit. If the folder is empty or does not exist, start at step 0.
    save_every : int
        Steps from one sample grid and checkpoint to the next.
    labels : integer array (M,), optional
        Labels of the images, for a conditional run.
    networks : Networks, optional
        What ``config.model`` stands for, if `networks_of` cannot find it in the run's folder.
    progress : bool
        Show a progress bar, and a line at the start.
    tell : callable, (str) -> None
        Takes warnings. Default: print them on stderr.
    command : dict, optional
        Options of the command line that are none of `Config`, to be kept in ``config.json``.

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
        The folder holds another run, or anything else, and nothing in it was touched. Or its
        checkpoint is damaged; or there is one and ``resume`` is False.
    """
    for name, value in {"steps": steps, "save_every": save_every}.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"`{name}=`: expected an integer of 1 or more, got {value!r}")
    out, options = Path(out).expanduser(), asdict(config)
    folder.claim(out, options, resume)  # an early refusal, before anything is loaded
    ops, found = get_backend(backend), networks_of(config.model, out, networks)
    trainer = build(config, as_images(images, dark=True), ops, labels, found.pair)
    with folder.locked(out):
        if folder.claim(out, options, resume):
            fixed_noise = checkpoint.load_checkpoint(out / CHECKPOINT, trainer, options)
            folder.go_back(out, trainer.step_count, steps, save_every)
            if command and steps > trainer.step_count:
                folder.write_options(out, options, command)
        else:
            if resume:
                tell(f"no checkpoint in {out} yet: starting at step 0")
            n = COLUMNS_OF_CLASS if config.condition else FIXED
            fixed_noise = draw_noise(trainer.rng, n, trainer.z_dim, config.noise)
            folder.begin(out, options, command)
        if found.file:
            folder.write_networks(out, found.file)
        if progress:
            tell(f"{config.model} on {config.data}, backend {ops.name}, into {out}")
        job = _Run(trainer, config, out, fixed_noise, save_every, progress, tell)
        if config.condition:
            job.warn(unused_classes(labels, config.classes))
        job.go_on_to(steps)
    return trainer


class _Run:
    """The loop around a trainer: metrics, samples, checkpoints, warnings."""

    def __init__(self, trainer, config, out, fixed_noise, save_every, progress, tell):
        self.trainer, self.config, self.out = trainer, config, out
        self.fixed_noise, self.save_every = fixed_noise, save_every
        self.progress, self.tell = progress, tell
        networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
        self.monitor = Monitor(spread(trainer.images[:SPREAD]), config.smooth, networks)
        self.last = None  # the newest `Step`

    def go_on_to(self, steps):
        """Train up to step ``steps``, saving on the way."""
        trainer, size = self.trainer, self.trainer.batch_size * self.trainer.d_steps
        done = trainer.step_count
        if done >= steps:
            self.tell(f"already at step {done}, {steps} wanted: nothing to train")
            self.draw()
            return
        if not done:
            self.save()
        self.warn(missing_bound(self.config))
        self.warn(rates_at_zero(self.config, steps))
        stepper = stepper_for(trainer)
        bar = tqdm(
            total=steps * size, initial=done * size, unit="img", unit_scale=True,
            dynamic_ncols=True, disable=not self.progress,
        )  # fmt: skip
        with (
            asked_to_stop() as asked,
            np.errstate(over="ignore", invalid="ignore"),  # the monitor reports these
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
                    self.report(bar)
                if trainer.step_count % self.save_every == 0:
                    self.save()
        if trainer.step_count % self.save_every:
            self.save()
        if asked:
            saved = f"stopped at step {trainer.step_count}, and saved"
            raise Stopped(f"{saved}; go on with `resume=True`")
        self.draw()

    def report(self, bar):
        """Write a row of metrics, the bar's text, and a warning if one is due."""
        trainer, now = self.trainer, time.perf_counter()
        step, epoch = trainer.step_count, trainer.batches.epoch
        d_loss, g_loss, d_real, d_fake = found = [float(value) for value in self.last]
        then, before = self.since
        speed = (step - before) * trainer.batch_size * trainer.d_steps / (now - then)
        self.since = now, step
        row = [step, epoch, *(f"{value:.6g}" for value in found), f"{speed:.0f}"]
        folder.add_row(self.out, row)
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
        plots.save_image(grid, self.out / folder.SAMPLES / f"{step:08}.png")
        if step:
            self.warn(self.monitor.watch_samples(step, images))

    def draw(self):
        """Draw the loss curves and the animation of the whole run."""
        plots.loss_curves(folder.read_metrics(self.out), self.out / "losses.png")
        frames = sorted((self.out / folder.SAMPLES).glob("*.png"))
        plots.save_animation(frames, self.out / "samples.gif")

    def warn(self, message):
        """Give a warning, if there is one."""
        if message:
            self.tell(f"warning: {message}")


def samples_of_classes(generator: Layer, z: np.ndarray, classes: int) -> np.ndarray:
    """Draw every class with every noise: (n, z_dim) -> uint8 (classes * n, H, W, C), by class."""
    labels = np.repeat(np.arange(classes), len(z))  # (classes * n,)
    return generate(generator, np.tile(z, (classes, 1)), labels)
