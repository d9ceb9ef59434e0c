"""A classifier of small images, made of this library's layers; the scores are based on it.

Its last hidden layer gives the features that `frechet_distance` and `precision_recall` compare.
Its predictions give the classes that `count_classes` counts. It has two convolutions and two dense
layers, like LeCun et al., 1998 (LeNet-5). Bińkowski et al., 2018 (MMD GANs), section 5, use such a
network in place of Inception where images are digits.
"""

import numpy as np
from tqdm.auto import tqdm

from ..backend import ops_of
from ..layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, ReLU, Sequential
from ..layers.base import expect_floats
from ..losses import softmax_cross_entropy
from ..optim import Adam, cosine

WIDTH = 256  # length of a feature vector
HALVE: dict = {"kernel": 4, "stride": 2, "padding": 1, "bias": False}


def digit_classifier() -> Sequential:
    """Build the network 28x28x1 -> 14x14x32 -> 7x7x64 -> 256 features -> 10 logits.

    Returns
    -------
    Sequential
        Not yet initialised. Its two parts give the features (N, 28, 28, 1) -> (N, 256), and their
        logits (N, 10).
    """
    return image_classifier((28, 28, 1), 10)


def image_classifier(shape: tuple[int, int, int], classes: int, width: int = WIDTH) -> Sequential:
    """Build a classifier of images of any size: convolutions halve it to at most 7 pixels a side.

    Parameters
    ----------
    shape : (H, W, C)
        Of an image.
    classes : int
    width : int
        Length of a feature vector.

    Returns
    -------
    Sequential
        Not yet initialised. Its two parts give the features (N, H, W, C) -> (N, width), and their
        logits (N, classes).
    """
    H, W, C = shape
    layers, c_out = [], 32
    while max(H, W) > 7 and min(H, W) > 1:
        layers += [Conv2D(C, c_out, **HALVE), BatchNorm(c_out), ReLU()]  # (N, H/2, W/2, c_out)
        H, W, C, c_out = H // 2, W // 2, c_out, min(2 * c_out, 128)
    return Sequential(
        Sequential(
            *layers, Flatten(), Dropout(0.25),
            Dense(H * W * C, width, bias=False), BatchNorm(width), ReLU(),
        ),
        Sequential(Dropout(0.5), Dense(width, classes)),
    )  # fmt: skip


def fit_classifier(
    network: Sequential, x: np.ndarray, labels: np.ndarray, rng: np.random.Generator, *,
    epochs: int = 8, batch_size: int = 128, lr: float = 2e-3,
) -> Sequential:  # fmt: skip
    """Train a classifier with Adam on the cross-entropy; a cosine schedule lowers the rate to 0.

    Parameters
    ----------
    network : Sequential
        Initialised; its parameters are changed.
    x : float array (M, H, W, C)
        Host images in [-1, 1].
    labels : integer array (M,)
    rng : np.random.Generator
        Draws the order of the images.
    epochs, batch_size : int
        The images left at an epoch's end, fewer than a batch, are dropped.
    lr : float
        The first learning rate.

    Returns
    -------
    network

    Raises
    ------
    ValueError
        If there is not one label for each image, or fewer images than a batch.
    """
    expect_floats("fit_classifier", "images", x)
    if labels.shape != (len(x),):
        raise ValueError(f"labels: expected one for each of {len(x)} images, got {labels.shape}")
    if len(x) < batch_size:
        raise ValueError(f"images: expected at least one batch of {batch_size}, got {len(x)}")
    ops, dtype = ops_of(network.theta), network.theta.dtype
    batches = len(x) // batch_size
    optimiser = Adam(network, lr=cosine(lr, epochs * batches))
    with tqdm(total=epochs * batches, unit="batch", desc="classifier") as bar:
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for batch in order[: batches * batch_size].reshape(batches, batch_size):
                logits, cache = network.forward(ops.asarray(x[batch], dtype))  # (batch_size, K)
                _, dlogits = softmax_cross_entropy(logits, ops.asarray(labels[batch]))
                network.zero_grad()
                network.backward(dlogits, cache, into_params="only")
                optimiser.step()
                bar.update()
    return network


def embed(network: Sequential, x: np.ndarray, batch: int = 512) -> np.ndarray:
    """Return the features (N, F) of images (N, H, W, C) in [-1, 1], on the host."""
    first, _ = network.layers
    return _batchwise(first, x, batch)


def predict(network: Sequential, x: np.ndarray, batch: int = 512) -> np.ndarray:
    """Return the class (N,) of each image (N, H, W, C) in [-1, 1], on the host."""
    return predict_from(network, embed(network, x, batch), batch)


def predict_from(network: Sequential, features: np.ndarray, batch: int = 512) -> np.ndarray:
    """Return the class (N,) of each image from its features (N, F), see `embed`."""
    _, last = network.layers
    return _batchwise(last, features, batch).argmax(1)


def _batchwise(network, x, batch):
    """Return a network's outputs in evaluation mode, computed ``batch`` images at a time."""
    expect_floats("classifier", "input", x)
    ops, dtype = ops_of(network.theta), network.theta.dtype
    parts = (ops.asarray(x[i : i + batch], dtype) for i in range(0, len(x), batch))
    return np.concatenate([ops.to_host(network.forward(p, train=False)[0]) for p in parts])
