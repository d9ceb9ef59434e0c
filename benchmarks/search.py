"""Which game draws the best digits in a given time? Successive halving over random settings.

A candidate takes one value from each row of its task's space, at random; the first one has the
first values. Every candidate is trained for a ninth of --minutes; the best third of them for a
third, from the start again, because a schedule ends with its training; the best ninth for all of
--minutes. (Jamieson and Talwalkar, 2016, algorithm 1, with thirds for halves.) Each training has a
core to itself, and the minutes are its processor time: other programs make the search longer, and
change nothing else.

    python benchmarks/search.py --task mlp --minutes 5 --candidates 27
    python benchmarks/search.py --task mlp --minutes 5 --seeds 3 --candidate '{"d_width": 256}'

The FID to 10,000 *training* images decides; the test images are kept for the final figures. Each
training adds a row to benchmarks/results/search_TASK.csv. What has a row is not trained again:
after Ctrl-C, the same command goes on. --candidate trains one candidate for all of the time, with
several seeds; rows of the space that it does not name have their first value.
"""

import argparse
import csv
import inspect
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, partial
from pathlib import Path

import numpy as np
from judges import SAMPLES, references
from machine import one_thread
from tqdm import tqdm

from scratchgan.data import mnist
from scratchgan.gan import Config, Model, build, draw_noise, generate
from scratchgan.gan.discriminator import PLAIN

from scratchgan.layers import (  # isort: skip
    BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Flatten, LeakyReLU, ReLU, Reshape, Residual,
    Sequential, Tanh,
)  # fmt: skip
from scratchgan.optim import SCHEDULES

COLUMNS = "minutes", "steps", "seed", "fid", "second", "candidate"
TIMED = 20  # steps whose time tells how many fit
HALVE = {"kernel": 4, "stride": 2, "padding": 1}

# The first value of each row is the default, that of --candidate where it names no other.
GAME = {
    "loss": ["relativistic", "non-saturating", "hinge"],
    "penalty": ["r1+r2", "r1", "none"],
    "penalty_weight": [0.3, 0.1, 1.0],
    "penalty_every": [4, 1],
    "g_lr": [1e-3, 5e-4, 2e-3],
    "d_lr": [1e-3, 5e-4, 2e-3],
    "beta1": [0.0, 0.5],
    "beta2": [0.99, 0.999],
    "schedule": ["constant", "linear", "cosine"],
    "ema": [0.999, 0.998, 0.9995],
    "batch_size": [128, 64, 32],
    "augment": ["none", "translation"],
    "z_dim": [100, 32],
}
SPACES = {
    "mlp": GAME | {
        "g_width": [256, 128, 512],
        "g_residual": [0, 1],
        "d_width": [512, 256, 1024],
        "d_depth": [2, 1, 3],
        "dropout": [0.0, 0.1, 0.3],
    },
    "dcgan28": GAME | {
        "d_norm": ["none", "spectral", "layer"],
        "width": [32, 64],
        "dense": [256, 64, 0],
        "g_residual": [0, 1],
        "d_residual": [0, 1],
        "dropout": [0.0, 0.3],
    },
}  # fmt: skip


def mlp(z_dim, g_width, g_residual, d_width, d_depth, dropout):
    """Dense layers: G of two hidden layers and residual blocks, D of one to three."""

    def generator():
        n = 2 * g_width
        blocks = [Residual(BatchNorm(n), ReLU(), Dense(n, n)) for _ in range(g_residual)]
        return Sequential(
            Dense(z_dim, g_width, bias=False), BatchNorm(g_width), ReLU(),
            Dense(g_width, n, bias=False), *blocks, BatchNorm(n), ReLU(),
            Dense(n, 784), Tanh(), Reshape((28, 28, 1)),
        )  # fmt: skip

    def discriminator(ask=PLAIN):
        layers, n = [Flatten()], ask.inputs(784)
        for i in range(d_depth):
            layers += [Dense(n, d_width >> i), LeakyReLU(0.2)]
            layers += [Dropout(dropout)] if dropout else []
            n = d_width >> i
        return ask.network(*layers, *ask.std_channel(), last=[Dense(ask.features(n), ask.outputs)])

    return Model(generator, discriminator, z_dim, (28, 28, 1))


