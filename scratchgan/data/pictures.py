"""Picture files: find them in a folder, check their headers, decode them to square arrays."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from .base import DataError, open_data

MAX_PIXELS = 64_000_000
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
# Without this list Pillow tries every format it knows, down to PostScript, whatever the suffix is.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")


def find_pictures(folder: Path) -> list[str]:
    """Find the images in a folder and its subfolders by their suffixes.

    Hidden files and folders are skipped. Links are followed, and each folder is entered once.

    Returns
    -------
    list of str
        Sorted paths relative to the folder, with "/" between the parts. A subfolder that cannot
        be listed is included, like a file that cannot be read.
    """
    entered, found = set(), []

    def keep(error):
        found.append(error.filename or folder)

    for place, folders, files in os.walk(folder, onerror=keep, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:  # by a link
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        files = [name for name in files if name.lower().endswith(SUFFIXES) and name[0] != "."]
        found += [os.path.join(place, name) for name in files]
    return sorted(Path(path).relative_to(folder).as_posix() for path in found)


def decode(path: Path, size: int, channels: int) -> np.ndarray:
    """Read a picture upright, cut it to the square in its middle, and resize it.

    Parameters
    ----------
    path : Path
    size : int
        Height and width of the result.
    channels : {1, 3}
        Grey or RGB.

    Returns
    -------
    ndarray of uint8, shape (size, size, channels)

    Raises
    ------
    DataError
        If there is no such file, or it is damaged or none of `FORMATS`, or its header says more
        than `MAX_PIXELS` pixels.
    """
    with open_data(path, "an image") as file:
        start = file.read(30)
        _check_size(path, _webp_size(start))
        with Image.open(file, formats=FORMATS) as picture:
            _check_size(path, picture.size)
            # A JPEG file is then decoded at a fraction of its size, still twice what is needed.
            picture.draft(None, (2 * size, 2 * size))
            picture.load()
            try:
                ImageOps.exif_transpose(picture, in_place=True)
            except MemoryError:
                raise
            except Exception:  # damaged EXIF data: the pixels stay as they are
                pass
        width, height = picture.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        # Not ImageOps.fit: it cuts between pixels, and mixes in pixels from outside the square.
        square = _to_8_bits(picture.crop((left, top, left + side, top + side)), start)
        mode = "RGB" if channels == 3 else "L"
        transparent = square.mode in ("LA", "PA", "RGBA") or "transparency" in square.info
        # Pillow weighs the colours of RGBA with their alpha when it resizes.
        square = square.convert("RGBA" if transparent else mode)
        square = square.resize((size, size), Image.Resampling.LANCZOS)
        if transparent:
            white = Image.new("RGBA", square.size, "white")
            square = Image.alpha_composite(white, square).convert(mode)
        return np.array(square).reshape(size, size, channels)


def _check_size(path, size):
    if not 1 <= size[0] * size[1] <= MAX_PIXELS:
        raise DataError(f"{path}: expected at most {MAX_PIXELS} pixels, the header says {size}")


def _webp_size(start):
    """Width and height of a WebP file, from its first 30 bytes; (1, 1) for any other file.

    Pillow allocates the pixels of a WebP file as soon as it opens it.
    """

    def number(i, j):
        return int.from_bytes(start[i:j], "little")

    bits = number(21, 25)
    return {
        b"WEBPVP8X": (number(24, 27) + 1, number(27, 30) + 1),
        b"WEBPVP8L": ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1),
        b"WEBPVP8 ": (number(26, 28) & 0x3FFF, number(28, 30) & 0x3FFF),
    }.get(start[8:16], (1, 1))


def _to_8_bits(picture, start):
    """Scale 16-bit grey to bytes, and a PNG file's transparent colour to the depth of its pixels.

    Pillow gives that colour in the bit depth of the file, but decodes all pixels to 8 bits.
    """
    clear = picture.info.get("transparency")
    if picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.uint32)
        picture = Image.fromarray(((grey + 128) // 257).astype(np.uint8))
        if clear is not None:
            picture.putalpha(Image.fromarray(grey != clear).convert("L"))
    elif clear is not None and picture.mode == "RGB":
        picture.info["transparency"] = tuple(value >> start[24] - 8 for value in clear)
    elif clear is not None and picture.mode in ("1", "L"):
        picture.info["transparency"] = clear * 255 // (2 ** start[24] - 1)
    return picture
