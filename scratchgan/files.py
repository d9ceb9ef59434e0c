"""Files that are written whole or not at all."""

import os
import secrets
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

PathLike = str | os.PathLike[str]
ABOUT = "scratchgan"  # in a file's metadata, the key of the text about its arrays
CHECKSUM = "crc32"  # the name of one more array, the checksum


def write_atomically(path: PathLike, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under another name in the same folder, then rename it.

    Whoever reads ``path`` finds the old file or the new one, never a part, whenever the process
    or the machine stops.

    Parameters
    ----------
    path : path-like
        In a folder that exists; an existing file is replaced.
    write : callable, binary file -> None
        Writes the content.

    Raises
    ------
    OSError
        The file cannot be written (the disk is full, say). The message names it, gives the reason,
        and says what is there now.
    """
    path = Path(path)
    # Not tempfile: its files are for their owner only, and results may be shared. The name is cut,
    # because with the addition it might be too long.
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise  # about another file, which `write` reads
        kept = "the older file is kept as it was" if os.path.isfile(path) else "nothing was written"
        reason = error.strerror or error
        raise type(error)(f"{path}: cannot be written: {reason}; {kept}") from error
    finally:
        with suppress(OSError):  # where no file can be made, there is none to delete
            temporary.unlink()


def remove_leftovers(folder: PathLike, age: float = 0.0) -> None:
    """Delete half-written files of killed processes, if they are at least ``age`` seconds old."""
    for path in Path(folder).glob(".*." + "[0-9a-f]" * 8 + ".tmp"):
        if not age or time.time() - path.stat().st_mtime > age:
            path.unlink(missing_ok=True)


def write_arrays(path: PathLike, arrays: dict[str, np.ndarray], about: str) -> None:
    """Write NumPy arrays by name, and a text about them, as a safetensors file."""
    from safetensors.numpy import save  # only here: it is not needed before the first file

    arrays = arrays | {CHECKSUM: _checksum(arrays, about)}
    write_atomically(path, lambda file: file.write(save(arrays, {ABOUT: about})))


def read_arrays(path: PathLike) -> tuple[dict[str, np.ndarray], str | None]:
    """Read the arrays of a safetensors file by name, and the text about them.

    A file without such a text is from another program: it gives no arrays, and None.

    Raises
    ------
    OSError
        If the file is missing.
    ValueError
        If it is damaged: no safetensors file, or not the content that `write_arrays` wrote.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = (file.metadata() or {}).get(ABOUT)
            if about is None:
                return {}, None
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    checksum = arrays.pop(CHECKSUM, None)
    if checksum is not None and not np.array_equal(checksum, _checksum(arrays, about)):
        raise ValueError("the content differs from what was written: its checksum does not match")
    return arrays, about


def _checksum(arrays, about):
    """CRC-32 of the text, and of all names, shapes and numbers."""
    crc = zlib.crc32(about.encode())
    for name in sorted(arrays):
        a = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)  # as in the file
        crc = zlib.crc32(f"{name} {a.dtype.str} {a.shape}".encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(a), crc)
    return np.array([crc], np.uint32)
