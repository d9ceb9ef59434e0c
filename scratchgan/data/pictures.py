"""Picture files: find them in a folder, check their headers, decode them to square arrays."""

import os
from pathlib import Path

import numpy as np

from .base import DataError, open_data

MAX_PIXELS = 64_000_000
SUFFIXES = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
)  # fmt: skip
# Pictures that are not taken; whoever has them is told so.
OTHER_SUFFIXES = (
    ".arw", ".avif", ".cr2", ".dng", ".exr", ".hdr", ".heic", ".heif", ".ico", ".j2k", ".jp2",
    ".jxl", ".nef", ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".raw", ".svg", ".tga",
)  # fmt: skip
# Without this list Pillow tries every format it knows, down to PostScript, whatever the suffix is.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
# TIFF's tags: what 0 means, and the size of the tiles, each of which is decoded as a whole.
WHITE_IS_ZERO, TILE_WIDTH, TILE_LENGTH = 262, 322, 323


def find_pictures(folder: Path) -> tuple[list[str], list[str]]:
    """Find the images in a folder and its subfolders by their suffixes.

    Hidden files and folders are skipped. Links are followed, and each folder is entered once.

    Returns
    -------
    pictures, others : list of str
        Sorted paths relative to the folder, with "/" between the parts, of the files with one of
        `SUFFIXES`, and of the rest. A subfolder that cannot be listed counts as a picture, like
        a file that cannot be read.
    """
    entered, found, others = set(), list[str](), list[str]()

    def keep(error):
        found.append(error.filename or folder)

    for place, folders, files in os.walk(folder, onerror=keep, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:  # by a link
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in (name for name in files if name[0] != "."):
            kind = found if name.lower().endswith(SUFFIXES) else others
            kind.append(os.path.join(place, name))
    return _relative(found, folder), _relative(others, folder)


def _relative(paths, folder):
    return sorted(Path(path).relative_to(folder).as_posix() for path in paths)


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
        than `MAX_PIXELS` pixels, or its numbers have no fixed range.
    """
    from PIL import Image, ImageOps  # here, because most of the library does without

    with open_data(path, "an image") as file:
        start = file.read(30)
        _check_size(path, _webp_size(start))
        with Image.open(file, formats=FORMATS) as picture:
            tags = getattr(picture, "tag_v2", {})
            _check_size(path, picture.size)
            _check_size(path, (tags.get(TILE_WIDTH, 1), tags.get(TILE_LENGTH, 1)))
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
            square = picture.crop((left, top, left + side, top + side))
            square = _to_8_bits(square, start, inverted=tags.get(WHITE_IS_ZERO) == 0)
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


def _to_8_bits(picture, start, inverted):
    """Scale 16-bit grey to bytes, and a PNG file's transparent colour to the depth of its pixels.

    Pillow gives that colour in the bit depth of the file, but decodes all pixels to 8 bits. It
    inverts TIFF's greys itself, but for those of 16 bits.
    """
    from PIL import Image

    clear = picture.info.get("transparency")
    depth = start[24] if start[:4] == b"\x89PNG" else 8
    if picture.mode[0] in "FI":
        grey = np.asarray(picture).astype(np.int64)
        if picture.mode == "F" or not 0 <= grey.min() <= grey.max() < 1 << 16:
            raise ValueError(f"more than 16 bits a colour (mode {picture.mode})")
        shown = 65535 - grey if inverted else grey
        picture = Image.fromarray(((shown + 128) // 257).astype(np.uint8))
        if clear is not None:
            picture.putalpha(Image.fromarray(grey != clear).convert("L"))
    elif clear is not None and picture.mode == "RGB":
        picture.info["transparency"] = tuple(value >> depth - 8 for value in clear)
    elif clear is not None and picture.mode in ("1", "L"):
        picture.info["transparency"] = clear * 255 // (2**depth - 1)
    return picture
