"""Grids of images, and animations made of them."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..files import PathLike, write_atomically


def sample_grid(
    images: np.ndarray, columns: int | None = None, margin: int = 2, zoom: int = 2
) -> Image.Image:
    """Lay images out in rows on a grey ground.

    Parameters
    ----------
    images : uint8 array (N, H, W, C), C 1 or 3
    columns : int, optional
        The square root of N, rounded up, unless given.
    margin : int
        Pixels between images, before the zoom.
    zoom : int
        Each pixel becomes a square of this side.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ValueError
        If `images` is another array, or empty.
    """
    shape = images.shape
    if images.dtype != np.uint8 or len(shape) != 4 or shape[0] == 0 or shape[3] not in (1, 3):
        raise ValueError(f"images: expected uint8 (N, H, W, 1 or 3), got {images.dtype} {shape}")
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


def save_image(image: Image.Image, path: PathLike) -> None:
    """Write a PIL image as PNG, whole or not at all."""
    write_atomically(path, lambda file: image.save(file, "PNG"))


def save_animation(frames: Sequence[PathLike], path: PathLike, seconds: float = 8.0) -> None:
    """Write PNG files as one GIF that loops and rests on the last frame.

    Parameters
    ----------
    frames : list of path-like
        The PNG files.
    path : path-like
        The GIF file to write.
    seconds : float
        Time from the first frame to the last; each stays at least 0.04 s.

    Raises
    ------
    ValueError
        If there are no frames.
    """
    if not frames:
        raise ValueError(f"{path}: expected at least one frame, got none")
    images = [Image.open(frame).convert("P") for frame in frames]
    each = max(int(1000 * seconds / len(images)), 40)
    times = [each] * (len(images) - 1) + [2000]
    options = dict(save_all=True, append_images=images[1:], duration=times, loop=0)
    write_atomically(path, lambda file: images[0].save(file, "GIF", **options))
