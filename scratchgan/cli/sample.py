"""Draw new images from a trained generator."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_atomically
from ..gan import generate
from ..plots import sample_grid, save_image
from ..runs import load
from .common import add_backend, add_model

LEAST = {"n": 1, "seed": 0, "scale": 1, "columns": 1, "border": 0}
IN_A_PICTURE = 10_000  # images; more are too small to see, or the picture too large to open
LARGE = 1e9  # bytes of memory that are worth a word


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("run_dir", type=Path, help="the --out of a training run")
    parser.add_argument("--n", type=int, default=64, help="number of images")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), help=".png or .npz file")
    parser.add_argument("--label", type=int, help="class to draw; by default each class in turn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    add_model(parser)
    add_backend(parser)
    picture = parser.add_argument_group("how a .png looks")
    about = "side of the square that shows a pixel; by default 2, or more where images are few"
    picture.add_argument("--scale", type=int, help=about)
    picture.add_argument("--columns", type=int, help="images in a row; by default as many as rows")
    picture.add_argument("--border", type=int, default=2, help="grey pixels around each image")


def run(options: Namespace) -> int:
    """Write new images: as a grid (.png), or as arrays (.npz).

    The .npz holds ``images``, uint8 (N, H, W) or (N, H, W, C), and the noise ``z`` that they were
    made from, float32 (N, z_dim). If the run is conditional, it also holds their ``labels`` (N,).
    """
    n, out, suffix = options.n, options.out, options.out.suffix.lower()
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise ValueError(f"--{name}: expected {least} or more, got {value}")
    if suffix not in (".png", ".npz"):
        expected = "a name in .png or .npz (a picture, or arrays)"
        raise ValueError(f"--out: expected {expected}, got {out}")
    if os.path.isdir(out):
        raise ValueError(f"--out: expected a file, got the folder {out}")
    if suffix == ".png" and n > IN_A_PICTURE:
        cure = "choose an --out in .npz for more"
        raise ValueError(f"--n: expected {IN_A_PICTURE} or fewer in a picture, got {n}; {cure}")
    images, z, labels = draw(options)
    if suffix == ".png":
        grid = sample_grid(images, options.columns, options.border, options.scale)
    made, older = _make_folder(out), os.path.exists(out)
    if suffix == ".png":
        save_image(grid, out)
    else:
        images = images[..., 0] if images.shape[-1] == 1 else images
        arrays: dict[str, Any] = {"images": images, "z": z}
        arrays |= {} if labels is None else {"labels": labels}
        write_atomically(out, lambda file: np.savez_compressed(file, **arrays))
    place = ", in place of an older file" if older else made
    print(f"{out}: {n} image{'s'[: n - 1]} from {options.run_dir}{place}")
    return 0


def draw(options: Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Draw images, uint8 (n, H, W, C), from noise z (n, z_dim) and labels (n,), or from z alone.

    Returns
    -------
    images, z, labels
        ``labels`` is None if the run is not conditional.
    """
    run, n = load(options.run_dir, options.model, options.backend), options.n
    # Twice the images: in parts, and then as one array.
    needed = n * (2 * run.sample(1, 0, options.label).nbytes + run.noise(1).nbytes)
    if needed > LARGE:
        print(f"{n} images need about {needed / 1e9:.1f} GB of memory", file=sys.stderr)
    try:
        z, labels = run.noise(n, options.seed), run.labels(n, options.label)
        return generate(run.generator, z, labels), z, labels
    except (MemoryError, OverflowError) as error:
        cure = "draw fewer, several times, each time with another --seed"
        raise ValueError(f"--n {n}: not enough memory ({error}); {cure}") from error


def _make_folder(out):
    """Make the folder of a file if there is none; return words about it."""
    folder = out.parent
    if folder.exists():
        return ""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        reason = f"the folder {folder} cannot be made: {error.strerror}"
        raise ValueError(f"--out {out}: {reason}; nothing was written") from error
    return f", in the new folder {folder}"
