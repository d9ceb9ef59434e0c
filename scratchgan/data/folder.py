"""The user's own images: a folder of pictures of any kind and size, as one uint8 array."""

import errno
import hashlib
import json
import math
import os
import shutil
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ..files import PathLike, remove_leftovers, write_atomically
from .base import DataError, Dataset
from .meaning import as_labels
from .mnist import cache_dir
from .pictures import MAX_PIXELS, OTHER_SUFFIXES, SUFFIXES, decode, find_pictures

VERSION = 1  # of the cache: add one whenever `decode` changes a pixel
WORKERS = min(8, os.cpu_count() or 1)  # at most 8: each may hold a picture of 256 MB
AT_ONCE = 128  # files given to the threads at a time: bounds the images in memory
BAR_AFTER = 1.0  # seconds
DAY = 86_400.0  # seconds
WANTED = f"expected at least one image ({', '.join(SUFFIXES)} of at most {MAX_PIXELS} pixels)"
# Errors that say something about a file. Others are of the disk or the network, and may pass.
OF_FILES = None, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP


def load_folder(
    path: PathLike, size: int = 64, channels: int = 3, *,
    cache: PathLike | None = None, workers: int = WORKERS,
) -> Dataset:  # fmt: skip
    """Load the images of a folder and its subfolders as one array, which stays on the disk.

    PNG, JPEG, WebP, BMP, GIF and TIFF files are taken by their suffix, in the order of their
    relative paths. Hidden ones are skipped, links are followed, and each folder is entered once. A
    picture is turned as its EXIF data says, cut to the square in its middle, and resized.
    Transparent parts become white, because drawings without a background are mostly dark. 16-bit
    grey is scaled to 8 bits, colours become grey (ITU-R 601) where one channel is asked for, and an
    animation gives its first frame.

    Where every picture lies in one of two or more subfolders, as in ``root/cat/1.png``, the
    subfolders are classes. Their sorted names are numbered 0, 1, ...; deeper folders do not count.

    Files that are damaged, are no images, or have more than `MAX_PIXELS` pixels or 16 bits a colour
    are left out. A line on stderr names them, another one the pictures of other kinds.

    The first call decodes every file once and writes the array into the cache. Later calls only
    open it there. If a file was added, removed or changed, the array is made anew and replaced.

    Parameters
    ----------
    path : path-like
        The folder.
    size : int
        Height and width of the images.
    channels : {1, 3}
        Grey or RGB.
    cache : path-like, optional
        A folder for the array of ``N * size * size * channels`` bytes; `folders` in `cache_dir()`
        unless given. Its files may be deleted at any time.
    workers : int
        Threads that decode.

    Returns
    -------
    Dataset
        Read-only, memory-mapped images (N, size, size, channels), named after the folder. `labels`
        and the attribute `classes`, their names, are None where there are no classes. `digest` is
        made of the names and lengths of the files and the array's shape.

    Raises
    ------
    DataError
        If there is no such folder, no readable image in it, or no space for the cache.
    ValueError
        If a parameter is out of range.
    OSError
        If the cache cannot be written.
    """
    if size < 1 or channels not in (1, 3) or workers < 1:
        got = f"size {size}, channels {channels}, workers {workers}"
        raise ValueError(f"load_folder: expected size and workers >= 1, channels 1 or 3, got {got}")
    folder = Path(os.path.expanduser(path)).absolute()
    if folder.is_file():
        kind = "picture" if folder.suffix.lower() in SUFFIXES + OTHER_SUFFIXES else "file"
        cure = "put pictures into a folder, and name that"
        raise DataError(f"{path}: expected a folder of pictures, got a {kind}; {cure}")
    if not folder.is_dir():
        raise DataError(f"{path}: no such folder; expected a folder of images")
    names, others = find_pictures(folder)
    if not names:
        kinds = Counter(Path(name).suffix.lower() or "no suffix" for name in others)
        found = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(8))
        raise DataError(f"{folder}: {WANTED}; got none{found and '; other files: ' + found}")
    states = {name: _state(folder / name) for name in names}
    place = _hash(repr((os.path.realpath(folder), size, channels)))
    key = _hash(repr((VERSION, states)))
    caches = cache_dir() / "folders" if cache is None else Path(os.path.expanduser(cache))
    file = caches / f"{_hash(repr(place))}.u8"
    shape = (len(states), size, size, channels)
    try:
        images, bad = _read(file, key, shape)
    except (OSError, ValueError, EOFError, LookupError, TypeError):  # not there, old, or damaged
        try:
            _write(file, key, folder, names, shape, workers)
        except OSError as error:
            with suppress(OSError):
                file.unlink()
            cure = "choose a folder on another disk with XDG_CACHE_HOME or cache="
            # The cause, for a message of `write_atomically` says what had been kept until now.
            first = error.__cause__ if isinstance(error.__cause__, OSError) else error
            why = f"{first.strerror or first}; nothing of the decoded pictures is kept; {cure}"
            raise OSError(first.errno, why, error.filename or str(file)) from error
        images, bad = _read(file, key, shape)
    skipped = [name for name in others if name.lower().endswith(OTHER_SUFFIXES)]
    if skipped:
        said = f"skipped {len(skipped)} pictures of other kinds than {', '.join(SUFFIXES)}"
        print(f"scratchgan: {path}: {said}: {_some(skipped)}", file=sys.stderr)
    if bad:
        said = f"left out {len(bad)} of {len(states)} files"
        why = f"unreadable, or of more than {MAX_PIXELS} pixels or 16 bits a colour"
        print(f"scratchgan: {path}: {said}, {why}: {_some(bad)}", file=sys.stderr)
    for name in bad:
        del states[name]
    about = repr(images.shape) + "".join(f"{name}\0{state[0]}\0" for name, state in states.items())
    labels, classes = _classes(list(states), path)
    dataset = Dataset(images, labels, folder.name)
    dataset.digest, dataset.classes = _hash(about), classes
    return dataset


