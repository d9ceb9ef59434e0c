"""Scores of samples, against closed forms."""

import numpy as np
import pytest

from scratchgan.metrics import frechet_distance, precision_recall


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_frechet_distance_of_a_set_to_itself_is_zero(rng):
    a = rng.standard_normal((200, 5))
    assert abs(frechet_distance(a, a)) < 1e-10


def test_frechet_distance_of_a_shift_is_its_squared_length(rng):
    a = rng.standard_normal((200, 3))
    assert frechet_distance(a, a + np.array([3, 0, 4])) == pytest.approx(25)


def test_frechet_distance_of_a_stretch_is_that_of_gaussians(rng):
    a = rng.standard_normal((300, 4))
    centred = a - a.mean(0)
    # Covariances C and 9 C: trace(C + 9 C - 2 * 3 C) = 4 trace C.
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * np.trace(np.cov(a.T)))


def test_frechet_distance_is_symmetric_for_correlated_features(rng):
    a = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 4))
    b = rng.standard_normal((200, 4)) @ rng.standard_normal((4, 4))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_half_the_modes_have_full_precision_and_half_recall(rng):
    modes = np.repeat([[0.0, 0.0], [100.0, 0.0]], 200, 0)
    real = modes + rng.standard_normal((400, 2))
    fake = real[:200] + 1e-9
    precision, recall = precision_recall(real, fake)
    assert precision == 1
    assert recall == pytest.approx(0.5)


def test_samples_far_from_all_real_ones_score_nothing(rng):
    real = rng.standard_normal((50, 3))
    assert precision_recall(real, real + 1000) == (0, 0)


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((1, 3)), np.full((4, 3), np.nan)])
def test_bad_features_are_named(bad):
    with pytest.raises(ValueError, match=r"fake: expected two or more finite rows .* got shape"):
        frechet_distance(np.zeros((4, 3)), bad)
    with pytest.raises(ValueError, match="expected equal widths"):
        frechet_distance(np.zeros((4, 3)), np.zeros((4, 2)))


@pytest.mark.parametrize("far", [1e6, 1e8])
def test_scores_do_not_depend_on_where_the_features_lie(rng, far):
    real, fake = rng.standard_normal((2, 300, 4)) * 2.0**-10
    real, fake = (np.round(a * 2**20) / 2**20 for a in (real, fake))  # exact, far away, too
    assert precision_recall(real + far, fake + far) == precision_recall(real, fake)
    near, away = frechet_distance(real, fake), frechet_distance(real + far, fake + far)
    assert away == pytest.approx(near, rel=1e-6)
