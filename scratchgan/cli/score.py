"""Measure how near the digits of training runs are to MNIST's."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..runs.score import digit_judge, draw_digits, real_digits, score_digits
from .common import add_backend, add_model, as_shell

COLUMNS = ("FID", "x real", "precision", "recall", "KL", "as asked")
LEGEND = """\
FID        distance of the samples from the test images, in a classifier's features; less is better
x real     FID divided by {floor:.2f}, the FID of real training images; 1 is as good as real
precision  share of the samples that look real; more is better
recall     share of the test images that the samples cover; more is better
KL         how unevenly the ten digits are drawn; 0 is evenly"""
ASKED = "as asked   share of the samples that are the digit that was asked for; more is better"


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("run_dir", type=Path, nargs="+", help="the --out of a training run")
    parser.add_argument("--data", help="folder with MNIST's files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples' noise")
    add_model(parser)
    add_backend(parser)


def run(options: Namespace) -> int:
    """Print a table with a line for each run, and a legend.

    A run that cannot be read gives an error, and the others are scored all the same.

    Returns
    -------
    int
        2 if there was an error, else 0.
    """
    if options.seed < 0:
        raise ValueError(f"--seed: expected 0 or more, got {options.seed}")
    drawn, errors = [], 0
    for run_dir in options.run_dir:  # all of them, before anything is downloaded or trained
        try:
            images, labels = draw_digits(run_dir, options.seed, options.backend, options.model)
            drawn.append((run_dir, images, labels))
        except (ValueError, OSError) as error:
            errors += 1
            print(f"error: {as_shell(str(error))}", file=sys.stderr)
    if not drawn:
        return 2
    judge = digit_judge(options.data)
    real = real_digits(judge, options.data)
    asked = any(labels is not None for _, _, labels in drawn)
    columns = COLUMNS if asked else COLUMNS[:-1]
    width = max(len(str(name)) for name, _, _ in drawn)
    print(f"{'run':{width}}", *(f"{name:>9}" for name in columns), sep="  ")
    for run_dir, images, labels in drawn:
        found = score_digits(images, labels, judge, real)
        print(f"{run_dir!s:{width}}", *_cells(found)[: len(columns)], sep="  ", flush=True)
    print("", LEGEND.format(floor=real[1]), *([ASKED] if asked else []), sep="\n")
    return 2 if errors else 0


def _cells(found):
    """Return the numbers of a line, each nine characters wide."""
    texts = [
        f"{found.fid:.2f}", f"{found.fid / found.floor:.1f}", f"{found.precision:.3f}",
        f"{found.recall:.3f}", f"{found.classes_kl:.4f}",
        "-" if found.accuracy is None else f"{found.accuracy:.1%}",
    ]  # fmt: skip
    return [f"{text:>9}" for text in texts]
