"""Judges: what turns images into the features that are compared, and may read their classes."""

import json
import math
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from .. import metrics
from ..data import Dataset, cache_dir, to_unit
from ..files import read_arrays, write_arrays
from ..layers import Sequential

VERSION = 1  # raise it when `class_judge` changes: then old files are not used
PART = 512  # images judged at a time
MOST_FLOATS = 1 << 28  # 1 GB of pixels to learn from
STEPS = 400  # the fewest that a classifier is trained for


class Judge(NamedTuple):
    """A judge: it makes features of images, uint8 (N, H, W, C).

    Attributes
    ----------
    name : str
        What it is, in words.
    features : callable, images (N, H, W, C) -> (N, F)
    classes : int
        How many classes it tells apart; 0 if it reads none.
    read : callable, features (N, F) -> integers (N,), or None
    accuracy : float or None
        Share of real images that it reads right, of those that it has not learned from.
    shape : tuple or None
        The height and width that it takes, where they are fixed.
    """

    name: str
    features: Callable[[np.ndarray], np.ndarray]
    classes: int = 0
    read: Callable[[np.ndarray], np.ndarray] | None = None
    accuracy: float | None = None
    shape: tuple[int, int] | None = None


def network_judge(network: Sequential, name: str, classes: int) -> Judge:
    """Return the judge that a trained classifier of ours is."""
    return Judge(name, partial(_features, network), classes, partial(metrics.predict_from, network))


def class_judge(data: Dataset, width: int) -> Judge:
    """Return a classifier of the user's own labels, trained once on nine tenths of the images.

    Parameters
    ----------
    data : Dataset
        The real images, with labels.
    width : int
        Length of a feature vector.

    Returns
    -------
    Judge
        With its accuracy on the last tenth. It is kept in the cache, under the data's checksum.

    Raises
    ------
    ValueError
        If there are no labels, or all are equal.
    """
    images, labels = data.images, data.labels
    if labels is None or labels.min() == labels.max():
        got = "none" if labels is None else "only one class"
        cure = "name them: a folder for each class, or `labels` in the .npz; or another `judge=`"
        raise ValueError(f"`judge=labels`: expected labels of the real images, got {got}; {cure}")
    order, held = np.random.default_rng(0).permutation(len(images)), math.ceil(len(images) / 10)
    most = MOST_FLOATS // images[0].size
    test, train = np.sort(order[:held]), np.sort(order[held : held + most])
    classes = int(labels.max()) + 1
    network = metrics.image_classifier(images.shape[1:], classes, width).initialize(0)
    crc = zlib.crc32(labels.tobytes(), zlib.crc32(np.ascontiguousarray(images).data))
    about = json.dumps(
        {"recipe": VERSION, "width": width, "shape": images.shape, "images": f"{crc:08x}"}
    )
    path = cache_dir() / "judges" / f"{crc:08x}-{width}.safetensors"
    what = f"a judge of the {classes} classes of {data.name}, once"
    trained_once(network, path, about, what, lambda: fit(network, images[train], labels[train]))
    name = f"a classifier of the {classes} classes of {data.name}"
    judge = network_judge(network, name, classes)
    right = metrics.predict_from(network, judge.features(images[test])) == labels[test]
    return judge._replace(accuracy=float(right.mean()))


def random_judge(shape: tuple[int, int, int], width: int) -> Judge:
    """Return the features of an untrained network: always the same, and a rough guide only."""
    say("no judge was trained on such images: the features are those of an untrained network.")
    say("They see colours and textures, hardly objects; docs/score.md tells how to name a judge")
    network = metrics.image_classifier(shape, 2, width).initialize(0)
    return Judge("RANDOM FEATURES, a rough guide only", partial(_features, network))


