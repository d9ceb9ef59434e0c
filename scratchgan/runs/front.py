"""The front door: `train` on images of your own, with networks of your own, in one call."""

import difflib
import zlib
from collections.abc import Callable
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset, as_dataset
from ..gan import Config, dcgan_name, preset_options
from . import run
from .folder import saved_options
from .networks import Networks, find_networks, networks_for
from .trained import Run, load

CONDITION = "projection"  # how labels reach D unless told otherwise: it suits every network
ARGUMENTS = ("labels", "preset", "steps", "epochs", "backend", "resume", "save_every", "progress")
OPTIONS = [f.name for f in fields(Config) if f.metadata]


def train(
    images: Any, model: Any = None, *, labels: Any = None, preset: str | None = None,
    steps: int = 2000, epochs: int | None = None, out: str | Path = "runs/mine",
    backend: str = "auto", resume: bool = False, save_every: int = 500, progress: bool = True,
    size: int | None = None, channels: int | None = None, **options: Any,
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
    epochs : int, optional
        Passes over the images, instead of ``steps``.
    out : path-like
        The run's folder. It must be empty or not exist, unless ``resume`` is True.
    backend : str
        Name of a backend; see `get_backend`.
    resume : bool
        Go on from the folder's checkpoint, with the same images and labels. Networks and options
        are those of the folder; if they are given again, they must agree.
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
    out = Path(out).expanduser()
    networks = networks_for(model, out, resume)
    if isinstance(images, tuple) and len(images) == 2 and labels is None:
        images, labels = images  # a pair, as Keras has it
    data = load_for(networks, images, labels, size, channels)
    networks = networks or find_networks(default_model(data.images.shape[1:]))
    defaults = {} if labels is None else {"condition": CONDITION}
    saved = saved_options(out, resume)
    defaults |= {name: saved[name] for name in OPTIONS if name in saved}
    config = configure(data, networks, defaults | _expand(options, preset))
    if progress and not config.condition and not isinstance(images, Dataset):
        unused_labels(data, run.on_stderr)
    if epochs:
        steps = steps_of(epochs, data, config)
    config = scheduled(config, steps)
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
    if shape and isinstance(images, str | PathLike) and Path(images).expanduser().is_dir():
        size, channels = size or shape[0], channels or shape[-1]
    return as_dataset(images, labels, size=size, channels=channels)


def default_model(image_shape: tuple[int, ...]) -> str:
    """Return the name of the library's networks for images (H, W, C)."""
    H, W, C = image_shape
    if image_shape == (28, 28, 1):
        return "mlp"
    if H != W:
        raise ValueError(f"model: expected one of your own for images of {H}x{W}: not square")
    return dcgan_name(H, C)


def unused_labels(data: Dataset, tell: Callable[[str], None]) -> None:
    """Say so if the images of a run without a condition have labels."""
    if data.labels is not None:
        cure = "`condition=projection` trains a GAN that draws the class it is asked for"
        tell(f"{data.name}: has labels, which are not used; {cure}")


def steps_of(epochs: int, data: Dataset, config: Config) -> int:
    """Return the number of training steps in so many passes over the images."""
    batches = epochs * (len(data.images) // config.batch_size)
    return -(-batches // config.d_steps)  # rounded up: a step takes d_steps batches


def scheduled(config: Config, steps: int) -> Config:
    """Return the configuration with the end of its schedule: the last step, if it says no other."""
    ends = config.schedule == "constant" or config.schedule_steps
    return config if ends else replace(config, schedule_steps=steps)


def configure(data: Dataset, networks: Networks, options: dict[str, Any]) -> Config:
    """Return the configuration of a run.

    Parameters
    ----------
    data : Dataset
        Its fingerprint is kept, because a run must not be resumed on other images.
    networks : Networks
    options : dict
        Options of `Config` by name.

    Raises
    ------
    TypeError, ValueError
        As `Config`.
    """
    about = f"{data.name} {data.images.shape} {data.digest or _crc32(data.images)}"
    if options.get("condition") and data.labels is not None:
        about += f", labels {_crc32(data.labels)}"
        options = {"classes": int(data.labels.max()) + 1} | options
    return Config(**options | {"data": about, "model": networks.name})


def _expand(options, preset):
    """Return all options that a preset and the options given set; ``lr`` is both learning rates."""
    for name in options:
        if name not in (known := (*OPTIONS, "classes", "lr")):
            cure = difflib.get_close_matches(name, [*known, *ARGUMENTS], 1)
            told = f"did you mean {cure[0]}?" if cure else f"expected one of {', '.join(known)}"
            raise TypeError(f"train: no option {name!r}; {told}")
    options = dict(options)
    lr = {"g_lr": options["lr"], "d_lr": options.pop("lr")} if "lr" in options else {}
    return (preset_options(preset) if preset else {}) | lr | options


def _crc32(array):
    return f"{zlib.crc32(np.ascontiguousarray(array)):08x}"
