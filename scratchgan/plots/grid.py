"""Grids of images, and animations made of them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..files import PathLike, write_atomically

if TYPE_CHECKING:
    from PIL import Image  # the functions below import it, because not every program draws

GREY = 128  # the ground on which images lie
SIDE = 256  # pixels of the longer side that one can look at
MOST = 2**27  # pixels of a picture; Pillow and others refuse to open somewhat more


def sample_grid(
    images: np.ndarray, columns: int | None = None, margin: int = 2, zoom: int | None = 2
) -> "Image.Image":
    """Lay images out in rows on a grey ground.

    Parameters
    ----------
    images : uint8 array (N, H, W, C) or (N, H, W)
        Grey, in colour, or with transparency: C is 1, 3 or 4. Of images with another C, the
        channels are drawn side by side, in grey.
    columns : int, optional
        The square root of N, rounded up, unless given.
    margin : int
        Pixels around each image, before the zoom.
    zoom : int or None
        Each pixel becomes a square of this side. None: 2, or the least that makes the longer side
        of a small grid 256 pixels long.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ValueError
        If `images` is another array, or empty; if a number is too small; if the picture would have
        more than 134 million pixels.
    """
    from PIL import Image

    shape = images.shape
    images = images[..., None] if len(shape) == 3 and shape[2] > 4 else images  # (N, H, W, 1)
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in shape:
        one = "; of one image, give `image[None]`" if len(shape) in (2, 3) else ""
        expected = "uint8 (N, H, W, C) or (N, H, W)"
        raise ValueError(f"images: expected {expected}, got {images.dtype} {shape}{one}")
    for name, value, least in [("columns", columns, 1), ("margin", margin, 0), ("zoom", zoom, 1)]:
        if value is not None and value < least:
            raise ValueError(f"{name}: expected {least} or more, got {value}")
    if images.shape[3] not in (1, 3, 4):
        images = images.swapaxes(2, 3).reshape(*shape[:2], -1, 1)  # (N, H, C * W, 1)
    N, H, W, C = images.shape
    columns = columns or math.ceil(math.sqrt(N))
    rows = -(-N // columns)
    height, width = margin + rows * (H + margin), margin + columns * (W + margin)
    zoom = zoom or max(2, -(-SIDE // max(height, width)))
    if height * width * zoom**2 > MOST:
        pixels = f"{width * zoom} x {height * zoom} pixels for {N} images"
        raise ValueError(f"grid: expected {MOST} pixels or fewer, got {pixels}")
    grid = np.empty((height, width, C), np.uint8)
    grid[:] = (GREY, GREY, GREY, 255)[:C]  # the ground is not transparent
    for i, image in enumerate(images):
        top = margin + i // columns * (H + margin)
        left = margin + i % columns * (W + margin)
        grid[top : top + H, left : left + W] = image
    grid = grid.repeat(zoom, 0).repeat(zoom, 1)
    return Image.fromarray(grid[..., 0] if C == 1 else grid)


def save_image(image: "Image.Image", path: PathLike) -> None:
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
    from PIL import Image

    images = [Image.open(frame).convert("P") for frame in frames]
    each = max(int(1000 * seconds / len(images)), 40)
    times = [each] * (len(images) - 1) + [2000]
    options = dict(save_all=True, append_images=images[1:], duration=times, loop=0)
    write_atomically(path, lambda file: images[0].save(file, "GIF", **options))