def _classes(names, path):
    """Return the labels of pictures by their outermost folders, and the names of these."""
    tops = [name.partition("/")[0] for name in names if "/" in name]
    numbers = {top: i for i, top in enumerate(sorted(set(tops)))}
    if len(numbers) < 2:
        return None, None
    if len(tops) < len(names):
        alone = [name for name in names if "/" not in name]
        said = f"no labels, for {len(alone)} pictures lie outside of the {len(numbers)} subfolders"
        print(f"scratchgan: {path}: {said}: {_some(alone)}", file=sys.stderr)
        return None, None
    return as_labels([numbers[top] for top in tops], len(names), path), list(numbers)


def _hash(text):
    """Return 16 hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _state(path):
    """Return a file's length and times, which change if it is rewritten or made readable."""
    try:
        state = path.stat()
    except OSError:  # a link to nothing
        return 0, 0, 0
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _read(file, key, shape):
    """Open the array in the cache, and read the names of the files that were left out of it."""
    about = json.loads(file.with_suffix(".json").read_text())
    bad = about["bad"]
    if about["key"] != key:
        raise ValueError(f"{file}: not the array of these pictures")
    return np.memmap(file, np.uint8, "r").reshape(shape[0] - len(bad), *shape[1:]), bad


def _write(file, key, folder, names, shape, workers):
    """Decode the pictures, in order, into a file of the cache."""
    file.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(file.parent, age=DAY)  # younger ones may be another process's work
    needed, free = math.prod(shape), shutil.disk_usage(file.parent).free
    if free < needed:
        cure = "choose a smaller `size=`, or a folder on another disk with XDG_CACHE_HOME or cache="
        lack = f"{folder} needs {needed:,} bytes, and {free:,} are free"
        raise DataError(f"{file.parent}: {lack}; {cure}")
    print(f"scratchgan: {folder}: decoding into {file}, {needed:,} bytes", file=sys.stderr)
    bad = []

    def load(name):
        try:
            return decode(folder / name, *shape[2:])
        except DataError as error:
            if getattr(error.__cause__, "errno", None) not in OF_FILES:
                raise
            return None

    def write(out):
        with (
            tqdm(total=len(names), unit="image", leave=False, delay=BAR_AFTER) as bar,
            ThreadPoolExecutor(workers) as pool, warnings.catch_warnings(),
        ):  # fmt: skip
            # Pillow warns about large and unusual files. Files that are left out are named anyway.
            warnings.simplefilter("ignore")
            for start in range(0, len(names), AT_ONCE):
                part = names[start : start + AT_ONCE]
                for name, image in zip(part, pool.map(load, part), strict=True):
                    if image is None:
                        bad.append(name)
                    else:
                        out.write(image)
                    bar.update()
        if len(bad) == len(names):
            raise DataError(f"{folder}: {WANTED}; got only unreadable files: {_some(bad)}")

    write_atomically(file, write)
    about = json.dumps({"key": key, "bad": bad}).encode()
    write_atomically(file.with_suffix(".json"), lambda out: out.write(about))


def _some(names):
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more
