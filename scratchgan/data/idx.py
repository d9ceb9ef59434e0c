"""The IDX files of MNIST: unsigned bytes in one to three dimensions, gzipped or not."""

import gzip
import os
import struct

import numpy as np

from ..files import PathLike, write_atomically
from .base import DataError, open_data, read_payload

UNSIGNED_BYTE = 0x08


def read_idx(path: PathLike) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : path-like
        The file. Its first two bytes tell whether it is gzipped.

    Returns
    -------
    ndarray of uint8, 1 to 3 dimensions

    Raises
    ------
    DataError
        If the file is missing, damaged, of another type, or larger than `MAX_BYTES`.
    """
    with open_data(path, "an IDX file") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        return _parse(gzip.GzipFile(fileobj=file) if gzipped else file, path)


def _parse(stream, path):
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or not 1 <= magic[3] <= 3:
        expected = "the magic number of an IDX file of unsigned bytes, '00000801' to '00000803'"
        raise DataError(f"{path}: expected {expected}, got '{magic.hex()}'")
    ndim = magic[3]
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataError(f"{path}: expected {ndim} dimensions, the file ends inside its header")
    shape = struct.unpack(f">{ndim}I", sizes)
    return read_payload(stream, os.fspath(path), shape, np.uint8).reshape(shape)


def write_idx(path: PathLike, array: np.ndarray) -> None:
    """Write a gzipped IDX file, whole or not at all.

    Equal arrays give equal bytes.

    Parameters
    ----------
    path : path-like
        The file, in a folder that exists; an existing file is replaced.
    array : ndarray of uint8, 1 to 3 dimensions, none of them empty

    Raises
    ------
    DataError
        If the array is not one that an IDX file can hold.
    OSError
        If the file cannot be written.
    """
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 3 or array.size == 0:
        expected = "a uint8 array of 1 to 3 dimensions, none of them empty"
        raise DataError(f"{path}: expected {expected}, got {array.dtype} of shape {array.shape}")
    header = struct.pack(f">4B{array.ndim}I", 0, 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    content = gzip.compress(header + array.tobytes(), compresslevel=6, mtime=0)
    write_atomically(path, lambda file: file.write(content))
