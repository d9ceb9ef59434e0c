"""Measure how near samples are to real images: those of runs, folders of pictures, or arrays.

    scratchgan score runs/mnist_mlp
    scratchgan score runs/images --judge labels --picture nearest.png
    scratchgan score generated/ --real photos/ --judge my_network.onnx --format markdown

docs/score.md explains each measure, and how to use a judge of your own.
"""

import csv
import io
import json
import math
import sys
from argparse import ArgumentParser, Namespace
from itertools import groupby
from pathlib import Path

from ..plots import sample_grid, save_image
from ..runs.score import open_target, score
from ..runs.yardstick import Measure, Scored
from .common import add_backend, add_model, as_shell

# Each measure: how its numbers are written, and what it means.
LEGEND = {
    "FID": ("{:.4g}", "distance from the real images, in a judge's features; less is better"),
    "x real": ("{:.1f}", "FID divided by that of real images; 1 is as good as real"),
    "KID": ("{:.3g}", "a distance that is 0 on average for real images; less is better"),
    "precision": ("{:.3f}", "share of the samples that look real; more is better"),
    "recall": ("{:.3f}", "share of the real images that the samples cover; more is better"),
    "density": ("{:.3f}", "precision that outliers do not raise; 1 is as good as real"),
    "coverage": ("{:.3f}", "recall that spread does not raise; more is better"),
    "memorised": (
        "{:.1%}",
        "share nearer to a training image than 99 % of real ones; less is better",
    ),
    "KL": ("{:.4f}", "how unevenly the classes are drawn; 0 is evenly"),
    "fewest": ("{:.1%}", "share of the class drawn least; more is better"),
    "most": ("{:.1%}", "share of the class drawn most; less is better"),
    "as asked": ("{:.1%}", "share that the judge reads as the class asked for; more is better"),
    "CAS": ("{:.1%}", "real images that a classifier of samples alone reads right; more is better"),
}
FIELDS = ("measure", *Measure._fields)
COLUMNS = 3  # targets beside each other
ABOUT = ("target", "samples", "against", "judge")  # the first four fields of `Scored`


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    about = "folder of a run or of pictures, or an .npy or .npz file"
    parser.add_argument("target", nargs="+", help=about)
    about = "real images: a folder, .npy or .npz (default: those of the run, or MNIST)"
    parser.add_argument("--real", help=about)
    about = "mnist; labels: a classifier of the real images' labels; random; or FILE.onnx"
    parser.add_argument("--judge", help=about)
    parser.add_argument("--format", choices=FORMATS, default="table", help="what is printed")
    about = "write samples, each beside its nearest training image, the nearest pairs first"
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help=about)
    parser.add_argument("--data", help="folder with MNIST's files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples' noise")
    add_model(parser)
    add_backend(parser)


def run(options: Namespace) -> int:
    """Print the measures of each target.

    A target that cannot be measured gives an error, and the others are measured all the same.

    Returns
    -------
    int
        2 if there was an error, else 0.
    """
    if options.seed < 0:
        raise ValueError(f"--seed: expected 0 or more, got {options.seed}")
    if options.picture and len(options.target) > 1:
        raise ValueError(f"--picture: expected one TARGET, got {len(options.target)}")
    made: dict = {}

    def each(job, items):
        """Return the results of a job, and print the errors."""
        for item in items:
            try:
                yield job(item)
            except (ValueError, OSError) as error:
                print(f"error: {as_shell(str(error))}", file=sys.stderr)

    # All are opened before anything is downloaded or trained.
    run_of = {"backend": options.backend, "model": options.model}
    opened = list(each(lambda name: open_target(name, **run_of), options.target))
    how = {"data": options.data, "seed": options.seed, "made": made}
    found = list(each(lambda target: score(target, options.real, options.judge, **how), opened))
    if found:
        print(FORMATS[options.format](found))
    if options.picture and found:
        save_image(sample_grid(found[0].pairs, columns=8), options.picture)
        about = f"scratchgan: {options.picture}: samples, each left of its neighbour"
        print(about, file=sys.stderr)
    return 0 if len(found) == len(options.target) else 2


def _table(found: list[Scored]) -> str:
    """Measures as rows, targets as columns; those of the same floor in one table; a legend."""
    blocks, names = [], [name for name in LEGEND if any(name in s.measures for s in found)]
    for (count, against, judge), same in groupby(found, lambda s: s[1:4]):
        scored = list(same)
        for start in range(0, len(scored), COLUMNS):
            part = scored[start : start + COLUMNS]
            rows = [["", *(s.name for s in part), "real images"]]
            for name in names:
                there = [s.measures.get(name) for s in part]
                rows.append([name, *(_cell(name, m) for m in there), _floor(name, there)])
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            lines = [
                "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
                for row in rows
            ]
            about = f"{count:,} samples against {against}\njudge: {judge}\n"
            blocks.append("\n".join([about, *lines]))
    legend = [f"{name:9}  {LEGEND[name][1]}" for name in names]
    legend.append("[low, high] holds the number in 95 of 100 cases")
    return "\n\n".join([*blocks, "\n".join(legend)])


def _markdown(found: list[Scored]) -> str:
    """Targets as rows, measures as columns; a row of floors for each set of real images."""
    names = [name for name in LEGEND if any(name in s.measures for s in found)]
    rows = [["", *names], ["---", *["---:"] * len(names)]]
    rows += [[s.name, *(_cell(name, s.measures.get(name)) for name in names)] for s in found]
    for (count, against, judge), same in groupby(found, lambda s: s[1:4]):
        group = list(same)
        floors = [_floor(name, [s.measures.get(name) for s in group]) for name in names]
        rows.append([f"{count:,} real, to {against} (judge: {judge})", *floors])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _csv(found: list[Scored]) -> str:
    """Write a line for each measure of each target."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*ABOUT, *FIELDS])
    for s in found:
        writer.writerows([*s[:4], n, *m] for n, m in s.measures.items())
    return out.getvalue().rstrip("\n")


def _json(found: list[Scored]) -> str:
    """Write a list of objects; null stands for a floor that there is not."""

    def fields(measure):
        return {k: None if math.isnan(v) else v for k, v in measure._asdict().items()}

    return json.dumps([
        dict(zip(ABOUT, s[:4], strict=True))
        | {"measures": {name: fields(measure) for name, measure in s.measures.items()}}
        for s in found
    ], indent=2)  # fmt: skip


def _cell(name, measure):
    """A number and its interval, as text."""
    if measure is None:
        return "-"
    value, low, high = (_number(name, a) for a in measure[:3])
    return f"{value} [{low}, {high}]"


def _floor(name, measures):
    """The floor that measures share, of which some may be None."""
    return next((_number(name, m.floor) for m in measures if m is not None), "-")


def _number(name, value):
    return "-" if math.isnan(value) else LEGEND[name][0].format(value)


FORMATS = {"table": _table, "markdown": _markdown, "csv": _csv, "json": _json}
