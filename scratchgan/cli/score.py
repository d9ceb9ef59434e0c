"""Measure how near the digits of training runs are to MNIST's."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..runs.score import digit_judge, real_digits, score_run
from .common import add_backend

HEADER = """\
| run | FID | times that of real digits | precision | recall | KL of classes | as asked |
|---|---:|---:|---:|---:|---:|---:|"""


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("run_dir", type=Path, nargs="+", help="the --out of a training run")
    parser.add_argument("--data", help="folder with MNIST's files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples' noise")
    add_backend(parser)


def run(options: Namespace) -> int:
    """Print a table with a line for each run."""
    judge = digit_judge(options.data)
    real = real_digits(judge, options.data)
    for i, run_dir in enumerate(options.run_dir):
        shared = {"seed": options.seed, "backend": options.backend, "judge": judge, "real": real}
        found = score_run(run_dir, **shared)
        if not i:
            print(HEADER)
        asked = "" if found.accuracy is None else f"{found.accuracy:.1%}"
        print(
            f"| {run_dir} | {found.fid:.2f} | {found.fid / found.floor:.1f} "
            f"| {found.precision:.3f} | {found.recall:.3f} | {found.classes_kl:.4f} | {asked} |"
        )
    return 0
