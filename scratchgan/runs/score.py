"""Measure how near generated samples are to real images: ``scratchgan score TARGET``.

Digits have a judge of their own, a classifier of MNIST's digits, made of this library's layers. It
is trained once, in one or two minutes, and kept in the cache; ``judges.py`` has the others. Other
judges give other distances. So compare a measure with its floor, that of real images.
"""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import metrics
from ..data import DataError, Dataset, as_dataset, cache_dir, mnist, to_unit
from ..layers import Sequential
from .checkpoint import CHECKPOINT
from .folder import COMMAND, CONFIG, saved_options
from .judges import Judge, class_judge, fit, network_judge, onnx_judge, random_judge, trained_once
from .trained import load
from .yardstick import Scored, Yardstick

JUDGE_VERSION = 1  # raise it when the judge or its training changes: then old files are not used
SAMPLES = 10_000  # as many as MNIST has test images
DIGIT = (28, 28, 1)
WIDTH = 256  # features of a judge of our own; fewer where there are fewer than 4 images for each
NEED = "expected real images to compare with"


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


class Target(NamedTuple):
    """Samples to be measured, from `open_target`.

    Attributes
    ----------
    name : str
    shape : tuple or None
        (H, W, C); None if pictures of a folder can have any.
    draw : callable, (n, seed, shape) -> Dataset
        Returns n of the samples, or all if there are fewer.
    real, data : str or None
        The images that a run was trained on, where it says so; where its MNIST is.
    """

    name: str
    shape: tuple[int, ...] | None
    draw: Callable[[int, int, Any], Dataset]
    real: str | None = None
    data: str | None = None


def score(
    target: Any, real: Any = None, judge: Any = None, *, data: str | Path | None = None,
    seed: int = 0, backend: str = "auto", model: Any = None, made: dict | None = None,
) -> Scored:  # fmt: skip
    """Measure how near samples are to real images, with intervals and the floor of real ones.

    Digits (28, 28, 1) are compared with MNIST's test images, unless a run says that it was trained
    on others, or ``real`` is given. Other real images are split into halves by a fixed seed: one is
    the reference, the other gives the floor.

    Parameters
    ----------
    target : path-like, array, Dataset or Target
        The folder of a run; a folder of pictures; an .npy or .npz file; images (N, H, W, C).
    real : path-like, array or Dataset, optional
        The real images, as for `scratchgan.data.as_dataset`. Default: those the run was trained on.
    judge : str, path-like or Judge, optional
        "mnist", the classifier of digits; "labels", a classifier trained on the real images'
        labels; "random", an untrained network; the path of an ONNX file. Default: "mnist" for
        MNIST, "labels" if there are labels, else "random", with a warning.
    data : path-like, optional
        Where MNIST is.
    seed : int
        Seed of a run's noise, and of the choice among more samples than are compared.
    backend : str
        Backend of a run's generator; see `get_backend`.
    model : Model or str, optional
        A run's networks; see `load`.
    made : dict, optional
        Keeps what is computed of the real images: give the same one to several calls.

    Returns
    -------
    Scored

    Raises
    ------
    CheckpointError, DataError
        A run, or images, cannot be read.
    ValueError
        The samples cannot be measured; the message says why, and what to do.

    References
    ----------
    See docs/score.md.
    """
    target = target if isinstance(target, Target) else open_target(target, backend, model)
    yardstick = _yardstick(target, real, judge, data, {} if made is None else made)
    samples = target.draw(len(yardstick), seed, yardstick.images.shape[1:])
    # Labels of folders are numbers of their names: they mean the same if the names are the same.
    same = samples.classes in (None, yardstick.train.classes)
    try:
        labels = samples.labels if same else None
        return yardstick.measure(samples.images, labels, target.name)
    except ValueError as error:
        raise ValueError(f"{target.name}: {error}") from error


