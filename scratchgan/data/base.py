"""What every reader of this floor shares: its error, its result, and a bounded read."""

import math
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

MAX_BYTES = 4 << 30
_CHUNK = 1 << 20


class DataError(ValueError):
    """A data file that cannot be used; says which file, what was read and what was wanted."""


class Dataset(NamedTuple):
    """Images with their labels.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, H, W, C)
    labels : ndarray of uint8 or uint16, shape (N,), or None
        uint16 where there are more than 256 classes; None where the file held none.
    name : str
    digest : str, optional
        Identifies the images; None: their checksum does.
    """

    images: np.ndarray
    labels: np.ndarray | None
    name: str
    digest: str | None = None


def read_payload(
    stream: BinaryIO,
    name: str | Path,
    shape: tuple[int, ...],
    dtype: np.dtype | type,
    start: bytes = b"",
) -> np.ndarray:
    """Read the rest of a stream as exactly one array.

    Memory grows with the bytes that are really there, never with what a header claims, and a
    compressed stream is not inflated beyond one byte more than wanted.

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
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if min(shape, default=0) < 1 or wanted > MAX_BYTES:
        raise DataError(
            f"{name}: the header says shape {shape}; "
            f"wanted dimensions of at least 1 and at most {MAX_BYTES} bytes in all"
        )
    buffer = bytearray(start)
    while len(buffer) <= wanted:
        chunk = stream.read(min(_CHUNK, wanted + 1 - len(buffer)))
        if not chunk:
            break
        buffer += chunk
    if len(buffer) != wanted:
        read = "more" if len(buffer) > wanted else f"only {len(buffer)}"
        raise DataError(f"{name}: read {read}, wanted {wanted} bytes of data for shape {shape}")
    return np.frombuffer(buffer, dtype)
