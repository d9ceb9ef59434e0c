"""How many modes does each game reach? PacGAN's table 1 (rings and grids) and 2 (Stacked MNIST).

On a ring or a grid of Gaussians every objective trains the same networks, 2-256-256-256-2 against
2-256-256-256-1; on Stacked MNIST the model "stacked". All take as many steps of G, and the learning
rate falls to 0 on a cosine. Then the samples of the running mean of G are counted. A reverse KL is
over the good samples; on Stacked MNIST a classifier made of this library's layers names three
digits in every sample, so that none is bad. A seed has a core to itself.

    python benchmarks/modes.py --data ring --objective gan r3gan --seeds 10
    python benchmarks/modes.py --data stacked --objective r3gan --seeds 1 --log runs/stacked

--log FOLDER leaves the counts of every twentieth of a run there, as a table and as a figure.
"""

import argparse
import csv
import os
import sys
import time
from collections import namedtuple
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from machine import one_thread
from matplotlib.figure import Figure
from tqdm import tqdm, trange

from scratchgan.data import grid, grid_modes, mnist, ring, ring_modes, stacked, to_uint8, to_unit
from scratchgan.gan import PRESETS, Config, build, draw_noise
from scratchgan.metrics import ModeCount, count_classes, count_modes, predict
from scratchgan.optim import cosine
from scratchgan.plots import sample_grid
from scratchgan.runs.score import digit_judge

LOGGED = 20  # rows of a log
Row = namedtuple("Row", "step seconds modes good kl")


class Mixture:
    """Gaussians in the plane."""

    model, samples, steps = "toy", 2500, 12_000
    common = {"batch_size": 256, "ema": 0.999}
    # Where the papers' rates, which are for images, are too small for points in the plane.
    own = {
        "gan": {"g_lr": 1e-3, "d_lr": 1e-3},
        "r3gan": {"g_lr": 2e-3, "d_lr": 2e-3, "penalty_weight": 0.3},
    }

    def __init__(self, points, modes, sigma, scale, published):
        self.points, self.modes, self.sigma = points, modes(), sigma
        self.scale = scale  # they are divided by it for the networks: to about [-1, 1]
        self.K, self.published = len(self.modes), published

    def training(self, rng):
        """100,000 points."""
        return self.points(100_000, rng) / np.float32(self.scale)

    def count(self, samples):
        """The `ModeCount` of generated points."""
        return count_modes(self.scale * samples, self.modes, self.sigma)


class StackedDigits:
    """Three digits of MNIST in the channels of an image: 1000 modes."""

    model, samples, steps, K = "stacked", 26_000, 14_000, 1000
    common = {"ema": 0.999}
    own = {"r3gan": {"g_lr": 5e-4, "d_lr": 5e-4}}
    published = [  # Lin et al., 2018, table 2
        ("DCGAN", 78.9, None, 4.50), ("WGAN-GP", 959, None, 0.73), ("PacDCGAN2", 1000, None, 0.06),
    ]  # fmt: skip

    @cached_property
    def judge(self):
        """The classifier that names the digits."""
        return digit_judge()

    def training(self, rng):
        """100,000 images."""
        digits = mnist()
        return stacked(digits.images, digits.labels, 100_000, rng).images

    def count(self, samples):
        """The `ModeCount` of generated images, in which every sample counts as good."""
        x = to_unit(to_uint8(samples))  # a pixel is a byte, as in a file
        digits = [predict(self.judge, x[..., c : c + 1]) for c in range(3)]
        modes, kl = count_classes(np.array([100, 10, 1]) @ digits, self.K)
        return ModeCount(modes, 1.0, kl)


DATA = {
    "ring": lambda: Mixture(
        ring, ring_modes, 0.01, 1, [("GAN", 6.3, 0.982, 0.45), ("PacGAN, best", 7.9, 0.977, 0.07)]
    ),
    "grid": lambda: Mixture(
        grid, grid_modes, 0.05, 4, [("GAN", 17.3, 0.948, 0.70), ("PacGAN4", 24.8, 0.936, 0.04)]
    ),
    "stacked": StackedDigits,
}


