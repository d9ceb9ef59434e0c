"""Shared parts of the data readers: an error, a result, and a bounded read."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ..files import PathLike

MAX_BYTES = 4 << 30
CHUNK = 1 << 20


class DataError(ValueError):
    """A data file cannot be used; the message says which, what it holds and what was expected."""


class _Images(NamedTuple):
    images: np.ndarray
    labels: np.ndarray | None
    name: str


class Dataset(_Images):
    """Images, labels and a name, as a tuple; more about them in attributes.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, H, W, C)
    labels : ndarray of uint8 or uint16, shape (N,), or None
        uint16 where there are more than 256 classes; None where the file holds no labels.
    name : str
    digest : str or None
        Fingerprint of a folder's files. None: the arrays themselves identify the data. It is not
        part of the tuple.
    classes : list of str or None
        The names of the labels 0, 1, ...; None where they have none. Not part of the tuple.
    """

    digest: str | None = None
    classes: list[str] | None = None


@contextmanager
def open_data(path: PathLike, kind: str) -> Iterator[BinaryIO]:
    """Open a file for reading; any error in the with-block becomes a DataError.

    A MemoryError is raised as it is, since it says nothing about the file.

    Parameters
    ----------
    path : path-like
    kind : str
        The expected kind of file, for errors.
    """
    path = os.path.expanduser(path)
    # isfile first: opening a pipe would wait for ever.
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file; expected {kind}")
    try:
        with open(path, "rb") as file:
            yield file
    except (DataError, MemoryError):
        raise
    # For a damaged file, readers raise anything from struct.error to NotImplementedError.
    except Exception as error:
        raise DataError(f"{path}: expected {kind}, cannot be read: {error}") from error


def read_payload(
    stream: BinaryIO, name: str | Path, shape: tuple[int, ...], dtype: type, start: bytes = b""
) -> np.ndarray:
    """Read the rest of a stream as exactly one array.

    Memory grows with the bytes that are really there, never with what a header claims, and a
    compressed stream is inflated by at most one byte more than expected.

    Parameters
    ----------
    stream : binary file
        Positioned inside or before the array's bytes.
    name : str or Path
        The file's name, for errors.
    shape : tuple of int
        The shape that the header claims.
    dtype : dtype
        The type of the elements; one of fixed size and without objects.
    start : bytes, optional
        The bytes of the array that were read from `stream` already.

    Returns
    -------
    ndarray of `dtype`, shape (prod(shape),)
        Flat and writable.

    Raises
    ------
    DataError
        If a dimension is not positive, or more than `MAX_BYTES` are claimed, or fewer or more
        bytes are there than claimed.
    """
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if min(shape, default=0) < 1 or expected > MAX_BYTES:
        limits = f"dimensions of at least 1 and at most {MAX_BYTES} bytes in all"
        raise DataError(f"{name}: expected {limits}, the header says shape {shape}")
    buffer = bytearray(start)
    while len(buffer) <= expected:
        chunk = stream.read(min(CHUNK, expected + 1 - len(buffer)))
        if not chunk:
            break
        buffer += chunk
    if len(buffer) != expected:
        got = "more" if len(buffer) > expected else f"only {len(buffer)}"
        raise DataError(f"{name}: expected {expected} bytes of data for shape {shape}, got {got}")
    return np.frombuffer(buffer, dtype)
