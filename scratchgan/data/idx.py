"""The IDX files of MNIST: unsigned bytes in one to three dimensions, gzipped or not."""

import gzip
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..files import write_atomically
from .base import DataError, read_payload

_UNSIGNED_BYTE = 0x08


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : path-like
        The file; whether it is gzipped is decided by its first two bytes.

    Returns
    -------
    ndarray of uint8, 1 to 3 dimensions

    Raises
    ------
    DataError
        If the file is missing, damaged, of another type, or larger than `MAX_BYTES`.
    """
    # isfile first: opening a pipe would wait for ever.
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file; wanted an IDX file")
    try:
        with open(path, "rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return _parse(gzip.GzipFile(fileobj=file) if gzipped else file, os.fspath(path))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read, wanted an IDX file: {error}") from error


def _parse(stream: BinaryIO, name: str) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or not 1 <= magic[3] <= 3:
        raise DataError(
            f"{name}: begins with '{magic.hex()}'; wanted the magic number of an IDX file of "
            "unsigned bytes, '00000801' to '00000803'"
        )
    ndim = magic[3]
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataError(f"{name}: ends inside its header; wanted {ndim} dimensions")
    shape = struct.unpack(f">{ndim}I", sizes)
    return read_payload(stream, name, shape, np.uint8).reshape(shape)


def write_idx(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write a gzipped IDX file, whole or not at all.

    The same array always gives the same bytes.

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
    path = Path(path)
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 3 or array.size == 0:
        raise DataError(
            f"{path}: got {array.dtype} of shape {array.shape} to write; "
            "wanted uint8 with 1 to 3 dimensions, none of them empty"
        )
    header = struct.pack(f">4B{array.ndim}I", 0, 0, _UNSIGNED_BYTE, array.ndim, *array.shape)

    def write(file):
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            packed.write(header)
            packed.write(np.ascontiguousarray(array))

    write_atomically(path, write)
