"""Images from NumPy's .npy and .npz files, which are checked before use and never trusted."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

from ..files import PathLike
from .base import DataError, Dataset, open_data, read_payload
from .batches import to_uint8

HEADER_BYTES = 1 << 14  # longer than any header that NumPy agrees to parse
WANTED = "expected images (N, H, W) or (N, H, W, C) with C from 1 to 4"


def load_images(path: PathLike) -> Dataset:
    """Load images, and labels if there are any, from a `.npy` or `.npz` file.

    The first bytes decide which of the two it is. An `.npz` file gives the array `images`, or the
    only array other than `labels`. Nothing is ever unpickled.

    Parameters
    ----------
    path : path-like
        Images (N, H, W) or (N, H, W, C) with C from 1 to 4: uint8, or floats in [0, 1] or
        [-1, 1], which become uint8: ``round(255 x)`` where no value is negative, else
        ``round(127.5 (x + 1))``. Labels (N,): integers of 0 to 255.

    Returns
    -------
    Dataset
        Named after the file; `labels` is None where there are none.

    Raises
    ------
    DataError
        If the file is missing, damaged, larger than `MAX_BYTES`, or holds something else.
    """
    path = Path(path)
    with open_data(path, "a .npy or .npz file") as file:
        zipped = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")  # the second: an empty archive
        file.seek(0)
        images, labels = _read_npz(file, path) if zipped else (_read_npy(file, path), None)
    images = _to_images(images, path)
    if labels is not None:
        labels = _to_labels(labels, path, len(images))
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

        others = members.keys() - {"labels"}
        key = others.pop() if len(others) == 1 else "images"
        if key not in members:
            raise DataError(f"{path}: expected an array 'images', got {sorted(members)}")
        return read(key), read("labels") if "labels" in members else None


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
    if dtype.kind not in "uif" or not 1 <= len(shape) <= 4:
        raise DataError(f"{name}: expected numbers of 1 to 4 dimensions, got {got}")
    flat = read_payload(stream, name, shape, dtype, head.read())
    return flat.reshape(shape, order="F" if fortran else "C")


def _to_images(array, path):
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] > 4:
        raise DataError(f"{path}: {WANTED}, got shape {array.shape}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    low, high = array.min(), array.max()
    # A NaN fails this too.
    if array.dtype.kind != "f" or not -1 <= low <= high <= 1:
        got = f"{array.dtype} from {low} to {high}"
        raise DataError(f"{path}: expected uint8, or floats in [0, 1] or [-1, 1], got {got}")
    return np.ascontiguousarray(to_uint8(array if low < 0 else 2 * array - 1))


def _to_labels(array, path, count):
    low, high = array.min(), array.max()
    if array.shape != (count,) or array.dtype.kind not in "ui" or not 0 <= low <= high <= 255:
        got = f"{array.dtype} of shape {array.shape} from {low} to {high}"
        raise DataError(f"{path}: expected labels, {count} integers of 0 to 255, got {got}")
    return array.astype(np.uint8)
