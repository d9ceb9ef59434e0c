"""Measure how near the samples of a run are to real digits: ``python -m scratchgan score RUN_DIR``.

The judge is a classifier of MNIST's digits, made of this library's own layers. It is trained once,
in one or two minutes, and kept in the cache. Other classifiers give other distances. So compare
ratios: the distance of a run, divided by the distance between training images and test images.
"""

import json
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import metrics
from ..data import DataError, cache_dir, mnist, to_unit
from ..files import read_arrays, write_arrays
from ..layers import Sequential
from .trained import load

JUDGE_VERSION = 1  # raise it when the judge or its training changes: then old files are not used
SAMPLES = 10_000  # as many as MNIST has test images


class Score(NamedTuple):
    """Measures of `score_run`.

    Attributes
    ----------
    fid : float
        Fréchet distance between the features of the samples and of the test images.
    floor : float
        Fréchet distance between as many training images and the test images.
    precision, recall : float
        Share of samples that look real, and of test images that are covered.
    classes_kl : float
        How unevenly the ten digits are drawn, as the judge reads them; see `count_classes`.
    accuracy : float or None
        How often the judge reads the digit that was asked for; None without labels.
    """

    fid: float
    floor: float
    precision: float
    recall: float
    classes_kl: float
    accuracy: float | None


def digit_judge(data: str | Path | None = None, cache: str | Path | None = None) -> Sequential:
    """Return the classifier of MNIST's digits: from the cache, or trained and then kept there.

    Parameters
    ----------
    data : path-like, optional
        Where MNIST is; see `scratchgan.data.mnist`.
    cache : path-like, optional
        Folder for the classifier, instead of `scratchgan.data.cache_dir`.

    Returns
    -------
    Sequential
        For images (N, 28, 28, 1) in [-1, 1]: see `embed` and `predict`.

    Raises
    ------
    DataError
        There is no MNIST.
    """
    images, labels, _ = _mnist(data, "train")
    # The name of the first field is that of files made by earlier versions.
    about = json.dumps({"recipe": JUDGE_VERSION, "images": f"{zlib.crc32(images):08x}"})
    path = (Path(cache) if cache else cache_dir()) / "digit_classifier.safetensors"
    network = metrics.digit_classifier().initialize(0)
    try:
        arrays, found = read_arrays(path)
        if found == about:
            network.load_state_dict(arrays)
            return network
    except (OSError, ValueError):  # missing, damaged: train a new one
        pass
    _say(f"training the judge of digits, once: one or two minutes; it will be kept in {path}")
    metrics.fit_classifier(network, to_unit(images), labels, np.random.default_rng(0))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, network.state_dict(), about)
    except OSError as error:  # no reason to lose the judge that has just been trained
        _say(f"the judge is used now, but not kept: {error}")
    return network


def real_digits(judge: Sequential, data: str | Path | None = None) -> tuple[np.ndarray, float]:
    """Compute the features of the real test images. They can be shared between several runs.

    Parameters
    ----------
    judge : Sequential
        From `digit_judge`.
    data : path-like, optional
        Where MNIST is.

    Returns
    -------
    features : array (10000, 256)
        Features of the test images.
    floor : float
        Fréchet distance between as many training images and the test images.
    """
    test, train = (
        metrics.embed(judge, to_unit(_mnist(data, split).images[:SAMPLES]))
        for split in ("test", "train")
    )
    return test, metrics.frechet_distance(test, train)


def score_run(
    run_dir: str | Path, data: str | Path | None = None, *, seed: int = 0, backend: str = "auto",
    judge: Sequential | None = None, real: tuple[np.ndarray, float] | None = None,
) -> Score:  # fmt: skip
    """Compare a run's samples with MNIST's test images.

    Parameters
    ----------
    run_dir : path-like
        The ``--out`` of a training run with images (28, 28, 1).
    data : path-like, optional
        Where MNIST is.
    seed : int
        Seed of the samples' noise.
    backend : str
        Backend of the generator; see `get_backend`.
    judge : Sequential, optional
        From `digit_judge`, to be used for several runs.
    real : tuple, optional
        From `real_digits`, with this judge.

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
    images, labels = draw_digits(run_dir, seed, backend)
    judge = judge or digit_judge(data)
    return score_digits(images, labels, judge, real or real_digits(judge, data))


def draw_digits(
    run_dir: str | Path, seed: int = 0, backend: str = "auto", model: Any = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Draw the samples of a run that are compared with real digits.

    Parameters
    ----------
    run_dir, seed, backend
        See `score_run`.
    model : Model or str, optional
        The run's networks; see `load`.

    Returns
    -------
    images : uint8 array (10000, 28, 28, 1)
    labels : integer array (10000,) or None
        The digits that were asked for, if the run is conditional.

    Raises
    ------
    CheckpointError
        The run cannot be read.
    ValueError
        The run's images have another shape.
    """
    run = load(run_dir, model, backend)
    shape = run.sample(1).shape[1:]
    if shape != (28, 28, 1):
        raise ValueError(f"{run_dir}: expected digits (28, 28, 1), got images {shape}")
    return run.sample(SAMPLES, seed), run.labels(SAMPLES)


def score_digits(
    images: np.ndarray, labels: np.ndarray | None, judge: Sequential, real: tuple[np.ndarray, float]
) -> Score:
    """Compare images with MNIST's test images.

    Parameters
    ----------
    images : uint8 array (N, 28, 28, 1)
    labels : integer array (N,) or None
        The digits that were asked for.
    judge : Sequential
        From `digit_judge`.
    real : tuple
        From `real_digits`, with this judge.

    Returns
    -------
    Score
    """
    features, floor = real
    fake = metrics.embed(judge, to_unit(images))  # (N, 256)
    read = metrics.predict_from(judge, fake)
    fid = metrics.frechet_distance(features, fake)
    precision, recall = metrics.precision_recall(features, fake)
    accuracy = None if labels is None else float((read == labels).mean())
    return Score(fid, floor, precision, recall, metrics.count_classes(read, 10)[1], accuracy)


def _mnist(data, split):
    found = mnist(data, split=split)
    if found.name != "mnist":
        raise DataError(f"expected MNIST, got {found.name}: name its folder with `data=`")
    return found


def _say(text):
    print(f"scratchgan: {text}", file=sys.stderr)
