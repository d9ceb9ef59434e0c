"""Which recipe draws the best digits in the same time? A score and a grid for each.

How long a step takes is measured first, with all cores, recipe by recipe: the best of several short
turns, so that other work on the machine does not count. Then each recipe is trained for as many
steps as fit into --minutes, one on each core, and scored as by ``python -m scratchgan score``.

    python benchmarks/presets.py --model mlp --minutes 5
    python benchmarks/presets.py --model dcgan28 --minutes 10 --preset wgan-gp r3gan sngan-hinge

The runs stay in --out; what was finished there before is not trained again.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from machine import one_thread
from tqdm import tqdm

from scratchgan.data import mnist
from scratchgan.gan import PRESETS, Config, build
from scratchgan.runs import train
from scratchgan.runs.score import digit_judge, real_digits, score_run

# Beside the recipes of papers, the plain game with what helped the MLP most.
RECIPES = {name: preset.settings for name, preset in PRESETS.items()} | {
    "gan-fast": PRESETS["gan"].settings | {"g_lr": 1e-3, "d_lr": 1e-3, "ema": 0.999}
}
BATCH = {"mlp": 128, "dcgan28": 32}  # as in the examples
TURNS, STEPS = 8, 25


def main():
    """Measure, train, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=list(BATCH), default="mlp")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--preset", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--out", type=Path, default=Path("runs/presets"))
    options = parser.parse_args()
    digits = mnist()
    folder = options.out / f"{options.model}-{options.minutes:g}"
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "plan.json"  # how many steps fit, measured once
    steps = json.loads(plan.read_text()) if plan.exists() else {}
    for name in tqdm(options.preset, desc="measuring"):
        if name not in steps:
            steps[name] = int(options.minutes * 60 / seconds_a_step(options.model, name, digits))
            plan.write_text(json.dumps(steps, indent=2))
    with ProcessPoolExecutor(os.cpu_count(), initializer=alone) as pool:
        jobs = [(name, steps[name]) for name in options.preset]
        list(tqdm(pool.map(partial(play, options.model, folder), jobs), total=len(jobs)))
    judge = digit_judge()
    shared = {"judge": judge, "real": real_digits(judge)}
    print(f"{options.model}, {options.minutes:g} minutes each on {os.cpu_count()} cores\n")
    print("| recipe | steps | ms a step | FID | times that of real digits | precision | recall |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    scores = {name: score_run(folder / name, **shared) for name in tqdm(options.preset)}
    for name, score in sorted(scores.items(), key=lambda item: item[1].fid):
        print(
            f"| {name} | {steps[name]:,} | {options.minutes * 6e4 / steps[name]:.1f} "
            f"| {score.fid:.2f} | {score.fid / score.floor:.1f} "
            f"| {score.precision:.3f} | {score.recall:.3f} |"
        )


def config_of(model, name):
    """The `Config` of a recipe on MNIST."""
    return Config("mnist", model, batch_size=BATCH[model], **RECIPES[name])


def seconds_a_step(model, name, digits):
    """Of a training step, on all cores: the best of `TURNS`."""
    trainer = build(config_of(model, name), digits.images, "numpy")
    turns = []
    for _ in range(1 + TURNS):  # the first one warms up
        start = time.perf_counter()
        for _ in range(STEPS):
            trainer.step()
        turns.append((time.perf_counter() - start) / STEPS)
    return min(turns[1:])


def alone():
    """Each process has a core, and its progress bar would be in the way of the others'."""
    one_thread()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, while it lives


def play(model, folder, job):
    """Train one recipe, or go on with it."""
    name, steps = job
    out = folder / name
    digits = mnist()
    train(
        config_of(model, name), digits.images, out,
        steps=steps, backend="numpy", resume=True, save_every=max(steps // 10, 1),
    )  # fmt: skip


if __name__ == "__main__":
    main()
