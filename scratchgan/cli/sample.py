"""Draw new images from a trained generator."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from ..files import write_atomically
from ..gan import draw_noise, generate, z_dim
from ..plots import sample_grid, save_image
from ..runs import load_generator
from .common import add_backend


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("run_dir", type=Path, help="the --out of a training run")
    parser.add_argument("--n", type=int, default=64, help="number of images")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), help=".png or .npz file")
    parser.add_argument("--label", type=int, help="class to draw; by default each class in turn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    add_backend(parser)


def run(options: Namespace) -> int:
    """Write new images: as a grid (.png), or as an array (.npz).

    The .npz holds ``images``, uint8 (N, H, W) or (N, H, W, C). If the run is conditional, it also
    holds their ``labels`` (N,).
    """
    if options.n < 1:
        raise ValueError(f"--n: expected 1 or more, got {options.n}")
    if options.out.suffix not in (".png", ".npz"):
        raise ValueError(f"--out: expected a name in .png or .npz, got {options.out}")
    generator, config = load_generator(options.run_dir, options.backend)
    z = draw_noise(np.random.default_rng(options.seed), options.n, z_dim(config), config.noise)
    labels = np.arange(options.n) % config.classes if config.condition else None
    if options.label is not None:
        if labels is None:
            raise ValueError(f"--label: {options.run_dir} was trained without labels")
        if not 0 <= options.label < config.classes:
            raise ValueError(f"--label: expected 0 to {config.classes - 1}, got {options.label}")
        labels[:] = options.label
    images = generate(generator, z, labels)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.out.suffix == ".png":
        save_image(sample_grid(images), options.out)
    else:
        images = images[..., 0] if images.shape[-1] == 1 else images
        arrays = {"images": images} | ({} if labels is None else {"labels": labels})
        write_atomically(options.out, lambda file: np.savez_compressed(file, **arrays))
    print(f"{options.out}: {options.n} images from {options.run_dir}")
    return 0
