"""Objects of the user's own Python files, named on the command line as ``FILE.py:NAME``."""

import sys
import traceback
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType
from typing import Any


def split_named(target: str, kind: str) -> tuple[Path, str]:
    """Split ``FILE.py:NAME`` at the last colon; a folder's name may hold others (``C:/mine.py``).

    Parameters
    ----------
    target : str
    kind : str
        What NAME should be, for the messages: "a layer", say.

    Returns
    -------
    path : Path
        An existing file.
    name : str
        It is empty if ``target`` is the file alone.

    Raises
    ------
    ValueError
        There is no such file, or it is no Python file.
    """
    file, colon, name = target.rpartition(":")
    if not colon or Path(target).is_file():
        file, name = target, ""
    wanted = f"expected FILE.py:NAME, where NAME is {kind}, got {target!r}"
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file; {wanted}")
    if Path(file).suffix != ".py":
        raise ValueError(f"{file}: no Python file (.py); {wanted}")
    return Path(file), name


def load_named(
    target: str, kind: str, fits: Callable[[Any], bool] = callable, code: bytes | None = None,
    alone: bool = False,
) -> Any:  # fmt: skip
    """Run a Python file and return the object that ``FILE.py:NAME`` names.

    The file may import its neighbours: while it runs, its folder is on Python's path, so such
    imports must stand at the top of the file. Afterwards ``sys.path`` and ``sys.modules`` are as
    before, and another folder may have neighbours of the same names.

    Parameters
    ----------
    target : str
        ``FILE.py:NAME``; or several names, ``FILE.py:NAME,NAME``.
    kind : str
        What NAME should be, for the messages: "a layer", say.
    fits : callable, (object) -> bool
        Chooses the objects of the file that a message lists. It does not test the one returned.
    code : bytes, optional
        The content of the file, if it has been read: exactly this is run.
    alone : bool
        Whether the file may not import its neighbours.

    Returns
    -------
    object
        A tuple of objects for several names.

    Raises
    ------
    ValueError
        There is no such file or name, or the file does not run.
    """
    path, names = split_named(target, kind)
    found = _run(path.resolve(), target, code, alone)
    if not names:
        held = _held(found, "", fits)
        raise ValueError(f"{target}: expected FILE.py:NAME, where NAME is {kind}; {held}")
    for name in names.split(","):
        if name not in found:
            held = _held(found, name, fits)
            raise ValueError(f"{target}: the file has no {name!r}; {held}")
    objects = tuple(found[name] for name in names.split(","))
    return objects if len(objects) > 1 else objects[0]


def _held(found, name, fits):
    """Return a sentence with the names that a file defines itself, nearest to ``name`` first."""
    own = [
        key
        for key, value in found.items()
        if key[0] != "_" and not isinstance(value, ModuleType) and fits(value)
        # A class or function that the file only imports is not its own.
        if not hasattr(value, "__name__") or value.__module__ == found["__name__"]
    ]
    own.sort(key=lambda key: SequenceMatcher(None, name.lower(), key.lower()).ratio(), reverse=True)
    return f"it holds {', '.join(own[:10])}" if own else "it holds none"


def _run(path, target, code, alone):
    """Run a file as a module; return its names and their values."""
    # A dataclass looks its module up in sys.modules. The path as the module's name shadows nothing.
    module = ModuleType(str(path))
    module.__file__ = str(path)
    known, search = set(sys.modules), list(sys.path)
    sys.modules[str(path)] = module
    if not alone:
        sys.path.insert(0, str(path.parent))
    try:
        code = path.read_bytes() if code is None else code
        exec(compile(code, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:  # whatever is in the user's file
        message = error.msg if isinstance(error, SyntaxError) else error
        said = " ".join(f"{type(error).__name__}: {message}".split())
        raise ValueError(f"{target}: {said}{_place(error, path.parent)}") from error
    finally:
        sys.path[:] = search
        del sys.modules[str(path)]
        new = set(sys.modules) - known
        neighbours = {name for name in new if "." not in name and _lies_in(path.parent, name)}
        for name in new:
            if name.partition(".")[0] in neighbours:
                del sys.modules[name]
    return vars(module)


def _lies_in(folder, name):
    """Return True if a module is a file, or a package, right in a folder."""
    module = sys.modules[name]
    place = [*getattr(module, "__path__", ()), getattr(module, "__file__", None)][0]
    return place is not None and Path(place).resolve().parent == folder


def _place(error, folder):
    """Return the line of code in the user's folder where an error arose, in brackets."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [(f.filename, f.lineno) for f in frames if Path(f.filename).parent == folder]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno))
    return f" ({lines[-1][0]}, line {lines[-1][1]})" if lines else ""
