"""Measures of nearest neighbours, against closed forms, each other and their authors' code."""

import numpy as np
import pytest

from scratchgan.metrics import density_coverage, nearest, neighbours, precision_recall


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_half_the_modes_have_full_precision_and_half_recall(rng):
    modes = np.repeat([[0.0, 0.0], [100.0, 0.0]], 200, 0)
    real = modes + rng.standard_normal((400, 2))
    fake = real[:200] + 1e-9
    precision, recall = precision_recall(real, fake)
    assert precision == 1
    assert recall == pytest.approx(0.5)
    density, coverage = density_coverage(real, fake)
    assert density == pytest.approx(1, abs=0.3)
    assert coverage == pytest.approx(0.5)
    # The other way round, half of the samples are far from all that is real.
    precision, recall = precision_recall(fake, real)
    assert precision == pytest.approx(0.5)
    assert recall == 1
    density, coverage = density_coverage(fake, real)
    assert density == pytest.approx(0.5, abs=0.15)
    assert coverage == 1


def test_samples_far_from_all_real_ones_score_nothing(rng):
    real = rng.standard_normal((50, 3))
    assert precision_recall(real, real + 1000) == (0, 0)
    assert density_coverage(real, real + 1000) == (0, 0)


def test_samples_of_the_same_distribution_score_as_the_paper_expects(rng):
    """Naeem et al., lemma 2: coverage is about 1 - 2^-k for equally many; density is about 1."""
    density, coverage = density_coverage(*rng.standard_normal((2, 2000, 4)), k=3)
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2**-3, abs=0.03)


def test_one_outlier_raises_precision_but_hardly_density(rng):
    real, fake = rng.standard_normal((200, 3)), rng.standard_normal((200, 3)) + 6
    with_outlier = np.concatenate([real, [[9.0, 9.0, 9.0]]])
    assert precision_recall(real, fake)[0] < 0.1
    assert precision_recall(with_outlier, fake)[0] > 0.8
    assert density_coverage(with_outlier, fake)[0] < 0.3


def test_farther_is_worse_in_every_measure(rng):
    real, other = rng.standard_normal((2, 600, 4))
    found = [
        (*precision_recall(real, other + s), *density_coverage(real, other + s)) for s in (0, 1, 3)
    ]
    assert (np.diff(found, axis=0) < 0).all()


def test_more_noise_is_worse_but_recall_does_not_see_it(rng):
    """The balls of samples far apart are large, and hold the more: why there is coverage."""
    real, other, noise = rng.standard_normal((3, 600, 4)) * [1, 1, 1, 0.1]
    sets = [other + s * 10 * noise for s in (0, 0.1, 1)]
    precisions, recalls = zip(*(precision_recall(real, a) for a in sets), strict=True)
    others = [density_coverage(real, a) for a in sets]
    assert (np.diff(others, axis=0) < 0).all() and (np.diff(precisions) < 0).all()
    assert recalls[-1] > 0.8


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("whole", [False, True])
def test_they_are_those_of_prdc(rng, k, whole):
    """Also where distances are equal, as those of whole numbers often are."""
    prdc = pytest.importorskip("prdc")
    real, fake = rng.standard_normal((300, 6)), 1.2 * rng.standard_normal((250, 6)) + 0.2
    if whole:
        real, fake = np.round(2 * real) + 7, np.round(2 * fake) + 7
    found = prdc.compute_prdc(real, fake, k)
    names = ("precision", "recall", "density", "coverage")
    ours = *precision_recall(real, fake, k), *density_coverage(real, fake, k)
    assert ours == pytest.approx([found[name] for name in names], rel=1e-9)


def test_blocks_change_nothing(rng, monkeypatch):
    real, fake = rng.standard_normal((50, 4)), rng.standard_normal((70, 4))
    before = (
        *precision_recall(real, fake),
        *density_coverage(real, fake),
        nearest(real, fake)[1].tolist(),
    )
    monkeypatch.setattr(neighbours, "AT_ONCE", 300)
    after = (
        *precision_recall(real, fake),
        *density_coverage(real, fake),
        nearest(real, fake)[1].tolist(),
    )
    assert before == after


def test_several_k_at_once_are_each_alone(rng):
    real, fake = rng.standard_normal((2, 80, 4))
    three, five = neighbours.balls(real, fake, 3, 5)
    assert (three.holding > 0).mean() == precision_recall(real, fake, 3)[0]
    assert five.covered.mean() == density_coverage(real, fake, 5)[1]


def test_the_nearest_is_found_in_another_set_and_in_the_own(rng):
    a, b = rng.standard_normal((40, 3)), rng.standard_normal((60, 3))
    between = np.linalg.norm(a[:, None] - b, axis=2)
    distance, index = nearest(a, b)
    np.testing.assert_array_equal(index, between.argmin(1))
    np.testing.assert_allclose(distance, between.min(1))
    rows = np.arange(20, 29)
    among = np.linalg.norm(a[rows, None] - a, axis=2)
    among[np.arange(9), rows] = np.inf
    distance, index = nearest(a[rows], a, rows)
    np.testing.assert_array_equal(index, among.argmin(1))
    np.testing.assert_allclose(distance, among.min(1))


@pytest.mark.parametrize("far", [1e6, 1e8])
def test_measures_do_not_depend_on_where_the_features_lie(rng, far):
    real, fake = rng.standard_normal((2, 300, 4)) * 2.0**-10
    real, fake = (np.round(a * 2**20) / 2**20 for a in (real, fake))  # exact, far away, too
    for measure in (precision_recall, density_coverage):
        assert measure(real + far, fake + far) == measure(real, fake)


def test_too_few_samples_and_no_neighbours_are_refused(rng):
    real = rng.standard_normal((6, 3))
    with pytest.raises(ValueError, match="fake: expected 6 or more finite rows"):
        density_coverage(real, real[:5])
    with pytest.raises(ValueError, match="k: expected 1 or more, got 0"):
        precision_recall(real, real, 0)
