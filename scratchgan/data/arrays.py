"""Images from NumPy's .npy and .npz files, which are checked before use and never trusted."""

import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..files import PathLike
from .base import DataError, Dataset, open_data, read_payload
from .folder import load_folder
from .meaning import as_images, as_labels

HEADER_BYTES = 1 << 14  # longer than any header that NumPy agrees to parse
# What others call images and their labels; of a file with a test set beside, the training set.
PAIRS = {
    "images": {"labels"}, "train_images": {"train_labels"}, "x_train": {"y_train"},
    "X_train": {"y_train"}, "x": {"y"}, "X": {"y"}, "data": {"labels", "target"},
}  # fmt: skip
LABELS = set.union(*PAIRS.values(), {"arr_1", "label", "targets"})


def as_dataset(
    images: Any, labels: Any = None, name: str = "array", *,
    size: int | None = None, channels: int | None = None,
) -> Dataset:  # fmt: skip
    """Return a checked data set, whatever holds the images: an array, a file, a folder.

    Parameters
    ----------
    images : array-like, path-like, Dataset or tuple
        An array as `as_images` takes it; the path of a folder, for `load_folder`, or of a file,
        for `load_images`; a tuple (images, labels) or (images, labels, name), as a `Dataset` is; a
        tuple of such pairs, of which the first, the training set, is taken; or a dict of arrays
        with the names of an `.npz` file's.
    labels : array-like, optional
        As `as_labels` takes them; they replace those of the file, folder or tuple.
    name : str
        Names an array in files and messages. A path or a tuple brings its own.
    size, channels : int, optional
        Those of the images. A folder's pictures are made so, 64 and 3 unless given; others must
        be so already.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the images or labels have no clear meaning, or are of another size.
    """
    where = "images"
    if isinstance(images, tuple) and images and all(map(_is_pair, images)):
        images = images[0]
    from_files = isinstance(images, str | os.PathLike)
    if from_files:
        where = Path(os.path.expanduser(images))
        if where.suffix.lower() in (".npy", ".npz"):
            data = load_images(where)
        else:
            side, C = 64 if size is None else size, 3 if channels is None else channels
            data = load_folder(where, side, C)
    elif isinstance(images, Dataset):
        data = images
    elif isinstance(images, tuple) and len(images) in (2, 3):
        data = Dataset(*(*images, name)[:3])
    elif isinstance(images, Mapping):
        pixels, numbers = _choose(images.keys(), where)
        data = Dataset(images[pixels], images.get(numbers), name)
    else:
        data = Dataset(images, None, name)
    pixels = as_images(data.images, where, dark=from_files)
    H, W, C = shape = pixels.shape[1:]
    wanted = size or H, size or W, channels or C
    if shape != wanted:
        raise DataError(f"{where}: expected images of shape {wanted}, got {shape}")
    labels, classes = (data.labels, data.classes) if labels is None else (labels, None)
    if labels is not None:
        labels = as_labels(labels, len(pixels), "labels")
    checked = Dataset(pixels, labels, data.name)
    checked.digest, checked.classes = data.digest, classes
    return checked


def _is_pair(value):
    """Return whether a value is (images, labels): Keras returns two of them, others three."""
    return isinstance(value, tuple) and len(value) == 2 and getattr(value[0], "ndim", 0) > 1


def load_images(path: PathLike) -> Dataset:
    """Load images, and labels if there are any, from a `.npy` or `.npz` file.

    The first bytes decide which of the two it is. An `.npz` file gives the array `images`, or
    `train_images`, `x_train`, `X_train`, `x`, `X` or `data`, or the only array that has no name
    of labels, which are `labels`, `train_labels`, `y_train`, `y` and `target`. Where several could
    be meant, the error lists them. Nothing is ever unpickled.

    Parameters
    ----------
    path : path-like
        Images as `as_images` takes them, and labels as `as_labels` does.

    Returns
    -------
    Dataset
        Named after the file; `labels` is None where there are none.

    Raises
    ------
    DataError
        If the file is missing, damaged, larger than `MAX_BYTES`, or holds something else.
    """
    path = Path(os.path.expanduser(path))
    with open_data(path, "a .npy or .npz file") as file:
        zipped = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")  # the second: an empty archive
        file.seek(0)
        images, labels = _read_npz(file, path) if zipped else (_read_npy(file, path), None)
    images = as_images(images, path)
    if labels is not None:
        labels = as_labels(labels, len(images), path)
    return Dataset(images, labels, path.stem)


def _read_npz(file, path):
    with zipfile.ZipFile(file) as archive:
        infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        members = {info.filename.removesuffix(".npy"): info for info in infos}

        def read(key):
            # zipfile inflates the other methods without a bound, and NumPy writes none of them.
            if members[key].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{path}[{key}]: expected a zip member that is stored or deflated")
            with archive.open(members[key]) as stream:
                return _read_npy(stream, f"{path}[{key}]")

        images, labels = _choose(members.keys(), path)
        return read(images), read(labels) if labels else None


def _choose(names, where):
    """Return the names of the images and of their labels, or None, among those of arrays."""
    others = names - LABELS
    images = others if len(others) == 1 else {"images"} & names or PAIRS.keys() & names
    labels = PAIRS.get(min(images, default=""), set()) & names or LABELS & names
    if len(images) != 1 or len(labels) > 1:
        cure = "labels may be called 'labels'"
        raise DataError(f"{where}: expected an array 'images', got {sorted(names)}; {cure}")
    return *images, *(labels or [None])


def _read_npy(stream, name):
    # NumPy gets a copy in memory: from a file it would read as much as the header's length says.
    head = BytesIO(stream.read(HEADER_BYTES))
    try:
        version = np.lib.format.read_magic(head)
        parse = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")
        shape, fortran, dtype = parse(head)
        got = f"{dtype} of shape {shape}"  # inside try: Python cannot print 5,000 digits
    # The header is a Python literal: a damaged one can end in almost any exception.
    except Exception as error:
        raise DataError(f"{name}: expected the header of a .npy array: {error!r}") from error
    if dtype.hasobject:
        raise DataError(f"{name}: expected numbers, got Python objects, which only pickle reads")
    if dtype.kind not in "buif" or not 1 <= len(shape) <= 4:
        raise DataError(f"{name}: expected numbers of 1 to 4 dimensions, got {got}")
    flat = read_payload(stream, name, shape, dtype, head.read())
    return flat.reshape(shape, order="F" if fortran else "C")