def open_target(target: Any, backend: str = "auto", model: Any = None) -> Target:
    """Read what is to be measured: a run's networks, or images; pictures of a folder later.

    Parameters
    ----------
    target, backend, model
        See `score`.
    """
    if isinstance(target, str | os.PathLike):
        path = Path(target).expanduser()
        of_run = any((path / name).exists() for name in (CHECKPOINT, CONFIG))
        if path.is_dir() and not of_run:

            def draw(n, seed, shape):
                return _some(_load(path, shape), n, seed)

            return Target(str(target), None, draw)
        if path.suffix.lower() not in (".npy", ".npz"):
            return _of_run(target, backend, model)
    images = as_dataset(target)
    name = str(target) if isinstance(target, str | os.PathLike) else images.name
    return Target(name, images.images.shape[1:], lambda n, seed, shape: _some(images, n, seed))


def _of_run(path, backend, model):
    """Return the samples of a run, and where its images are, if its folder says so."""
    run = load(path, model, backend)
    shape = run.sample(1).shape[1:]
    command = saved_options(run.out, True).get(COMMAND, {})
    images, data = command.get("images"), command.get("data")
    if data and data.endswith((".npy", ".npz")):
        images, data = data, None

    def draw(n, seed, shape):
        return Dataset(run.sample(n, seed), run.labels(n), str(path))

    return Target(str(path), shape, draw, images, data)


def _yardstick(target, real, judge, data, made):
    """Return the real images and the judge for a target, made only once."""
    real = target.real if real is None else real
    digits = real is None and (target.shape == DIGIT or (target.shape is None and judge == "mnist"))
    if real is None and not digits:
        what = f"images {target.shape}" if target.shape else "a folder of pictures"
        cure = "name them: `real=PATH`, a folder, an .npy or .npz file"
        raise ValueError(f"{target.name}: {NEED} {what}; {cure}")
    key = (str(real) if isinstance(real, str | os.PathLike) else id(real)), str(judge), target.shape
    if key not in made:
        data = target.data if data is None else data
        named = isinstance(judge, str | os.PathLike) and str(judge).lower().endswith(".onnx")
        judge = onnx_judge(judge) if named else judge
        if digits:
            train, test = _mnist(data, "train"), _mnist(data, "test")
        else:
            fixed = getattr(judge, "shape", None)
            train, test = _load(real, target.shape or (fixed and (*fixed, None))), None
        made[key] = Yardstick(_judge(judge, train, test, data), train, test, SAMPLES)
    return made[key]


def _judge(judge, train, test, data):
    """Return the judge that a name means; the one that suits the real images, for None."""
    if isinstance(judge, Judge):
        return judge
    shape, n = train.images.shape[1:], min(len(train.images) // (1 if test else 2), SAMPLES)
    if n < 16:
        raise ValueError(f"{train.name}: expected 32 real images or more, got {len(train.images)}")
    width = min(WIDTH, 1 << int(np.log2(n / 4)))
    if judge is None:
        judge = "mnist" if test else "labels" if train.labels is not None else "random"
    if judge == "mnist":
        if shape != DIGIT:
            cure = "choose another `judge=`"
            raise ValueError(f"`judge=mnist`: expected digits {DIGIT}, got images {shape}; {cure}")
        return network_judge(digit_judge(data), "a classifier of MNIST's digits", 10)
    if judge == "labels":
        return class_judge(train, width)
    if judge == "random":
        return random_judge(shape, width)
    raise ValueError(f"judge: expected mnist, labels, random or a FILE.onnx, got {judge!r}")


def _load(source, shape):
    """Load real images or pictures; those of a folder in the shape (H, W, C) that is asked for."""
    folder = isinstance(source, str | os.PathLike) and Path(source).expanduser().is_dir()
    size = {"size": shape[0], "channels": shape[2]} if shape and folder else {}
    found = as_dataset(source, **size)
    got = found.images.shape[1:]
    if shape and any(a not in (None, b) for a, b in zip(shape, got, strict=True)):
        raise ValueError(f"{found.name}: expected images of shape {shape}, got {got}")
    return found


def _some(data, n, seed):
    """Return n of the images, drawn by the seed; all if there are fewer."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(data.images))[:n])
    some = Dataset(data.images[rows], None if data.labels is None else data.labels[rows], data.name)
    some.classes = data.classes
    return some


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
    what = "the judge of digits, once: one or two minutes"
    trained_once(network, path, about, what, lambda: fit(network, images, labels))
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
    if shape != DIGIT:
        raise ValueError(f"{run_dir}: expected digits {DIGIT}, got images {shape}")
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
