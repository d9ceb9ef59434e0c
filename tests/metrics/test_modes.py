"""Mode counts, against values known by heart."""

import math

import numpy as np
import pytest

from scratchgan.data import grid, grid_modes, ring, ring_modes
from scratchgan.metrics import ModeCount, count_classes, count_modes

CENTRES = ring_modes()


def test_one_sample_a_mode_is_perfect():
    assert count_modes(CENTRES, CENTRES, 0.01) == ModeCount(8, 1.0, 0.0)
    assert count_modes(grid_modes(7), grid_modes(7), 0.05) == (49, 1, 0)


def test_all_on_one_mode_has_a_reverse_kl_of_log_k():
    result = count_modes(np.repeat(CENTRES[3:4], 100, 0), CENTRES, 0.01)
    assert (result.modes, result.good) == (1, 1)
    assert result.reverse_kl == pytest.approx(math.log(8))


def test_two_modes_of_eight():
    even = np.repeat(CENTRES[[1, 6]], 50, 0)
    assert count_modes(even, CENTRES, 0.01).reverse_kl == pytest.approx(math.log(4))
    odd = CENTRES[[1, 1, 1, 6]]
    modes, good, reverse_kl = count_modes(odd, CENTRES, 0.01)
    assert (modes, good) == (2, 1)
    assert reverse_kl == pytest.approx(0.75 * math.log(6) + 0.25 * math.log(2))


def test_good_is_within_three_sigma():
    def good(distance):
        return count_modes([[1 + distance, 0.0]], CENTRES, 0.01).good

    assert good(0.0299) == 1
    assert good(0.0301) == 0


def test_bad_samples_count_for_no_mode():
    bad = CENTRES[[5]] + 0.1
    assert count_modes(np.concatenate([CENTRES[:4], bad]), CENTRES, 0.01) == (
        4, 0.8, pytest.approx(math.log(2)),
    )  # fmt: skip


def test_without_a_good_sample_there_are_no_modes():
    modes, good, reverse_kl = count_modes(np.zeros((10, 2)), CENTRES, 0.01)
    assert (modes, good) == (0, 0)
    assert math.isnan(reverse_kl)


@pytest.mark.parametrize(("draw", "centres", "sigma"), [
    (ring, ring_modes(), 0.01), (grid, grid_modes(), 0.05),
])  # fmt: skip
def test_a_perfect_sampler(draw, centres, sigma):
    rng = np.random.default_rng(0)
    many = count_modes(draw(200_000, rng), centres, sigma)
    share = 1 - math.exp(-4.5)
    assert many.good == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 200_000))
    # 2 N KL follows a chi-squared distribution of K - 1 degrees of freedom.
    floors = [count_modes(draw(2500, rng), centres, sigma) for _ in range(100)]
    wanted = (len(centres) - 1) / 5000
    assert np.mean([f.reverse_kl for f in floors]) == pytest.approx(wanted, rel=0.25)
    assert {f.modes for f in floors} == {len(centres)}


def test_any_number_of_dimensions():
    centres = 10 * np.eye(5)
    assert count_modes(centres[:2], centres, 1.0) == (2, 1, pytest.approx(math.log(2.5)))


@pytest.mark.parametrize("bad", [
    np.zeros(2), np.zeros((0, 2)), np.full((3, 2), np.nan), np.full((3, 2), np.inf),
])  # fmt: skip
def test_bad_points_are_named(bad):
    with pytest.raises(ValueError, match=r"samples: expected finite points .* got shape"):
        count_modes(bad, CENTRES, 0.01)
    with pytest.raises(ValueError, match=r"centres: expected finite points .* got shape"):
        count_modes(CENTRES, bad, 0.01)


def test_one_bad_sample_is_enough():
    samples = ring(100, np.random.default_rng(0))
    samples[57, 1] = np.nan
    with pytest.raises(ValueError, match="finite points"):
        count_modes(samples, CENTRES, 0.01)


def test_other_bad_arguments_of_count_modes():
    with pytest.raises(ValueError, match="expected equal widths"):
        count_modes(np.zeros((4, 3)), CENTRES, 0.01)
    for sigma in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(
            ValueError, match=f"sigma: expected a finite number above 0, got {sigma}"
        ):
            count_modes(CENTRES, CENTRES, sigma)


def test_classes_known_by_heart():
    assert count_classes(np.arange(1000), 1000) == (1000, 0)
    assert count_classes(np.full(26_000, 999, np.uint16), 1000) == (
        1, pytest.approx(math.log(1000)),
    )  # fmt: skip
    assert count_classes([0, 4, 0, 4], 10) == (2, pytest.approx(math.log(5)))
    for dtype in (np.uint8, np.uint64):
        assert count_classes(np.zeros(5, dtype), 1) == (1, 0)


def test_a_perfect_sampler_of_stacked_mnist_has_a_kl_of_its_own():
    labels = np.random.default_rng(0).integers(1000, size=26_000)
    modes, kl = count_classes(labels, 1000)
    assert modes == 1000
    assert kl == pytest.approx(999 / 52_000, rel=0.25)


@pytest.mark.parametrize("bad", [[], [[1]], [1.0, 2.0], [float("nan")], [True]])
def test_labels_that_are_no_integers_are_refused(bad):
    with pytest.raises(ValueError, match="labels: expected one integer a sample, got "):
        count_classes(bad, 10)


@pytest.mark.parametrize("bad", [[0, 10], [-1, 3]])
def test_labels_beyond_the_classes_are_refused(bad):
    with pytest.raises(ValueError, match="labels: expected 0 to 9, got "):
        count_classes(bad, 10)
