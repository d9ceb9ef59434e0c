"""The networks of a run: the library's by name, your own from a Python file, or as objects.

``config.model`` says which:

    mlp                                      a name of `scratchgan.gan.model`
    my_networks.py:PAIR 0123456789abcdef     a file, of this checksum; the run's folder keeps a copy
    own networks 89abcdef                    objects, known by a checksum of their description

The copy of a file is code. It is run only if its user has named it before, on this machine: then
its checksum is in the cache.
"""

import hashlib
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data import cache_dir
from ..gan import Model, make_discriminator, model
from ..layers import Layer
from ..named import load_named, split_named
from .checkpoint import CheckpointError
from .folder import NETWORKS, saved_options

OF_A_FILE = re.compile(r"\.py(:|$)")  # what the user writes
COPIED = re.compile(r"(?P<file>[^/]+\.py):(?P<name>\w+) (?P<checksum>[0-9a-f]{16})")  # config's
OWN = "own networks"


class Networks(NamedTuple):
    """Networks, and how a run remembers them.

    Attributes
    ----------
    name : str
        The run's ``config.model``.
    pair : Model
    file : bytes or None
        The Python file that defines them.
    """

    name: str
    pair: Model
    file: bytes | None = None


def find_networks(wanted: Any) -> Networks:
    """Find the networks that a user names.

    Parameters
    ----------
    wanted : Model, Networks or str
        Networks; or a name that `scratchgan.gan.model` knows; or ``FILE.py:NAME``, whose file is
        run.

    Raises
    ------
    TypeError, ValueError
        There are no such networks, or the file holds none of this name.
    """
    if isinstance(wanted, Networks):
        return wanted
    if isinstance(wanted, Model):
        return Networks(_describe(wanted), _with_shape(wanted))
    if not isinstance(wanted, str):
        cure = "; write scratchgan.Model(generator, discriminator, z_dim=...)"
        got = f"{type(wanted).__name__}{cure if isinstance(wanted, tuple | list) else ''}"
        raise TypeError(f"model: expected a name or a Model, got {got}")
    if not OF_A_FILE.search(wanted):
        return Networks(wanted, model(wanted))
    path, name = split_named(wanted, "a Model")
    file = path.read_bytes()
    pair = _pair(wanted, file)
    _remember(file)
    return Networks(f"{path.name}:{name} {_checksum(file)[:16]}", _with_shape(pair), file)


def networks_for(wanted: Any, out: str | Path, resume: bool) -> Networks | None:
    """Find the networks for a training in a folder; see `find_networks` and `networks_of`.

    Parameters
    ----------
    wanted : Model, Networks, str or None
    out : path-like
    resume : bool
        A run in the folder goes on: its networks are wanted.

    Returns
    -------
    Networks, or None if none are wanted
    """
    saved = saved_options(out, resume).get("model")
    if saved:
        return networks_of(saved, out, None if wanted == saved else wanted)
    return None if wanted is None else find_networks(wanted)


def networks_of(saved: str, out: str | Path, given: Any = None) -> Networks:
    """Return the networks of a run that is in a folder already.

    Parameters
    ----------
    saved : str
        The run's ``config.model``.
    out : path-like
        The run's folder.
    given : Model, Networks or str, optional
        The networks as the user gives them again; see `find_networks`.

    Raises
    ------
    CheckpointError
        The networks given are not those of the run; or none are given, and the run's folder has
        none that may be used.
    """
    if given is not None:
        found = find_networks(given)
        # A file may have been renamed, and networks may be given as objects now, or were then.
        as_objects = isinstance(given, Model) and COPIED.fullmatch(saved)
        same = _without_file(found.name) == _without_file(saved)
        if not (same or as_objects or _describe(found.pair) == saved):
            cure = "give them as they were at the training"
            got = f"expected its networks, {saved!r}, got {found.name!r}"
            raise CheckpointError(f"{out}: {got}; {cure}")
        return found._replace(name=saved)
    if saved.startswith(OWN):
        cure = "give them again, as in scratchgan.load(folder, pair), or with `model=FILE.py:NAME`"
        raise CheckpointError(f"{out}: was trained with networks of your own; {cure}")
    copied = COPIED.fullmatch(saved)
    if copied:
        return _kept(Path(out) / NETWORKS, saved, **copied.groupdict())
    return Networks(saved, model(saved))


def _kept(path, saved, file, name, checksum):
    """Return the networks in a run's copy of a user's file."""
    cure = f"give the file as it was then with `model={file}:{name}`"
    if not path.is_file():
        raise CheckpointError(f"{path}: is gone, the copy of {file} with the networks; {cure}")
    code = path.read_bytes()
    if _checksum(code)[:16] != checksum:
        raise CheckpointError(f"{path}: was changed since the training; {cure}")
    if not _marker(code).exists():
        cure = f"read it, then name it with `model={path}:{name}`"
        raise CheckpointError(f"{path}: is code that was never used on this machine; {cure}")
    try:  # alone: what lies beside the copy has no checksum
        return Networks(saved, _with_shape(_pair(f"{path}:{name}", code, alone=True)), code)
    except ValueError as error:
        raise CheckpointError(f"{error}; {cure}") from error


def _without_file(name):
    """Return NAME and checksum of networks in a file: the file itself may have been renamed."""
    copied = COPIED.fullmatch(name)
    return copied.group("name", "checksum") if copied else name


def _pair(target, code, alone=False):
    pair = load_named(target, "a Model", lambda found: isinstance(found, Model), code, alone)
    if not isinstance(pair, Model):
        raise ValueError(f"{target}: expected a scratchgan.Model, got {pair!r}")
    return pair


def _checksum(file):
    return hashlib.sha256(file).hexdigest()


def _describe(pair):
    """Return the name of networks that are objects: their layers and weights' shapes, in short."""
    text = str(pair.z_dim)
    for net in (pair.generator(), make_discriminator(pair.discriminator)):
        if not isinstance(net, Layer):
            raise ValueError(f"Model: expected functions that return Layers, got {net!r}")
        shapes = {key: param.shape for key, param in net.params().items()}
        plain = bool | int | float | str
        constants = {
            f"{key}.{name}": value
            for key, layer in net.sublayers().items()
            for name, value in sorted(vars(layer).items())
            if isinstance(value, plain)
        }
        text += re.sub(r" at 0x\w+", "", repr(net)) + repr(shapes) + repr(constants)
    return f"{OWN} {zlib.crc32(text.encode()):08x}"


def _with_shape(pair):
    """Return a Model that knows its image_shape, if its generator runs: else `build` says why."""
    if pair.image_shape is None:
        with suppress(Exception):
            G = pair.generator().initialize(0)
            y, _ = G.forward(np.zeros((1, pair.z_dim), np.float32), train=False)
            return pair._replace(image_shape=y.shape[1:] if y.ndim == 4 else None)
    return pair


def _marker(file):
    return cache_dir() / "networks" / _checksum(file)


def _remember(file):
    """Note that the user has named this file: its copies in the folders of runs may be run."""
    with suppress(OSError):  # without a cache, the user names the file again
        _marker(file).parent.mkdir(parents=True, exist_ok=True)
        _marker(file).touch()
