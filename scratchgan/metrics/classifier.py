"""A classifier of small images, made of this library's layers, whose eyes the scores borrow.

Its last hidden layer gives the features that `frechet_distance` and `precision_recall` compare,
its predictions the classes that `count_classes` counts. Like LeCun et al., 1998 (LeNet-5), two
convolutions and two dense layers; as in Bińkowski et al., 2018 (MMD GANs), section 5, one of its
kind stands in for the Inception network where images are digits.
"""

import numpy as np
from tqdm import tqdm

from ..backend import ops_of
from ..layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, ReLU, Sequential
from ..losses import softmax_cross_entropy
from ..optim import Adam, cosine

__all__ = ["digit_classifier", "embed", "fit_classifier", "predict", "predict_from"]

WIDTH = 256  # of a feature vector
HALVE = {"kernel": 4, "stride": 2, "padding": 1, "bias": False}


def digit_classifier():
    """28x28x1 -> 14x14x32 -> 7x7x64 -> 256 features -> 10 logits, not yet initialised.

    Returns
    -------
    Sequential
        Of two parts: the features (N, 28, 28, 1) -> (N, 256), and their logits (N, 10).
    """
    return Sequential(
        Sequential(
            Conv2D(1, 32, **HALVE), BatchNorm(32), ReLU(),
            Conv2D(32, 64, **HALVE), BatchNorm(64), ReLU(),
            Flatten(), Dropout(0.25),
            Dense(7 * 7 * 64, WIDTH, bias=False), BatchNorm(WIDTH), ReLU(),
        ),
        Sequential(Dropout(0.5), Dense(WIDTH, 10)),
    )  # fmt: skip


def fit_classifier(network, x, labels, rng, *, epochs=8, batch_size=128, lr=2e-3):
    """Train by Adam on the cross-entropy of the labels; the rate falls to 0 on a cosine.

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
        What is left at an epoch's end and fills no batch is dropped.
    lr : float
        The first rate.

    Returns
    -------
    network

    Raises
    ------
    ValueError
        Not a label an image, or fewer images than a batch.
    """
    if labels.shape != (len(x),):
        raise ValueError(f"labels {labels.shape} given, one for each of {len(x)} images wanted")
    if len(x) < batch_size:
        raise ValueError(f"{len(x)} images given, at least one batch of {batch_size} wanted")
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


def embed(network, x, batch=512):
    """The features (N, F) of images (N, H, W, C) in [-1, 1], on the host."""
    first, _ = network.layers
    return _batchwise(first, x, batch)


def predict(network, x, batch=512):
    """The class (N,) of each image (N, H, W, C) in [-1, 1], on the host."""
    return predict_from(network, embed(network, x, batch), batch)


def predict_from(network, features, batch=512):
    """`predict`, where the features (N, F) of the images are known already."""
    _, last = network.layers
    return _batchwise(last, features, batch).argmax(1)


def _batchwise(network, x, batch):
    """The outputs of a network in evaluation mode, ``batch`` images at a time."""
    ops, dtype = ops_of(network.theta), network.theta.dtype
    parts = (ops.asarray(x[i : i + batch], dtype) for i in range(0, len(x), batch))
    return np.concatenate([ops.to_host(network.forward(p, train=False)[0]) for p in parts])
