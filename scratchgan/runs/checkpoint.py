"""Everything a run is made of in one safetensors file, so that it goes on as if never stopped.

Arrays are stored under ``generator/…``, ``discriminator/…``, ``average/…``, ``g_optimiser/…``,
``d_optimiser/…``, ``batches/order`` and ``fixed_noise``; the rest (configuration, counters, the
state of every random generator) as JSON in the file's metadata. A checksum tells whether a bit of
it has changed. Nothing is ever unpickled.
"""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from ..files import read_arrays, write_arrays
from ..gan.config import Config
from .monitor import DivergenceError

__all__ = [
    "CheckpointError",
    "below",
    "load_checkpoint",
    "read_checkpoint",
    "restore",
    "save_checkpoint",
]

VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and what is wrong with it."""


def save_checkpoint(path, trainer, config, fixed_noise):
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : path-like
    trainer : Trainer
    config : dict
        What makes this run this run; a resumed run must have the same.
    fixed_noise : float32 array (n, z_dim)

    Raises
    ------
    DivergenceError
        An array is not finite; the file is left as it was.
    """
    arrays, meta = _state_of(trainer)
    arrays["fixed_noise"] = fixed_noise
    bad = [key for key, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        raise DivergenceError(f"step {trainer.step_count}: {', '.join(bad)} not finite; not saved")
    meta |= {"version": VERSION, "config": config}
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    write_arrays(path, arrays, json.dumps(meta))


def _state_of(trainer):
    """All that a trainer needs to go on: arrays, and what goes into the file's metadata."""
    arrays, meta = {}, {}
    for name, network in _networks(trainer).items():
        arrays |= {f"{name}/{key}": array for key, array in network.state_dict().items()}
    for name, optimiser in _optimisers(trainer).items():
        state = optimiser.state_dict()
        meta[f"{name}/t"] = state.pop("t")
        arrays |= {f"{name}/{key}": array for key, array in state.items()}
    if trainer.average:
        meta["average/t"] = trainer.average.t
    batches = trainer.batches.state()
    arrays["batches/order"] = batches.pop("order")
    meta |= {"batches": batches, "step": trainer.step_count}
    meta["random"] = {name: rng.bit_generator.state for name, rng in _generators(trainer).items()}
    return arrays, meta


def read_checkpoint(path):
    """The arrays and the metadata of a checkpoint.

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
        meta = about and json.loads(about)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, cannot be read: {error}") from error
    if about is None:
        raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of a run")
    version = meta.get("version") if isinstance(meta, dict) else None
    if version != VERSION:
        raise CheckpointError(f"{path}: format version {version} read, {VERSION} wanted")
    if not isinstance(meta.get("config"), dict) or "fixed_noise" not in arrays:
        raise CheckpointError(f"{path}: damaged: no configuration, or no fixed noise in it")
    return arrays, meta


def load_checkpoint(path, trainer, config):
    """Put a trainer of the same configuration where the checkpoint was taken.

    Returns
    -------
    fixed_noise : array (n, z_dim)

    Raises
    ------
    CheckpointError
        The file cannot be read, or belongs to a run with another configuration; the message
        names every key that differs. The trainer is untouched then.
    """
    arrays, meta = read_checkpoint(path)
    # A run that was begun before an option existed was as the option's default has it.
    saved = {f.name: f.default for f in fields(Config) if f.name != "data"} | meta["config"]
    differing = [
        f"{key}: {saved.get(key)!r} there, {config.get(key)!r} here"
        for key in sorted(saved.keys() | config.keys())
        if saved.get(key) != config.get(key)
    ]
    if differing:
        raise CheckpointError(f"{path}: from a different run ({'; '.join(differing)})")
    before = _state_of(trainer)
    try:
        restore(trainer, arrays, meta)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        restore(trainer, *before)
        raise CheckpointError(f"{path}: does not fit this run: {error}") from error
    return arrays["fixed_noise"]


def restore(trainer, arrays, meta):
    """Give the trainer all state that `save_checkpoint` took from it."""
    for name, network in _networks(trainer).items():
        network.load_state_dict(below(name, arrays))
    for name, optimiser in _optimisers(trainer).items():
        optimiser.load_state_dict({"t": meta[f"{name}/t"], **below(name, arrays)})
    if trainer.average:
        trainer.average.t = int(meta["average/t"])
    trainer.batches.restore({**meta["batches"], "order": arrays["batches/order"]})
    for name, rng in _generators(trainer).items():
        rng.bit_generator.state = meta["random"][name]
    trainer.step_count = int(meta["step"])


def below(name, arrays):
    """The arrays stored under ``name/``, by the rest of their keys."""
    prefix = f"{name}/"
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def _networks(trainer):
    networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    return networks | ({"average": trainer.average.mean} if trainer.average else {})


def _optimisers(trainer):
    return {"g_optimiser": trainer.g_optimiser, "d_optimiser": trainer.d_optimiser}


def _generators(trainer):
    """The trainer's own random generator, and that of every layer that draws."""
    found = {"trainer": trainer.rng}
    for name in ("generator", "discriminator"):
        of_layers = getattr(trainer, name).rngs()
        found |= {f"{name}/{key}": generator for key, generator in of_layers.items()}
    return found
