"""Files that are written whole or not at all."""

import os
import secrets
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import save

__all__ = ["read_arrays", "remove_leftovers", "write_arrays", "write_atomically"]

ABOUT = "scratchgan"  # under which a file's metadata have the text that we put there


def write_atomically(path, write):
    """Write a file under another name in the same folder, then rename it.

    Whoever reads ``path`` finds the old file or the new one, never a part, whenever the process
    or the machine stops.

    Parameters
    ----------
    path : path-like
        In a folder that exists; an existing file is replaced.
    write : callable, binary file -> None
        Writes the content.
    """
    path = Path(path)
    # Not tempfile: its files are for their owner only, and results may be shared.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder):
    """Delete what `write_atomically` left half-written when its process was killed."""
    for path in Path(folder).glob(".*." + "[0-9a-f]" * 8 + ".tmp"):
        path.unlink(missing_ok=True)


def write_arrays(path, arrays, about):
    """Write NumPy arrays by name, and a text about them, as a safetensors file."""
    data = save(arrays, {ABOUT: about})
    write_atomically(path, lambda file: file.write(data))


def read_arrays(path):
    """The arrays of a safetensors file, by name, and the text about them; None if it has none.

    Raises
    ------
    OSError, SafetensorError
        The file is missing or damaged.
    """
    with safe_open(path, framework="numpy") as file:
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return arrays, (file.metadata() or {}).get(ABOUT)
