"""How near the samples of a run are to real digits: ``python -m scratchgan score RUN_DIR``.

The judge is a classifier of MNIST's digits made of this library's own layers. It is trained once,
in a minute, and kept in the cache. Scores of other classifiers are others: compare the ratio of a
distance to that of real against real.
"""

import json
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError

from ..data import DataError, cache_dir, mnist, to_unit
from ..files import read_arrays, write_arrays
from ..gan.build import z_dim
from ..gan.source import draw_noise
from ..gan.trainer import generate
from ..metrics import (
    count_classes,
    digit_classifier,
    embed,
    fit_classifier,
    frechet_distance,
    precision_recall,
    predict_from,
)  # fmt: skip
from .run import load_generator

__all__ = ["Score", "digit_judge", "real_digits", "score_run"]

RECIPE = 1  # to be raised when the classifier or its training changes: then old ones are not used
SAMPLES = 10_000  # as many as MNIST has test images


class Score(NamedTuple):
    """What `score_run` finds.

    Attributes
    ----------
    fid : float
        Fréchet distance of the samples' features to those of the test images.
    floor : float
        The same of as many training images.
    precision, recall : float
        Share of samples that look real, and of test images that are covered.
    classes_kl : float
        How unevenly the ten digits are drawn, as the judge reads them; see `count_classes`.
    accuracy : float or None
        Of a conditional run, how often the judge reads the digit that was asked for.
    """

    fid: float
    floor: float
    precision: float
    recall: float
    classes_kl: float
    accuracy: float | None


def digit_judge(data=None, cache=None):
    """The classifier of MNIST's digits: from the cache, or trained and put there.

    Parameters
    ----------
    data : path-like, optional
        Where MNIST is; see `scratchgan.data.mnist`.
    cache : path-like, optional
        Folder to keep the classifier in, instead of `scratchgan.data.cache_dir`.

    Returns
    -------
    Sequential
        From images (N, 28, 28, 1) in [-1, 1]: for `embed` and `predict`.

    Raises
    ------
    DataError
        There is no MNIST.
    """
    images, labels, *_ = _mnist(data, "train")
    about = json.dumps({"recipe": RECIPE, "images": f"{zlib.crc32(images):08x}"})
    path = (Path(cache) if cache else cache_dir()) / "digit_classifier.safetensors"
    network = digit_classifier().initialize(0, "numpy")
    if not _load(network, path, about):
        fit_classifier(network, to_unit(images), labels, np.random.default_rng(0))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, network.state_dict(), about)
    return network


def real_digits(judge, data=None):
    """What samples are held against: looked at once, it does for several runs.

    Parameters
    ----------
    judge : Sequential
        From `digit_judge`.
    data : path-like, optional
        Where MNIST is.

    Returns
    -------
    features : array (10000, 256)
        Of the test images.
    floor : float
        Fréchet distance of as many training images to them.
    """
    test, train = (
        embed(judge, to_unit(_mnist(data, split).images[:SAMPLES])) for split in ("test", "train")
    )
    return test, frechet_distance(test, train)


def score_run(run_dir, data=None, *, seed=0, backend="auto", judge=None, real=None):
    """Compare a run's samples with MNIST's test images.

    Parameters
    ----------
    run_dir : path-like
        The ``--out`` of a training run with images (28, 28, 1).
    data : path-like, optional
        Where MNIST is.
    seed : int
        Of the samples' noise.
    backend : {"auto", "numpy", "cupy"}
        For the generator.
    judge : Sequential, optional
        From `digit_judge`, to be used for several runs.
    real : tuple, optional
        From `real_digits`, of this judge.

    Returns
    -------
    Score

    Raises
    ------
    CheckpointError, DataError
        The run, or MNIST, cannot be read.
    ValueError
        The run's images have another shape.
    """
    generator, config = load_generator(run_dir, backend)
    labels = np.arange(SAMPLES) % config.classes if config.condition else None
    z = draw_noise(np.random.default_rng(seed), SAMPLES, z_dim(config), config.noise)
    images = generate(generator, z, labels)
    if images.shape[1:] != (28, 28, 1):
        raise ValueError(f"{run_dir}: images {images.shape[1:]} given, digits (28, 28, 1) wanted")
    judge = judge or digit_judge(data)
    features, floor = real or real_digits(judge, data)
    fake = embed(judge, to_unit(images))  # (N, 256)
    read = predict_from(judge, fake)
    return Score(
        frechet_distance(features, fake),
        floor,
        *precision_recall(features, fake),
        count_classes(read, 10)[1],
        None if labels is None else float((read == labels).mean()),
    )


def _mnist(data, split):
    found = mnist(data, split=split)
    if found.name != "mnist":
        raise DataError(f"{found.name} found, MNIST wanted: name its folder with --data")
    return found


def _load(network, path, about):
    """Whether the file is there, whole, and of this recipe and these images; then load it."""
    try:
        arrays, found = read_arrays(path)
        if found == about:
            network.load_state_dict(arrays)
    except (OSError, SafetensorError, ValueError):
        return False
    return found == about