def dcgan28(z_dim, width, dense, g_residual, d_residual, dropout):
    """The DCGAN for digits, with residual blocks of two convolutions at 7x7, and a dense layer.

    Without the dense layer, D's logit is a sum over places: strokes become clean, digits do not.
    """
    wide = 2 * width

    def block(norm):
        conv = partial(Conv2D, wide, wide, kernel=3, padding=1)
        return Residual(*norm(), LeakyReLU(0.2), conv(), *norm(), LeakyReLU(0.2), conv())

    def generator():
        blocks = [block(lambda: [BatchNorm(wide)]) for _ in range(g_residual)]
        first = [Dense(z_dim, dense, bias=False), BatchNorm(dense), ReLU()] if dense else []
        return Sequential(
            *first, Dense(dense or z_dim, 49 * wide, bias=False), Reshape((7, 7, wide)),
            *blocks, BatchNorm(wide), ReLU(),
            ConvTranspose2D(wide, width, bias=False, **HALVE), BatchNorm(width), ReLU(),
            ConvTranspose2D(width, 1, **HALVE), Tanh(),
        )  # fmt: skip

    def discriminator(ask=PLAIN):
        blocks = [block(list) for _ in range(d_residual)]
        return ask.network(
            Conv2D(ask.channels(1), width, **HALVE), LeakyReLU(0.2),
            *([Dropout(dropout)] if dropout else []),
            Conv2D(width, wide, **HALVE), *ask.normalise(7, 7, wide), *blocks, LeakyReLU(0.2),
            Flatten(), *([Dense(49 * wide, dense), LeakyReLU(0.2)] if dense else []),
            *ask.std_channel(),
            last=[Dense(ask.features(dense or 49 * wide), ask.outputs)],
        )  # fmt: skip

    return Model(generator, discriminator, z_dim, (28, 28, 1))


NETWORKS = {"mlp": mlp, "dcgan28": dcgan28}
# The rows that are parameters of the networks; all others are options of a run.
SHAPES = {task: list(inspect.signature(make).parameters) for task, make in NETWORKS.items()}