def onnx_judge(path: str | Path) -> Judge:
    """Return the features that an ONNX file computes: its first output, flattened to (N, F).

    Parameters
    ----------
    path : path-like
        A network with one input: (N, C, H, W) or (N, H, W, C), where C is 1 or 3. An input of
        float32 gets pixels from -1 to 1, one of uint8 bytes.

    Returns
    -------
    Judge

    Raises
    ------
    ValueError
        If the file is another one, or onnxruntime is not installed. Its ``features`` raise it for
        images of another size.
    """
    try:
        import onnxruntime
    except ImportError as error:
        cure = "pip install 'scratchgan[score]'"
        raise ValueError(f"{path}: needs the package onnxruntime; {cure}") from error
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; expected an ONNX file")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many kinds, for a damaged file
        raise ValueError(f"{path}: expected an ONNX file, cannot be read: {error}") from error
    kinds = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
    (node, *others), wanted = session.get_inputs(), "one input (N, C, H, W) or (N, H, W, C)"
    first, last = ([*node.shape, 0, 0, 0, 0][i] in (1, 3) for i in (1, 3))
    if others or node.type not in kinds or len(node.shape) != 4 or first == last:
        got = f"{1 + len(others)} inputs" if others else f"{node.type} {tuple(node.shape)}"
        wanted += " of float32 or uint8, where C is 1 or 3"
        raise ValueError(f"{path}: expected {wanted}, got {got}; fix C when you export it")
    batch, *sizes = node.shape if last else (node.shape[i] for i in (0, 2, 3, 1))  # (H, W, C)
    whole = batch if isinstance(batch, int) else 64

    def compute(images):
        """Return the features of at most ``whole`` images."""
        x = np.resize(images, (batch, *images.shape[1:])) if isinstance(batch, int) else images
        x = x if kinds[node.type] is np.uint8 else to_unit(x)  # (N, H, W, C)
        x = x if last else np.ascontiguousarray(x.transpose(0, 3, 1, 2))  # (N, C, H, W)
        try:
            out = session.run([session.get_outputs()[0].name], {node.name: x})[0]
        except Exception as error:  # as above
            raise ValueError(f"{path}: cannot judge images {images.shape[1:]}: {error}") from error
        if len(out) != len(x):
            raise ValueError(f"{path}: expected features of {len(x)} images, got {out.shape}")
        return out[: len(images)].reshape(len(images), -1)  # (N, F)

    def features(images):
        for size, got in zip(sizes, images.shape[1:], strict=True):
            if isinstance(size, int) and size != got:
                wanted = tuple(s if isinstance(s, int) else "any" for s in sizes)
                cure = "put a resize into the file, or give images of this size: see docs/score.md"
                got = images.shape[1:]
                raise ValueError(f"{path}: expected images (H, W, C) {wanted}, got {got}; {cure}")
        return _in_parts(compute, images, whole)

    H, W, _ = sizes
    fixed = (H, W) if isinstance(H, int) and isinstance(W, int) else None
    return Judge(f"the network {Path(path).name}", features, shape=fixed)


def trained_once(
    network: Sequential, path: Path, about: str, what: str, train: Callable[[], Any]
) -> None:
    """Read a network from the cache; or train it, say so, and keep it there.

    Parameters
    ----------
    network : Sequential
        Initialised; it is changed.
    path : Path
        The file in the cache.
    about : str
        What the file must say of itself to be used.
    what : str
        What is trained, for the user.
    train : callable
    """
    try:
        arrays, found = read_arrays(path)
        if found == about:
            network.load_state_dict(arrays)
            return
    except (OSError, ValueError):  # missing, damaged: train a new one
        pass
    say(f"training {what}; it will be kept in {path}")
    train()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, network.state_dict(), about)
    except OSError as error:  # no reason to lose the judge that has just been trained
        say(f"the judge is used now, but not kept: {error}")


def fit(network: Sequential, images: np.ndarray, labels: np.ndarray) -> Sequential:
    """Train a classifier on bytes: at least eight epochs, and more where images are few."""
    batch = min(128, len(images))
    epochs = max(8, math.ceil(STEPS / (len(images) // batch)))
    rng = np.random.default_rng(0)
    return metrics.fit_classifier(
        network, to_unit(images), labels, rng, epochs=epochs, batch_size=batch
    )


def say(text: str) -> None:
    """Print a line for the user on stderr."""
    print(f"scratchgan: {text}", file=sys.stderr)


def _features(network, images):
    return _in_parts(lambda part: metrics.embed(network, to_unit(part)), images, PART)


def _in_parts(compute, images, size):
    """Return the features of all images, ``size`` of them at a time, with a bar if it lasts."""
    starts = tqdm(range(0, len(images), size), desc="features", delay=1, leave=False)
    return np.concatenate([compute(images[i : i + size]) for i in starts])
