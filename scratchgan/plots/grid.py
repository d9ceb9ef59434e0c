"""Images side by side, and grids one after the other."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import write_atomically

__all__ = ["sample_grid", "save_animation", "save_image"]


def sample_grid(images, columns=None, margin=2, zoom=2):
    """Lay images out in rows on a grey ground.

    Parameters
    ----------
    images : uint8 array (N, H, W, C), C 1 or 3
    columns : int, optional
        The square root of N, rounded up, unless given.
    margin : int
        Pixels between images, before the zoom.
    zoom : int
        Each pixel becomes a square of this many.

    Returns
    -------
    PIL.Image.Image
    """
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[3] not in (1, 3)
        or not len(images)
    ):
        raise ValueError(
            f"images {images.dtype} {images.shape} given, uint8 (N, H, W, 1 or 3) wanted"
        )
    N, H, W, C = images.shape
    columns = columns or math.ceil(math.sqrt(N))
    rows = -(-N // columns)
    cells = np.full((rows * columns, H + margin, W + margin, C), 128, np.uint8)
    cells[:N, :H, :W] = images
    cells = cells.reshape(rows, columns, H + margin, W + margin, C).swapaxes(1, 2)
    grid = cells.reshape(rows * (H + margin), columns * (W + margin), C)
    grid = np.pad(grid, ((margin, 0), (margin, 0), (0, 0)), constant_values=128)
    grid = grid.repeat(zoom, 0).repeat(zoom, 1)
    return Image.fromarray(grid[..., 0] if C == 1 else grid)


def save_image(image, path):
    """Write a PIL image as PNG, whole or not at all."""
    write_atomically(path, lambda file: image.save(file, "PNG"))


def save_animation(frames, path, seconds=8.0):
    """Write PNG files as one looping GIF, which rests on the last frame.

    Parameters
    ----------
    frames : list of path-like
    path : path-like
    seconds : float
        From the first frame to the last; at least .04 each.
    """
    if not frames:
        raise ValueError(f"{path}: no frames given, one PNG or more wanted")
    images = [Image.open(Path(frame)).convert("P") for frame in frames]
    each = max(int(1000 * seconds / len(images)), 40)
    options = {"append_images": images[1:], "duration": [each] * (len(images) - 1) + [2000]}
    write_atomically(
        path, lambda file: images[0].save(file, "GIF", save_all=True, loop=0, **options)
    )
