"""MNIST from a folder, the cache or openml.org; without any of them, scikit-learn's digits."""

import os
import socket
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from .base import DataError, Dataset
from .idx import read_idx, write_idx

_PREFIX = {"train": "train", "test": "t10k"}
_TRAIN_IMAGES = 60_000
_TRAIN_DIGITS = 1_500
_TIMEOUT_S = 3.0


def cache_dir() -> Path:
    """Return the folder of downloaded data: `$XDG_CACHE_HOME/scratchgan` or `~/.cache/scratchgan`.

    Returns
    -------
    Path
        It need not exist.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "scratchgan"


def mnist(
    path: str | os.PathLike | None = None, *, split: str = "train", download: bool = True
) -> Dataset:
    """Load MNIST, or the nearest thing that can be had.

    Looked for in `path`, or else in the folder that the environment variable SCRATCHGAN_DATA
    names, or else in the cache, which is filled from openml.org the first time. Where no folder
    is named and nothing can be downloaded, the 8x8 digits bundled with scikit-learn are enlarged
    to MNIST's size instead, and a line on stderr says so.

    Parameters
    ----------
    path : path-like, optional
        A folder that holds MNIST's IDX files, gzipped or not, itself or in `mnist/`.
    split : {"train", "test"}
    download : bool
        Whether openml.org may be asked.

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
    if split not in _PREFIX:
        raise ValueError(f"split is {split!r}; wanted 'train' or 'test'")
    named = path if path is not None else os.environ.get("SCRATCHGAN_DATA") or None
    folder = Path(named) if named is not None else cache_dir()
    files = _find(folder, split)
    if files is None and named is not None:
        wanted = " and ".join(_names(split, kind)[0] for kind in ("images", "labels"))
        raise DataError(
            f"{folder}: holds no MNIST; wanted {wanted}, here or in mnist/ "
            "('.idx' for '-idx' and a missing '.gz' are fine)"
        )
    reason = f"none in {folder}"
    if files is None and download:
        try:
            _download(folder)
            files = _find(folder, split)
        except (DataError, OSError) as error:
            reason = str(error)
    if files is None:
        print(
            f"scratchgan: no MNIST ({reason}); using scikit-learn's 1797 small digits instead. "
            "For the real data set SCRATCHGAN_DATA to the folder that holds mnist/.",
            file=sys.stderr,
        )
        return _digits(split)
    return _load(*files)


def _names(split: str, kind: str) -> list[str]:
    stem, tail = f"{_PREFIX[split]}-{kind}", f"idx{3 if kind == 'images' else 1}-ubyte"
    return [f"{stem}{mark}{tail}{end}" for mark in "-." for end in (".gz", "")]


def _find(folder: Path, split: str) -> tuple[Path, Path] | None:
    for place in (folder, folder / "mnist"):
        images, labels = (
            [place / name for name in _names(split, kind) if os.path.isfile(place / name)]
            for kind in ("images", "labels")
        )
        if images and labels:
            return images[0], labels[0]
    return None


def _load(images_path: Path, labels_path: Path) -> Dataset:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{images_path}: read shape {images.shape}; wanted (N, 28, 28)")
    if labels.shape != images.shape[:1] or labels.max() > 9:
        raise DataError(
            f"{labels_path}: read labels of shape {labels.shape} up to {labels.max()}; "
            f"wanted {len(images)} labels of 0 to 9 to go with {images_path.name}"
        )
    return Dataset(images[..., None], labels, "mnist")


def _download(cache: Path) -> None:
    """Fetch MNIST from openml.org into the cache as four IDX files.

    Raises
    ------
    DataError
        If the fetch fails or brings something else than MNIST.
    OSError
        If the cache cannot be written.
    """
    cache.mkdir(parents=True, exist_ok=True)
    # Everything is staged, the fetch's own cache too, so that an interruption leaves nothing.
    with tempfile.TemporaryDirectory(dir=cache) as staging:
        images, labels = _fetch(staging)
        parts = {"train": slice(None, _TRAIN_IMAGES), "test": slice(_TRAIN_IMAGES, None)}
        for split, part in parts.items():
            write_idx(Path(staging, _names(split, "images")[0]), images[part])
            write_idx(Path(staging, _names(split, "labels")[0]), labels[part])
        folder = cache / "mnist"
        folder.mkdir(exist_ok=True)
        for file in Path(staging).glob("*.gz"):
            os.replace(file, folder / file.name)


def _fetch(data_home: str) -> tuple[np.ndarray, np.ndarray]:
    # Imported here: it takes a second that nobody with the files at hand should wait for.
    from sklearn.datasets import fetch_openml

    timeout = socket.getdefaulttimeout()
    # fetch_openml has no timeout of its own: a silent network would hold it for minutes.
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bunch = fetch_openml(
                "mnist_784", version=1, as_frame=False, parser="liac-arff",
                data_home=data_home, n_retries=1, delay=0.1,
            )  # fmt: skip
        pixels, labels = np.asarray(bunch.data), np.asarray(bunch.target).astype(np.int64)
    # Whatever goes wrong in there, from DNS to the ARFF parser, means one thing: no download.
    except Exception as error:
        raise DataError(f"no download of mnist_784 from openml.org: {error}") from error
    finally:
        socket.setdefaulttimeout(timeout)
    if not (
        pixels.shape == (70_000, 784)
        and labels.shape == (70_000,)
        and 0 <= pixels.min() <= pixels.max() <= 255
        and set(np.unique(labels)) == set(range(10))
    ):
        raise DataError(
            f"mnist_784 from openml.org: got pixels {pixels.shape} and labels {labels.shape}; "
            "wanted (70000, 784) of 0 to 255 and (70000,) of 0 to 9"
        )
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8)


def _digits(split: str) -> Dataset:
    from sklearn.datasets import load_digits

    small = load_digits()
    # Linear interpolation to 20x20 with a margin of 4, which is the box of MNIST's own digits.
    centres = np.clip((np.arange(20) + 0.5) * 8 / 20 - 0.5, 0, 7)
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(8)))
    large = np.rint(weights @ small.images @ weights.T * (255 / 16)).astype(np.uint8)
    images = np.pad(large, ((0, 0), (4, 4), (4, 4)))[..., None]
    part = slice(None, _TRAIN_DIGITS) if split == "train" else slice(_TRAIN_DIGITS, None)
    return Dataset(images[part], small.target[part].astype(np.uint8), "digits")
