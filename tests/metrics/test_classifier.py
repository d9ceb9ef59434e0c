"""The classifier learns digits, and gives features and classes as documented."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from scratchgan.metrics import (
    digit_classifier,
    embed,
    fit_classifier,
    frechet_distance,
    precision_recall,
    predict,
)  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    """Handwritten digits, enlarged: 1,200 to learn from and 597 to be judged by."""
    x, labels = load_digits(return_X_y=True)
    x = np.pad(x.reshape(-1, 8, 8, 1).repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2), (0, 0)))
    x = (x / 8 - 1).astype(np.float32)  # (1797, 28, 28, 1)
    return (x[:1200], labels[:1200]), (x[1200:], labels[1200:])


@pytest.fixture(scope="module")
def network(digits):
    (x, labels), _ = digits
    network = digit_classifier().initialize(0, "numpy")
    return fit_classifier(network, x, labels, np.random.default_rng(0), epochs=4)


def test_it_learns(network, digits):
    _, (x, labels) = digits
    assert (predict(network, x) == labels).mean() > 0.9


def test_features_tell_digits_from_noise(network, digits):
    (x, _), (others, _) = digits
    noise = np.random.default_rng(0).uniform(-1, 1, others.shape).astype(np.float32)
    real, close, far = (embed(network, a) for a in (x, others, noise))
    assert real.shape == (1200, 256)
    assert 10 * frechet_distance(real, close) < frechet_distance(real, far)
    assert precision_recall(real, close)[0] > 0.5 > precision_recall(real, far)[0]


def test_batches_change_nothing(network, digits):
    _, (x, _) = digits
    np.testing.assert_allclose(embed(network, x[:9], batch=4), embed(network, x[:9]), atol=1e-5)
    np.testing.assert_array_equal(predict(network, x[:9], batch=4), predict(network, x[:9]))


def test_the_same_seeds_give_the_same_classifier(digits):
    (x, labels), _ = digits
    thetas = [
        fit_classifier(
            digit_classifier().initialize(3, "numpy"), x[:256], labels[:256],
            np.random.default_rng(4), epochs=1,
        ).theta
        for _ in range(2)
    ]  # fmt: skip
    np.testing.assert_array_equal(*thetas)


@pytest.mark.parametrize("bytes_", [np.zeros((128, 28, 28, 1), np.uint8)])
def test_pixels_that_are_bytes_are_refused(bytes_):
    """They would be taken for numbers from 0 to 255."""
    network = digit_classifier().initialize(0, "numpy")
    for call in (
        lambda: embed(network, bytes_),
        lambda: predict(network, bytes_),
        lambda: fit_classifier(network, bytes_, np.zeros(128, int), np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match=r"of dtype float32 or float64, got uint8$"):
            call()


@pytest.mark.parametrize(
    ("x", "labels", "message"),
    [
        (
            np.zeros((64, 28, 28, 1)),
            np.zeros(63, int),
            r"labels: expected one for each of 64 images, got \(63,\)",
        ),
        (
            np.zeros((5, 28, 28, 1)),
            np.zeros(5, int),
            "images: expected at least one batch of 128, got 5",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused(x, labels, message):
    with pytest.raises(ValueError, match=message):
        fit_classifier(
            digit_classifier().initialize(0, "numpy"), x, labels, np.random.default_rng()
        )
