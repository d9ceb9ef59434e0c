"""MNIST from a folder, the cache or openml.org; without any of them, scikit-learn's digits."""

import os
import socket
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ..files import PathLike
from .base import DataError, Dataset
from .idx import read_idx, write_idx

PREFIX = {"train": "train", "test": "t10k"}
TRAIN_IMAGES, TRAIN_DIGITS = 60_000, 1_500
TIMEOUT = 3.0  # seconds


def cache_dir() -> Path:
    """Return the folder of downloaded data: `$XDG_CACHE_HOME/scratchgan` or `~/.cache/scratchgan`.

    Returns
    -------
    Path
        It need not exist.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(os.path.expanduser(base or "~/.cache")) / "scratchgan"


def mnist(path: PathLike | None = None, *, split: str = "train", download: bool = True) -> Dataset:
    """Load MNIST, or scikit-learn's digits if MNIST is neither at hand nor downloadable.

    MNIST is looked for in `path`, or else in the folder that the environment variable
    SCRATCHGAN_DATA names, or else in the cache, which is filled from openml.org the first time.
    Where no folder is named and nothing can be downloaded, the 8x8 digits bundled with
    scikit-learn are enlarged to MNIST's size instead, and a line on stderr says so.

    Parameters
    ----------
    path : path-like, optional
        A folder with MNIST's IDX files, gzipped or not, or with `mnist/`, which holds them.
    split : {"train", "test"}
    download : bool
        Whether MNIST may be downloaded from openml.org.

    Returns
    -------
    Dataset
        Images (N, 28, 28, 1) and labels (N,) of uint8, named "mnist" (N = 60,000 or 10,000) or
        "digits" (N = 1500 or 297).

    Raises
    ------
    DataError
        If a folder was named and holds no MNIST, or if the files found are damaged or do not
        belong together.
    ValueError
        If `split` is neither "train" nor "test".
    """
    if split not in PREFIX:
        raise ValueError(f"split: expected 'train' or 'test', got {split!r}")
    named = path if path is not None else os.environ.get("SCRATCHGAN_DATA") or None
    folder = Path(os.path.expanduser(named)) if named is not None else cache_dir()
    files, reason = _find(folder, split), f"none in {folder}"
    if files is None and named is not None:
        raise DataError(
            f"{folder}: expected {_names(split, 'images')[0]} and {_names(split, 'labels')[0]}, "
            "here or in mnist/ ('.idx' for '-idx' and a missing '.gz' are fine); it holds no MNIST"
        )
    if files is None and download:
        try:
            _download(folder)
            files = _find(folder, split)
        except (DataError, OSError) as error:
            reason = str(error)
    if files is not None:
        return _load(*files)
    instead = f"no MNIST ({reason}); using scikit-learn's 1797 small digits instead"
    cure = "to use MNIST, set SCRATCHGAN_DATA to the folder that holds mnist/"
    print(f"scratchgan: {instead}; {cure}", file=sys.stderr)
    return _digits(split)


def _names(split, kind):
    """Return the names that the file of a split's images or labels may have."""
    stem, tail = f"{PREFIX[split]}-{kind}", f"idx{3 if kind == 'images' else 1}-ubyte"
    return [f"{stem}{mark}{tail}{end}" for mark in "-." for end in (".gz", "")]


def _find(folder, split):
    """Return the paths of a split's images and labels; None unless both exist."""
    for place in (folder, folder / "mnist"):
        images = [place / name for name in _names(split, "images") if (place / name).is_file()]
        labels = [place / name for name in _names(split, "labels") if (place / name).is_file()]
        if images and labels:
            return images[0], labels[0]
    return None


def _load(images_path, labels_path):
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{images_path}: expected shape (N, 28, 28), got {images.shape}")
    if labels.shape != images.shape[:1] or labels.max() > 9:
        expected = f"{len(images)} labels of 0 to 9 to go with {images_path.name}"
        got = f"labels of shape {labels.shape} up to {labels.max()}"
        raise DataError(f"{labels_path}: expected {expected}, got {got}")
    return Dataset(images[..., None], labels, "mnist")


def _download(cache):
    """Fetch MNIST from openml.org into the cache as four IDX files."""
    cache.mkdir(parents=True, exist_ok=True)
    # Everything is staged, fetch_openml's own cache too, so that an interruption leaves nothing.
    with tempfile.TemporaryDirectory(dir=cache) as staging:
        images, labels = _fetch(staging)
        parts = {"train": slice(None, TRAIN_IMAGES), "test": slice(TRAIN_IMAGES, None)}
        for split, part in parts.items():
            write_idx(Path(staging, _names(split, "images")[0]), images[part])
            write_idx(Path(staging, _names(split, "labels")[0]), labels[part])
        (cache / "mnist").mkdir(exist_ok=True)
        for file in Path(staging).glob("*.gz"):
            os.replace(file, cache / "mnist" / file.name)


def _fetch(data_home):
    """Return the 70,000 images and labels from openml.org."""
    # Imported here: it takes a second, which is saved if the files are at hand.
    from sklearn.datasets import fetch_openml

    # fetch_openml has no timeout of its own: a silent network would hold it for minutes.
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    options = {"as_frame": False, "parser": "liac-arff", "n_retries": 1, "delay": 0.1}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bunch = fetch_openml("mnist_784", version=1, data_home=data_home, **options)
        pixels, labels = np.asarray(bunch.data), np.asarray(bunch.target).astype(np.int64)
    # Whatever goes wrong in there, from DNS to the ARFF parser, means one thing: no download.
    except Exception as error:
        raise DataError(f"no download of mnist_784 from openml.org: {error}") from error
    finally:
        socket.setdefaulttimeout(timeout)
    expected = pixels.shape == (70_000, 784) and labels.shape == (70_000,)
    if not expected or pixels.min() < 0 or pixels.max() > 255 or set(labels) != set(range(10)):
        expected = "pixels (70000, 784) of 0 to 255 and labels (70000,) of 0 to 9"
        got = f"shapes {pixels.shape} and {labels.shape}"
        raise DataError(f"mnist_784 from openml.org: expected {expected}, got {got}")
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8)


def _digits(split):
    """Return scikit-learn's digits, enlarged to MNIST's size."""
    from sklearn.datasets import load_digits

    small = load_digits()
    # Linear interpolation to 20x20 with a margin of 4, which is the box of MNIST's own digits.
    centres = np.clip((np.arange(20) + 0.5) * 8 / 20 - 0.5, 0, 7)
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(8)))
    large = np.rint(weights @ small.images @ weights.T * (255 / 16)).astype(np.uint8)
    images = np.pad(large, ((0, 0), (4, 4), (4, 4)))[..., None]
    part = slice(None, TRAIN_DIGITS) if split == "train" else slice(TRAIN_DIGITS, None)
    return Dataset(images[part], small.target[part].astype(np.uint8), "digits")
