"""A run and what it has learned: `load` one, draw samples from it, look at its history."""

from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ..gan import Config, draw_noise, generate, make_generator, z_dim
from ..layers import Layer
from .checkpoint import CHECKPOINT, CheckpointError, below, read_checkpoint
from .folder import read_metrics
from .networks import networks_of


class Run:
    """A training run, from `train` or `load`.

    Attributes
    ----------
    out : Path
        Its folder.
    config : Config
        Its options.
    generator : Layer
        The trained generator; with the running mean of its weights, if the run has one.
    z_dim : int
        Numbers in a sample of the generator's noise.
    steps : int
        How many training steps it has made.
    """

    def __init__(self, out: Path, config: Config, generator: Layer, z_dim: int, steps: int):
        self.out, self.config, self.generator = out, config, generator
        self.z_dim, self.steps = z_dim, steps

    def sample(self, n: int = 64, seed: int = 0, label: Any = None) -> np.ndarray:
        """Draw new images.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            Seed of the noise: the same images every time.
        label : int or integers (n,), optional
            Class of the images, in a conditional run. Default: each class in turn.

        Returns
        -------
        uint8 array (n, H, W, C)

        Raises
        ------
        ValueError
            n, the seed or the label is out of range, or the run has no labels.
        """
        return generate(self.generator, self.noise(n, seed), self.labels(n, label))

    def noise(self, n: int, seed: int = 0) -> np.ndarray:
        """Return the noise of `sample`: float32 (n, z_dim)."""
        integers = isinstance(n, Integral) and isinstance(seed, Integral)
        if not integers or n < 1 or seed < 0:
            raise ValueError(f"sample: expected n >= 1 and seed >= 0, got n {n}, seed {seed}")
        return draw_noise(np.random.default_rng(seed), n, self.z_dim, self.config.noise)

    def labels(self, n: int, label: Any = None) -> np.ndarray | None:
        """Return the labels of `sample`: int64 (n,); None in a run without labels."""
        classes = self.config.classes
        if not self.config.condition:
            if label is not None:
                raise ValueError(f"`label=`: {self.out} was trained without labels")
            return None
        if label is None:
            return np.arange(n) % classes
        given = np.asarray(label)
        if given.shape not in ((), (n,)):
            raise ValueError(f"label: expected one, or {n}, got an array of shape {given.shape}")
        if given.dtype.kind not in "iu" or not 0 <= given.min() <= given.max() < classes:
            raise ValueError(f"`label=`: expected 0 to {classes - 1}, got {label}")
        return np.full(n, given, np.int64) if given.ndim == 0 else given.astype(np.int64)

    @property
    def history(self) -> np.ndarray:
        """The run's metrics, read from its folder: a structured array (rows,) of floats.

        ``history["step"]`` and ``history["d_loss"]`` are columns, (rows,); ``history.dtype.names``
        lists all.
        """
        return read_metrics(self.out)

    def __repr__(self):
        return f"Run({self.out}: {self.config.model} on {self.config.data}, {self.steps} steps)"


def load(path: str | Path, model: Any = None, backend: str = "auto") -> Run:
    """Load a training run from its folder.

    Parameters
    ----------
    path : path-like
        The ``out`` of a training run.
    model : Model or str, optional
        The run's networks, needed if they were given as objects: the same `Model` again. Networks
        that a file defines are found in the run's folder.
    backend : str
        Name of a backend; see `get_backend`.

    Returns
    -------
    Run

    Raises
    ------
    CheckpointError
        There is no checkpoint, or it is damaged; or the networks are missing or others.
    """
    path = Path(path).expanduser()
    file = path / CHECKPOINT
    arrays, meta = read_checkpoint(file)
    try:
        config = Config(**meta["config"])
        pair = networks_of(config.model, path, model).pair
        generator = make_generator(config, pair).initialize(0, backend, config.dtype)
        generator.load_state_dict(below("average" if config.ema else "generator", arrays))
    except CheckpointError:
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: {error}") from error
    return Run(path, config, generator, z_dim(config, pair), int(meta["step"]))


def load_generator(run_dir: str | Path, backend: str = "auto") -> tuple[Layer, Config]:
    """Return the generator and the options of a run, as `load` finds them."""
    run = load(run_dir, backend=backend)
    return run.generator, run.config
