"""The Fréchet distance, against closed forms and torch-fidelity."""

import numpy as np
import pytest

from scratchgan.metrics import frechet_distance


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


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((1, 3)), np.full((4, 3), np.nan)])
def test_bad_features_are_named(bad):
    with pytest.raises(ValueError, match=r"fake: expected two or more finite rows .* got shape"):
        frechet_distance(np.zeros((4, 3)), bad)
    with pytest.raises(ValueError, match="expected equal widths"):
        frechet_distance(np.zeros((4, 3)), np.zeros((4, 2)))


@pytest.mark.parametrize("far", [1e6, 1e8])
def test_the_distance_does_not_depend_on_where_the_features_lie(rng, far):
    real, fake = rng.standard_normal((2, 300, 4)) * 2.0**-10
    real, fake = (np.round(a * 2**20) / 2**20 for a in (real, fake))  # exact, far away, too
    near, away = frechet_distance(real, fake), frechet_distance(real + far, fake + far)
    assert away == pytest.approx(near, rel=1e-6)


def test_nan_is_counted_and_the_cure_named():
    bad = np.zeros((9, 3))
    bad[4, 1], bad[7] = np.inf, np.nan
    with pytest.raises(ValueError, match=r"real: .* NaN or infinity in 2 of them; look at these"):
        frechet_distance(bad, np.zeros((9, 3)))


def test_no_more_samples_than_features_are_refused(rng):
    enough, few = rng.standard_normal((9, 8)), rng.standard_normal((8, 8))
    assert np.isfinite(frechet_distance(enough, enough + 1))
    message = r"fake: expected at least 9 rows, got 8: the covariance of 8 features .* fewer than 8"
    with pytest.raises(ValueError, match=message):
        frechet_distance(enough, few)


def test_more_noise_is_farther(rng):
    real, other, noise = rng.standard_normal((3, 600, 4))
    found = [frechet_distance(real, other + s * noise) for s in (0, 0.3, 1)]
    assert found[0] < found[1] < found[2]


@pytest.mark.torch
def test_it_is_that_of_torch_fidelity(torch, torch_fidelity, rng):
    metric = torch_fidelity("metric_fid")
    real, fake = rng.standard_normal((400, 20)), 1.2 * rng.standard_normal((300, 20)) + 0.1
    stats = [metric.fid_features_to_statistics(torch.from_numpy(a)) for a in (real, fake)]
    found = metric.fid_statistics_to_metric(*stats, False)[metric.KEY_METRIC_FID]
    assert frechet_distance(real, fake) == pytest.approx(found, rel=1e-9)
