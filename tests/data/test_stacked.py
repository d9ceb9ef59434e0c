"""Stacked digits: three channels that are digits, and a label that says which."""

import numpy as np
import pytest

from scratchgan.data import stacked, to_unit

# Each image says its own number in its pixels, and its digit is its number modulo 10.
COUNT = 40
IMAGES = np.broadcast_to(np.arange(COUNT, dtype=np.uint8)[:, None, None, None], (COUNT, 5, 4, 1))
LABELS = np.arange(COUNT) % 10


def make(n=3000, seed=0, images=IMAGES, labels=LABELS):
    return stacked(images, labels, n, np.random.default_rng(seed))


def test_the_label_is_the_number_of_the_three_digits():
    data = make()
    images, labels, name = data
    assert (name, data.digest) == ("stacked", None)
    assert (images.dtype, images.shape) == (np.uint8, (3000, 5, 4, 3))
    assert (labels.dtype, labels.shape) == (np.uint16, (3000,))
    numbers = images[:, 0, 0].astype(int)  # (n, 3)
    np.testing.assert_array_equal(images, np.broadcast_to(numbers[:, None, None], images.shape))
    np.testing.assert_array_equal(labels, (numbers % 10) @ [100, 10, 1])
    assert labels.max() > 980


def test_a_whole_image_goes_into_a_channel():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (9, 28, 28, 1), np.uint8)
    result = make(20, images=images, labels=np.arange(9, dtype=np.uint8))
    assert result.images.shape == (20, 28, 28, 3)
    for image, label in zip(result.images, result.labels, strict=True):
        for c, digit in enumerate(f"{label:03d}"):
            np.testing.assert_array_equal(image[..., c], images[int(digit), ..., 0])
    assert to_unit(result.images).shape == (20, 28, 28, 3)


def test_channels_are_independent_and_all_digits_come():
    labels = make(100_000).labels.astype(int)
    counts = np.bincount(labels, minlength=1000)
    assert len(counts) == 1000
    # Six standard deviations of a Poisson count.
    assert abs(counts - 100).max() < 60


def test_the_generator_decides():
    first = make(50)
    np.testing.assert_array_equal(first.images, make(50).images)
    np.testing.assert_array_equal(first.labels, make(50).labels)
    assert not np.array_equal(first.labels, make(50, seed=1).labels)


@pytest.mark.parametrize("images", [
    IMAGES.astype(np.float32), IMAGES[..., 0], np.repeat(IMAGES, 3, 3), IMAGES[:0],
])  # fmt: skip
def test_other_images_are_refused(images):
    with pytest.raises(ValueError, match=r"images: expected uint8 \(M, H, W, 1\), got "):
        make(images=images)


@pytest.mark.parametrize("labels", [None, LABELS[1:], LABELS[:, None], LABELS.astype(float)])
def test_other_labels_are_refused(labels):
    with pytest.raises(ValueError, match=r"labels: expected 40 integers, got "):
        make(labels=labels)


@pytest.mark.parametrize("shift", [-1, 1])
def test_labels_beyond_the_digits_are_refused(shift):
    with pytest.raises(ValueError, match=r"labels: expected digits 0 to 9, got "):
        make(labels=LABELS + shift)


@pytest.mark.parametrize("n", [0, -3])
def test_no_images_are_refused(n):
    with pytest.raises(ValueError, match=f"n: expected at least 1, got {n}"):
        make(n)
