"""The front door: `train` on images of your own, with networks of your own, in one call."""

import difflib
import zlib
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset, as_dataset
from ..gan import Config, dcgan_name, preset_options
from . import run
from .networks import Networks, find_networks, networks_for
from .trained import Run, load

CONDITION = "projection"  # how labels reach D unless told otherwise: it suits every network
OPTIONS = [f.name for f in fields(Config) if f.metadata]


def train(
    images: Any, model: Any = None, *, labels: Any = None, preset: str | None = None,
    steps: int = 2000, out: str | Path = "runs/mine", backend: str = "auto", resume: bool = False,
    save_every: int = 500, progress: bool = True, size: int | None = None,
    channels: int | None = None, **options: Any,
) -> Run:  # fmt: skip
    """Train a GAN on images, and save metrics, samples and checkpoints in a folder.

    Parameters
    ----------
    images : array, path or Dataset
        An array of bytes or floats, (N, H, W) or (N, H, W, C); the path of a folder of pictures, or
        of an .npy or .npz file; or a `Dataset`. See `scratchgan.data.as_dataset`.
    model : Model or str, optional
        The networks: your own `Model`; a name that ``scratchgan models`` lists; or a Model in a
        file, ``"my_networks.py:PAIR"``. Default: "mlp" for grey images of 28 x 28, else a DCGAN.
    labels : integers (N,), optional
        Classes of the images. With them, the run is conditional, by "projection" unless the option
        ``condition`` says otherwise. Labels of a file, a folder or a `Dataset` are used only if
        ``condition`` is given.
    preset : str, optional
        Settings of a paper, as ``scratchgan presets`` lists them. Other options override them.
    steps : int
        Total number of training steps, including those before a resume.
    out : path-like
        The run's folder. It must be empty or not exist, unless ``resume`` is True.
    backend : str
        Name of a backend; see `get_backend`.
    resume : bool
        Go on from the folder's checkpoint, with the same images, networks and options.
    save_every : int
        Steps from one grid of samples and checkpoint to the next.
    progress : bool
        Show a progress bar.
    size, channels : int, optional
        Pixels a side, and channels, of the pictures made from a folder. Default: those of the
        model, or else 64 and 3.
    **options
        Any option of `scratchgan.gan.Config`, such as ``batch_size`` or ``g_lr``; ``lr`` sets both
        learning rates.

    Returns
    -------
    Run

    Raises
    ------
    TypeError, ValueError
        The images, the networks or an option cannot be used.
    Stopped, DivergenceError, CheckpointError
        As `scratchgan.runs.run.train`.
    """
    networks = networks_for(model, out, resume)
    data = load_for(networks, images, labels, size, channels)
    if labels is not None:
        options = {"condition": CONDITION} | options
    networks = networks or find_networks(default_model(data.images.shape[1:]))
    config = configure(data, networks, options, preset)
    run.train(
        config, data.images, out, steps=steps, backend=backend, resume=resume,
        save_every=save_every, labels=data.labels, networks=networks, progress=progress,
    )  # fmt: skip
    return load(out, networks, backend)


def load_for(
    networks: Networks | None, images: Any, labels: Any, size: int | None, channels: int | None
) -> Dataset:
    """Load images; the pictures of a folder get the size and channels that the networks take.

    Parameters
    ----------
    networks : Networks or None
    images, labels, size, channels
        As for `train`.
    """
    shape = networks.pair.image_shape if networks else None
    if shape and isinstance(images, str | PathLike):
        size, channels = size or shape[0], channels or shape[-1]
    return as_dataset(images, labels, size=size, channels=channels)


def default_model(image_shape: tuple[int, ...]) -> str:
    """Return the name of the library's networks for images (H, W, C)."""
    H, W, C = image_shape
    if image_shape == (28, 28, 1):
        return "mlp"
    if H != W:
        raise ValueError(f"model: expected one of your own for images of {H}x{W}: not square")
    return dcgan_name(H, C, 64, upsample=False, dropout=0.0)


def configure(
    data: Dataset, networks: Networks, options: dict[str, Any], preset: str | None = None
) -> Config:
    """Return the configuration of a run.

    Parameters
    ----------
    data : Dataset
        Its fingerprint is kept, because a run must not be resumed on other images.
    networks : Networks
    options : dict
        Options of `Config` by name; ``lr`` stands for both learning rates.
    preset : str, optional
        A preset, for the options that are not in ``options``.

    Raises
    ------
    TypeError
        There is no such option.
    TypeError, ValueError
        As `Config`.
    """
    unknown = [name for name in options if name not in (*OPTIONS, "lr")]
    if unknown:
        near = difflib.get_close_matches(unknown[0], OPTIONS, 1) or OPTIONS
        raise TypeError(f"no option {unknown[0]!r}; expected {' or '.join(near)}")
    lr = {"g_lr": options["lr"], "d_lr": options["lr"]} if "lr" in options else {}
    options = (preset_options(preset) if preset else {}) | lr | options
    options.pop("lr", None)
    about = f"{data.name} {data.images.shape} {data.digest or _crc32(data.images)}"
    if options.get("condition") and data.labels is not None:
        about += f", labels {_crc32(data.labels)}"
        options["classes"] = int(data.labels.max()) + 1
    return Config(**options | {"data": about, "model": networks.name})


def _crc32(array):
    return f"{zlib.crc32(np.ascontiguousarray(array)):08x}"
