"""Picture files: found in a folder, checked by their headers, decoded to squares of bytes."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from .base import DataError

MAX_PIXELS = 64_000_000
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
# Named, because Pillow would try all it knows, down to PostScript, whatever the suffix is.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def find_pictures(folder: Path) -> tuple[list[str], list[str]]:
    """List the images in a folder, and the folders in it that cannot be listed."""
    entered, files, errors = set(), [], []
    for place, folders, names in os.walk(folder, onerror=errors.append, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [
            os.path.join(place, name)
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    bad = [error.filename or folder for error in errors]
    relative = ([Path(p).relative_to(folder).as_posix() for p in part] for part in (files, bad))
    return tuple(sorted(part) for part in relative)


def lengths_of(paths: list[Path], workers: int) -> list[int | None]:
    """Give the lengths of files in bytes; None for one that is no image or too big a one."""

    def check(part: list[Path]) -> list[int | None]:
        lengths = []
        for path in part:
            try:
                with _open(path):
                    lengths.append(os.path.getsize(path))
            # A damaged file can end in almost any exception.
            except Exception:
                lengths.append(None)
        return lengths

    lengths = []
    parts = [paths[k : k + 32] for k in range(0, len(paths), 32)]
    pool = ThreadPoolExecutor(workers)
    try:
        with (
            warnings.catch_warnings(),
            tqdm(
                total=len(paths), desc="images", unit="file", leave=False,
                disable=len(paths) <= 1000,
            ) as bar,
        ):  # fmt: skip
            # Pillow warns of big and of odd files; what matters of that is said by name.
            warnings.simplefilter("ignore")
            for part in pool.map(check, parts):
                lengths += part
                bar.update(len(part))
    finally:
        pool.shutdown(cancel_futures=True)
    return lengths


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    # isfile first: opening a pipe would wait for ever.
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file; wanted an image")
    with open(path, "rb") as file:
        _check_size(path, _webp_size(file.read(30)))
        with Image.open(file, formats=_FORMATS) as picture:
            _check_size(path, picture.size)
            yield picture


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if not 1 <= size[0] * size[1] <= MAX_PIXELS:
        raise DataError(f"{path}: the header says {size}; wanted at most {MAX_PIXELS} pixels")


def _webp_size(start: bytes) -> tuple[int, int]:
    """Read the size of a WebP file, for whose pixels Pillow makes room when it opens it."""
    kind = start[12:16] if start[:4] + start[8:12] == b"RIFFWEBP" and len(start) == 30 else None
    if kind == b"VP8X":
        return tuple(int.from_bytes(start[k : k + 3], "little") + 1 for k in (24, 27))
    if kind == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return tuple(int.from_bytes(start[k : k + 2], "little") & 0x3FFF for k in (26, 28))
    return 1, 1


def decode(path: Path, size: int, channels: int) -> np.ndarray:
    """Read a picture upright, cut to the square in its middle and resized: uint8 (size, size, C).

    Any exception can come of a damaged file.
    """
    with _open(path) as picture:
        # A JPEG file is then decoded in a fraction of its size, still twice what is wanted.
        picture.draft(None, (2 * size, 2 * size))
        picture.load()
        picture = _upright(picture)
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    picture = picture.crop((left, top, left + side, top + side))
    if picture.mode.startswith("I"):
        grey = (np.asarray(picture).astype(np.uint32) + 128) // 257
        picture = Image.fromarray(grey.astype(np.uint8))
    mode = "RGB" if channels == 3 else "L"
    transparent = picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
    picture = picture.convert("RGBA" if transparent else mode)
    # Of RGBA Pillow weighs the colours with their alpha.
    picture = picture.resize((size, size), Image.Resampling.LANCZOS)
    if transparent:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert(mode)
    return np.array(picture).reshape(size, size, channels)


def _upright(picture: Image.Image) -> Image.Image:
    try:
        method = _UPRIGHT.get(picture.getexif().get(_ORIENTATION))
    # Damaged EXIF data leave the pixels as they are.
    except Exception:
        method = None
    return picture if method is None else picture.transpose(method)
