"""All state of a run in one safetensors file; a run resumed from it goes on as if never stopped.

Arrays have the keys ``generator/…``, ``discriminator/…``, ``average/…``, ``g_optimiser/…``,
``d_optimiser/…``, ``batches/order`` and ``fixed_noise``. The rest (configuration, counters, the
state of every random generator) is JSON in the file's metadata. A checksum shows if a bit of the
file has changed. Nothing is ever unpickled.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from ..files import PathLike, read_arrays, write_arrays
from ..gan import Config, Trainer
from .monitor import DivergenceError

VERSION = 1  # of the file's format
CHECKPOINT = "checkpoint.safetensors"  # its name in the folder of a run
OPTIMISERS = ("g_optimiser", "d_optimiser")


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message names the file and what is wrong with it."""


def save_checkpoint(path: PathLike, trainer: Trainer, config: dict, fixed_noise: Any) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : path-like
    trainer : Trainer
    config : dict
        The options of the run; a resumed run must have the same.
    fixed_noise : float32 array (n, z_dim)

    Raises
    ------
    DivergenceError
        An array is not finite; the file is left as it was.
    """
    arrays, meta = _state(trainer)
    arrays["fixed_noise"] = fixed_noise
    bad = [key for key, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        raise DivergenceError(f"step {trainer.step_count}: {', '.join(bad)} not finite; not saved")
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    write_arrays(path, arrays, json.dumps(meta | {"version": VERSION, "config": config}))


def read_checkpoint(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the metadata of a checkpoint.

    Returns
    -------
    arrays : dict of NumPy arrays
    meta : dict

    Raises
    ------
    CheckpointError
        The file is missing, damaged, or no checkpoint of this library.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        arrays, about = read_arrays(path)
        meta: Any = about and json.loads(about)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, cannot be read: {error}") from error
    if about is None:
        raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of a run")
    version = meta.get("version") if isinstance(meta, dict) else None
    if version != VERSION:
        raise CheckpointError(f"{path}: expected format version {VERSION}, got {version}")
    if not isinstance(meta.get("config"), dict) or "fixed_noise" not in arrays:
        raise CheckpointError(f"{path}: damaged: the configuration or the fixed noise is missing")
    return arrays, meta


def load_checkpoint(path: str | Path, trainer: Trainer, config: dict[str, Any]) -> np.ndarray:
    """Bring a trainer of the same configuration to the state that a checkpoint holds.

    Parameters
    ----------
    path : path-like
    trainer : Trainer
    config : dict
        The options of this run.

    Returns
    -------
    fixed_noise : array (n, z_dim)

    Raises
    ------
    CheckpointError
        The file cannot be read, or is of a run with other options; the message names every
        option that differs. The trainer keeps its state then.
    """
    arrays, meta = read_checkpoint(path)
    # An option that is not in the file is newer than the saved run, which had its default's effect.
    saved = {f.name: f.default for f in fields(Config) if f.name != "data"} | meta["config"]
    names = [n for n in sorted(saved | config) if _told(n, saved.get(n)) != _told(n, config.get(n))]
    if names:
        differ = "; ".join(f"{n}: {saved.get(n)!r} saved, {config.get(n)!r} now" for n in names)
        raise CheckpointError(f"{path}: from a different run ({differ})")
    before = _state(trainer)
    try:
        restore(trainer, arrays, meta)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        restore(trainer, *before)
        raise CheckpointError(f"{path}: does not fit this run: {error}") from error
    return arrays["fixed_noise"]


def _told(name, value):
    """Return what identifies an option's value: of the data, shape and checksum, not the name."""
    return value[value.rfind(" (") + 1 :] if name == "data" and isinstance(value, str) else value


def _state(trainer):
    """Return all state of a trainer: its arrays, and what goes into the file's metadata."""
    arrays, meta = {}, {}
    for name, network in _networks(trainer).items():
        arrays |= {f"{name}/{key}": array for key, array in network.state_dict().items()}
    for name in OPTIMISERS:
        state = getattr(trainer, name).state_dict()
        meta[f"{name}/t"] = state.pop("t")
        arrays |= {f"{name}/{key}": array for key, array in state.items()}
    if trainer.average:
        meta["average/t"] = trainer.average.t
    batches = trainer.batches.state()
    arrays["batches/order"] = batches.pop("order")
    meta |= {"batches": batches, "step": trainer.step_count}
    meta["random"] = {name: rng.bit_generator.state for name, rng in _rngs(trainer).items()}
    return arrays, meta


def restore(trainer: Trainer, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Give a trainer all state that `save_checkpoint` took from another one."""
    for name, network in _networks(trainer).items():
        network.load_state_dict(below(name, arrays))
    for name in OPTIMISERS:
        getattr(trainer, name).load_state_dict({"t": meta[f"{name}/t"], **below(name, arrays)})
    if trainer.average:
        trainer.average.t = int(meta["average/t"])
    trainer.batches.restore({**meta["batches"], "order": arrays["batches/order"]})
    for name, rng in _rngs(trainer).items():
        rng.bit_generator.state = meta["random"][name]
    trainer.step_count = int(meta["step"])


def below(name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays whose keys start with ``name/``, by the rest of their keys."""
    prefix = f"{name}/"
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def _networks(trainer):
    networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    return networks | ({"average": trainer.average.mean} if trainer.average else {})


def _rngs(trainer):
    """Return the trainer's random generator and those of the layers that draw, by name."""
    found = {"trainer": trainer.rng}
    for name in ("generator", "discriminator"):
        rngs = getattr(trainer, name).rngs()
        found |= {f"{name}/{key}": rng for key, rng in rngs.items()}
    return found