def main():
    """Train every objective from every seed, one on each core, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=list(DATA), default="ring")
    parser.add_argument("--objective", nargs="+", choices=list(PRESETS), default=["gan", "r3gan"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, help="12,000, and of Stacked MNIST 14,000")
    parser.add_argument("--log", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    data = DATA[options.data]()
    steps = options.steps or data.steps
    if options.data == "stacked":
        digit_judge()  # trained now, if it must be, and not in every process
    if options.log:
        options.log.mkdir(parents=True, exist_ok=True)
    jobs = [(name, seed) for name in options.objective for seed in range(options.seeds)]
    found = {name: [] for name in options.objective}
    with ProcessPoolExecutor(os.cpu_count(), initializer=one_thread) as pool:
        results = pool.map(partial(play, options.data, steps, options.log), jobs)
        for (name, seed), row in tqdm(zip(jobs, results, strict=True), total=len(jobs)):
            found[name].append(row)
            tqdm.write(f"{name} {seed}: {row}", file=sys.stderr)
    print(f"{options.data}, {data.samples} samples, {options.seeds} seeds, {steps} steps\n")
    print_table(data, found)


def play(kind, steps, log, job):
    """Train one objective from one seed; the last `Row`."""
    name, seed = job
    start = time.perf_counter()
    data = DATA[kind]()
    trainer = make(data, name, seed, steps)
    z = draw_noise(np.random.default_rng([seed, 1]), data.samples, trainer.z_dim)
    rows = []
    for step in trange(1, steps + 1, desc=f"{name} {seed}", disable=kind != "stacked"):
        trainer.step()
        if step == steps or (log and step % max(steps // LOGGED, 1) == 0):
            parts = np.array_split(z, max(len(z) // 500, 1))
            samples = np.concatenate(
                [trainer.best_generator.forward(part, train=False)[0] for part in parts]
            )
            rows.append(Row(step, round(time.perf_counter() - start), *data.count(samples)))
            if log:
                keep(log / f"{kind}-{name}-{seed}", rows, data, samples)
    return rows[-1]


def make(data, name, seed, steps):
    """A trainer for the points or images of a toy."""
    settings = PRESETS[name].settings | data.common | data.own.get(name, {})
    config = Config(data.model, data.model, seed=seed, **settings)
    x = data.training(np.random.default_rng([seed, 0]))
    trainer = build(config, x, "numpy")
    trainer.g_optimiser.lr = cosine(config.g_lr, steps)
    trainer.d_optimiser.lr = cosine(config.d_lr, steps * config.d_steps)
    return trainer


def keep(path, rows, data, samples):
    """The log so far, and a figure of it beside some of the images."""
    with open(path.with_suffix(".csv"), "w", newline="") as file:
        csv.writer(file).writerows([Row._fields, *rows])
    _, seconds, modes, _, kl = zip(*rows, strict=True)
    images = samples.ndim == 4
    figure = Figure(figsize=(4.5 * (2 + images), 4), layout="tight")
    axes = figure.subplots(1, 2 + images)
    minutes = np.array(seconds) / 60
    for ax, y, label in (axes[0], modes, f"modes of {data.K}"), (axes[1], kl, "reverse KL"):
        ax.plot(minutes, y, "o-")
        ax.set(xlabel="minutes", ylabel=label)
    axes[1].set_yscale("log")
    for name, published, _, divergence in data.published:
        for ax, y in (axes[0], published), (axes[1], divergence):
            ax.axhline(y, color="grey", linestyle=":")
            ax.annotate(name, (minutes[-1], y), ha="right", va="bottom", color="grey")
    if images:
        axes[2].imshow(sample_grid(to_uint8(samples[:64])))
        axes[2].set_axis_off()
    figure.savefig(path.with_suffix(".png"), dpi=100)


def print_table(data, found):
    """A line an objective: mean, and the worst of all seeds in brackets."""
    print(f"| objective | modes of {data.K} | good samples | reverse KL | seconds |")
    print("|---|---:|---:|---:|---:|")
    for name, rows in found.items():
        _, seconds, modes, good, kl = (np.array(c, float) for c in zip(*rows, strict=True))
        print(
            f"| {name} | {modes.mean():.1f} (at least {modes.min():.0f}) "
            f"| {good.mean():.1%} ± {good.std():.1%} (at least {good.min():.1%}) "
            f"| {kl.mean():.4f} ± {kl.std():.4f} (at most {kl.max():.4f}) "
            f"| {np.median(seconds):.0f} |"
        )
    for name in found:
        settings = data.common | data.own.get(name, {})
        print(f"| {name}: as its preset, but {settings} | | | | |")
    for name, modes, good, kl in data.published:
        print(f"| {name}, published | {modes} | {f'{good:.1%}' if good else ''} | {kl} | |")


if __name__ == "__main__":
    main()
