"""Files that are written whole or not at all."""

import os
import secrets
from pathlib import Path

__all__ = ["remove_leftovers", "write_atomically"]


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
