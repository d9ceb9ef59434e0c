"""Images from NumPy's own files, .npy and .npz, without trusting a byte of them."""

import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .base import DataError, Dataset, read_payload
from .batches import to_uint8

# Longer than any header that NumPy agrees to parse.
_HEADER_BYTES = 1 << 14


def load_images(path: str | os.PathLike) -> Dataset:
    """Load images, and labels if there are any, from a `.npy` or `.npz` file.

    Which of the two it is, is decided by the first bytes. Of an `.npz` the array `images` is
    taken, or the only one besides `labels`. Nothing is ever unpickled.

    Parameters
    ----------
    path : path-like
        Images (N, H, W) or (N, H, W, C) with C from 1 to 4: uint8, or floats of [0, 1] or
        [-1, 1], which become uint8: as ``round(255 x)`` where no value is negative, else as
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
    # isfile first: opening a pipe would wait for ever.
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file; wanted a .npy or .npz file")
    try:
        with open(path, "rb") as file:
            zipped = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")  # the latter: of nothing
            file.seek(0)
            images, labels = _read_npz(file, path) if zipped else (_read_npy(file, path), None)
    except DataError:
        raise
    # zipfile answers a damaged archive with anything from struct.error to NotImplementedError.
    except Exception as error:
        raise DataError(f"{path}: cannot be read, wanted a .npy or .npz file: {error}") from error
    images = _to_images(images, path)
    if labels is not None:
        labels = _to_labels(labels, path, len(images))
    return Dataset(images, labels, path.stem)


def _read_npz(file: BinaryIO, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    with zipfile.ZipFile(file) as archive:
        members = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }

        def read(key: str) -> np.ndarray:
            # zipfile inflates the other methods without a bound, and NumPy writes none of them.
            if members[key].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{path}[{key}]: wanted a zip member that is stored or deflated")
            with archive.open(members[key]) as stream:
                return _read_npy(stream, f"{path}[{key}]")

        others = members.keys() - {"labels"}
        key = others.pop() if len(others) == 1 else "images"
        if key not in members:
            raise DataError(f"{path}: holds the arrays {sorted(members)}; wanted one 'images'")
        return read(key), read("labels") if "labels" in members else None


def _read_npy(stream: BinaryIO, name: str | Path) -> np.ndarray:
    start = stream.read(_HEADER_BYTES)
    # NumPy gets a copy in memory: from a file it would read as much as the header's length says.
    head = BytesIO(start)
    try:
        version = np.lib.format.read_magic(head)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(head)
        # In here, because Python refuses to print an integer of thousands of digits.
        said = f"{dtype} of shape {shape}"
    # The header is a Python literal: a damaged one can end in almost any exception.
    except Exception as error:
        raise DataError(f"{name}: wanted the header of a .npy array: {error!r}") from error
    if dtype.hasobject:
        raise DataError(f"{name}: holds Python objects, which only pickle reads; wanted numbers")
    if dtype.kind not in "uif" or not 1 <= len(shape) <= 4:
        raise DataError(f"{name}: holds {said}; wanted numbers of 1 to 4 dimensions")
    flat = read_payload(stream, name, shape, dtype, head.read())
    return flat.reshape(shape, order="F" if fortran else "C")


def _to_images(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] > 4:
        raise DataError(
            f"{path}: holds shape {array.shape}; "
            "wanted images (N, H, W) or (N, H, W, C) with C from 1 to 4"
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    low, high = array.min(), array.max()
    # A NaN fails this too.
    if array.dtype.kind != "f" or not -1 <= low <= high <= 1:
        raise DataError(
            f"{path}: holds {array.dtype} from {low} to {high}; "
            "wanted uint8, or floats of [0, 1] or [-1, 1]"
        )
    return np.ascontiguousarray(to_uint8(array if low < 0 else 2 * array - 1))


def _to_labels(array: np.ndarray, path: Path, count: int) -> np.ndarray:
    if (
        array.shape != (count,)
        or array.dtype.kind not in "ui"
        or not 0 <= array.min() <= array.max() <= 255
    ):
        raise DataError(
            f"{path}: holds labels of {array.dtype}, shape {array.shape} from {array.min()} to "
            f"{array.max()}; wanted {count} integers of 0 to 255"
        )
    return array.astype(np.uint8)
