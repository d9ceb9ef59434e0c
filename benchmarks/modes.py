"""How many modes does each game reach? Rings and grids of Gaussians, as in PacGAN's table 1.

Every objective trains the same networks, 2-256-256-256-2 against 2-256-256-256-1, on the same
points and for as many steps of G; the learning rate falls to 0 on a cosine. Then 2,500 samples of
the running mean of G are counted. A reverse KL is over the good samples.

    python benchmarks/modes.py --data ring --objective gan r3gan --seeds 10
"""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from scratchgan.backend.workers import set_threads
from scratchgan.data import grid, grid_modes, ring, ring_modes
from scratchgan.gan import PRESETS, Config, build, draw_noise
from scratchgan.metrics import count_modes
from scratchgan.optim import cosine

SAMPLES, POINTS = 2500, 100_000  # counted at the end; in the data set
# Name: points, modes, sigma, and what they are divided by for the networks: to about [-1, 1].
DATA = {"ring": (ring, ring_modes, 0.01, 1), "grid": (grid, grid_modes, 0.05, 4)}
TOY = {"batch_size": 256, "ema": 0.999}
# Where the papers' rates, which are for images, are too small for points in the plane.
FAST = {
    "gan": {"g_lr": 1e-3, "d_lr": 1e-3},
    "r3gan": {"g_lr": 2e-3, "d_lr": 2e-3, "penalty_weight": 0.3},
}
PUBLISHED = {  # Lin et al., 2018, table 1: modes, good, reverse KL
    "ring": [("GAN", 6.3, 0.982, 0.45), ("PacGAN, best", 7.9, 0.977, 0.07)],
    "grid": [("GAN", 17.3, 0.948, 0.70), ("PacGAN4", 24.8, 0.936, 0.04)],
}


def main():
    """Train every objective from every seed, one on each core, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=list(DATA), default="ring")
    parser.add_argument("--objective", nargs="+", choices=list(PRESETS), default=["gan", "r3gan"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=12_000)
    options = parser.parse_args()
    jobs = [(name, seed) for name in options.objective for seed in range(options.seeds)]
    found = {name: [] for name in options.objective}
    with ProcessPoolExecutor(os.cpu_count(), initializer=one_thread) as pool:
        results = pool.map(partial(play, options.data, options.steps), jobs)
        for (name, seed), result in tqdm(zip(jobs, results, strict=True), total=len(jobs)):
            found[name].append(result)
            count, seconds = result
            tqdm.write(f"{name} {seed}: {count.modes} {count.good:.4f} {count.reverse_kl:.4f}"
                       f"  {seconds:.0f} s")  # fmt: skip
    print_table(options, found)


def one_thread():
    """Each process has a core."""
    threadpool_limits(1)
    set_threads(1)


def play(data, steps, job):
    """The `ModeCount` and the seconds of one run."""
    name, seed = job
    start = time.perf_counter()
    trainer, scale = make(data, name, seed, steps)
    for _ in range(steps):
        trainer.step()
    z = draw_noise(np.random.default_rng([seed, 1]), SAMPLES, trainer.z_dim)
    samples, _ = trainer.best_generator.forward(z, train=False)
    _, modes, sigma, _ = DATA[data]
    return count_modes(scale * samples, modes(), sigma), time.perf_counter() - start


def make(data, name, seed, steps):
    """A trainer for the points of a toy, and what its samples must be multiplied with."""
    points, _, _, scale = DATA[data]
    settings = PRESETS[name].settings | TOY | FAST.get(name, {})
    config = Config(data, "toy", seed=seed, **settings)
    x = points(POINTS, np.random.default_rng([seed, 0])) / np.float32(scale)
    trainer = build(config, x, "numpy")
    trainer.g_optimiser.lr = cosine(config.g_lr, steps)
    trainer.d_optimiser.lr = cosine(config.d_lr, steps * config.d_steps)
    return trainer, scale


def print_table(options, found):
    """A line an objective: mean, and the worst of all seeds in brackets."""
    K = len(DATA[options.data][1]())
    print(f"{options.data}, {SAMPLES} samples, {options.seeds} seeds, {options.steps} steps\n")
    print(f"| objective | modes of {K} | good samples | reverse KL | seconds |")
    print("|---|---:|---:|---:|---:|")
    for name, results in found.items():
        counts = [count for count, _ in results]
        modes, good, kl = (np.array(column, float) for column in zip(*counts, strict=True))
        seconds = np.median([s for _, s in results])
        print(
            f"| {name} | {modes.mean():.1f} (at least {modes.min():.0f}) "
            f"| {good.mean():.1%} ± {good.std():.1%} (at least {good.min():.1%}) "
            f"| {kl.mean():.4f} ± {kl.std():.4f} (at most {kl.max():.4f}) | {seconds:.0f} |"
        )
    for name in found:
        print(f"| {name}: as its preset, but {TOY | FAST.get(name, {})} | | | | |")
    for name, modes, good, kl in PUBLISHED[options.data]:
        print(f"| {name}, published | {modes} | {good:.1%} | {kl} | |")


if __name__ == "__main__":
    main()