def main():
    """Train, score and compare candidates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=list(SPACES), default="mlp")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--candidates", type=int, default=27)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of candidates")
    parser.add_argument("--candidate", type=json.loads, help="train this one, a JSON object")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of --candidate")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    references()  # the judges are trained before anything is timed
    search = Search(options.task, options.out / f"search_{options.task}.csv", options.workers)
    if options.candidate is not None:
        whole = complete(options.task, options.candidate)
        rows = search.trained([(whole, seed) for seed in range(options.seeds)], options.minutes)
    else:
        rows = search.halve(draw(options.task, options.candidates, options.seed), options.minutes)
    print("| FID / real | second judge | steps | seed | candidate |\n|---:|---:|---:|---:|---|")
    for row in sorted(rows, key=lambda row: float(row["fid"])):
        own = differing(options.task, json.loads(row["candidate"]))
        cells = f"{float(row['fid']):.2f}", f"{float(row['second']):.2f}", row["steps"], row["seed"]
        print("|", " | ".join([*cells, own or "the defaults"]), "|")


class Search:
    """Trainings of a task's candidates, and the file with their rows."""

    def __init__(self, task, path, workers):
        self.task, self.path, self.workers = task, path, workers
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(",".join(COLUMNS) + "\n")

    def halve(self, candidates, minutes):
        """Return the rows of all rounds: each keeps the best third of the round before it."""
        rows, share = [], 9
        while candidates and share >= 1:
            found = self.trained([(c, 0) for c in candidates], minutes / share)
            rows += found
            best = sorted(found, key=lambda row: float(row["fid"]))[: max(len(candidates) // 3, 1)]
            candidates, share = [json.loads(row["candidate"]) for row in best], share // 3
        return rows

    def trained(self, jobs, minutes):
        """Return a row for each (candidate, seed): from the file, or after training it."""
        key = lambda row: (row["candidate"], str(row["seed"]), float(row["minutes"]))  # noqa: E731
        with open(self.path, newline="") as file:
            known = {key(row): row for row in csv.DictReader(file)}
        rows = [
            {"candidate": json.dumps(c, sort_keys=True), "seed": s, "minutes": round(minutes, 4)}
            for c, s in jobs
        ]
        new = [row for row in rows if key(row) not in known]
        with (
            ProcessPoolExecutor(self.workers, initializer=alone) as pool,
            tqdm(total=len(new), desc=f"{minutes:.1f} minutes each") as bar,
            open(self.path, "a", newline="") as file,
        ):
            table = csv.DictWriter(file, COLUMNS)
            for job in as_completed([pool.submit(play, self.task, row) for row in new]):
                known[key(job.result())] = job.result()
                table.writerow(job.result())
                file.flush()
                bar.update()
        return [known[key(row)] for row in rows]


def draw(task, n, seed):
    """Draw n different candidates, one value of each row of the space; the defaults come first."""
    rng, found, picked = np.random.default_rng(seed), {}, {}
    while len(found) < n:
        whole = complete(task, picked)
        found[json.dumps(whole, sort_keys=True)] = whole
        picked = {name: values[rng.integers(len(values))] for name, values in SPACES[task].items()}
    return list(found.values())


def complete(task, given):
    """Fill a candidate up with first values; leave out what has no effect in it."""
    if unknown := given.keys() - SPACES[task].keys():
        sys.exit(f"--candidate: no row {', '.join(unknown)}; known: {', '.join(SPACES[task])}")
    whole = {name: values[0] for name, values in SPACES[task].items()} | given
    if whole["penalty"] == "none":
        whole = {k: v for k, v in whole.items() if k not in ("penalty_weight", "penalty_every")}
    return whole


def differing(task, candidate):
    """Return what differs from the first values, in words."""
    default = complete(task, {})
    return ", ".join(f"{k} {v}" for k, v in candidate.items() if default.get(k) != v)


def alone():
    """Each process has a core, and its progress bars would be in the way of the search's."""
    one_thread()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, while it lives


@cache
def digits_and_judges():
    """MNIST and both judges, once for each process."""
    return mnist().images, references()


def made(task, candidate, seed):
    """Make a candidate's configuration and networks; `play` sets the schedule."""
    shapes = {*SHAPES[task], "schedule"}
    own = {name: value for name, value in candidate.items() if name not in shapes}
    shape = {name: candidate[name] for name in SHAPES[task]}
    return Config("mnist", task, seed=seed, **own), NETWORKS[task](**shape)


def play(task, row):
    """Train a candidate for its minutes; return its row with the scores."""
    images, judges = digits_and_judges()
    candidate, seconds = json.loads(row["candidate"]), 60 * row["minutes"]
    schedule = SCHEDULES[candidate["schedule"]]
    config, networks = made(task, candidate, row["seed"])
    trainer = build(config, images, "numpy", networks=networks)
    start, steps = time.process_time(), TIMED
    for step in range(10**9):
        if step == TIMED:  # how many fit into the time, and so where the schedule ends
            steps = int(TIMED * seconds / (time.process_time() - start))
        if step >= steps:
            break
        for optimiser, lr in (
            (trainer.g_optimiser, config.g_lr),
            (trainer.d_optimiser, config.d_lr),
        ):
            optimiser.lr = schedule(lr, steps)
        trainer.step()
    z = draw_noise(np.random.default_rng(0), SAMPLES, trainer.z_dim, config.noise)
    fake = generate(trainer.best_generator, z)
    fid, second = (judge.training_distance(fake) for judge in judges)
    return row | {"steps": steps, "fid": round(fid, 3), "second": round(second, 3)}


if __name__ == "__main__":
    main()
