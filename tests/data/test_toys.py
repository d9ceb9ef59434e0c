"""Points of the plane: their places, their spread, and what is refused."""

import numpy as np
import pytest

from scratchgan.data import grid, grid_modes, ring, ring_modes, swiss_roll, two_moons

DRAWS = [ring, grid, swiss_roll, two_moons]
CENTRES = {ring: ring_modes, grid: grid_modes}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_ring_starts_at_angle_zero_and_goes_round():
    s = np.sqrt(0.5)
    wanted = [[1, 0], [s, s], [0, 1], [-s, s], [-1, 0], [-s, -s], [0, -1], [s, -s]]
    np.testing.assert_allclose(ring_modes(), wanted, atol=1e-15)
    np.testing.assert_allclose(ring_modes(2, 3.0), [[3, 0], [-3, 0]], atol=1e-15)


def test_the_grid_is_that_of_the_papers():
    ticks = (-4, -2, 0, 2, 4)
    assert grid_modes().tolist() == [[x, y] for x in ticks for y in ticks]
    assert grid_modes(2, 1.0).tolist() == [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
    assert grid_modes(1).tolist() == [[0, 0]]


@pytest.mark.parametrize("draw", DRAWS)
def test_points_are_float32_and_the_generator_decides(draw):
    points = draw(50, np.random.default_rng(3))
    assert points.dtype == np.float32
    assert points.shape == (50, 2)
    np.testing.assert_array_equal(points, draw(50, np.random.default_rng(3)))
    assert not np.array_equal(points, draw(50, np.random.default_rng(4)))
    assert draw(1, np.random.default_rng(3)).shape == (1, 2)


@pytest.mark.parametrize(("draw", "sigma"), [(ring, 0.01), (grid, 0.05)])
def test_every_mode_is_an_equal_round_gaussian(draw, sigma, rng):
    n = 200_000
    points, centres = draw(n, rng).astype(float), CENTRES[draw]()
    nearest = ((points[:, None] - centres) ** 2).sum(2).argmin(1)
    K = len(centres)
    counts = np.bincount(nearest, minlength=K)
    # Five standard deviations of a binomial count.
    assert abs(counts - n / K).max() < 5 * np.sqrt(n / K)
    for k in range(K):
        mode = points[nearest == k]
        np.testing.assert_allclose(mode.mean(0), centres[k], atol=5 * sigma / np.sqrt(counts[k]))
        np.testing.assert_allclose(np.cov(mode.T), sigma**2 * np.eye(2), atol=0.1 * sigma**2)


@pytest.mark.parametrize("draw", [ring, grid])
def test_without_spread_only_the_means_are_drawn(draw, rng):
    points = draw(1000, rng, sigma=0)
    wanted = np.unique(CENTRES[draw]().astype(np.float32), axis=0)
    np.testing.assert_array_equal(np.unique(points, axis=0), wanted)


def test_the_sizes_are_kept(rng):
    assert len(np.unique(ring(500, rng, modes=3, radius=7.0, sigma=0), axis=0)) == 3
    radii = np.linalg.norm(ring(500, rng, modes=3, radius=7.0, sigma=0), axis=1)
    np.testing.assert_allclose(radii, 7, rtol=1e-6)
    assert set(grid(500, rng, side=2, spacing=6.0, sigma=0).ravel().tolist()) == {-3, 3}


def test_the_roll_widens_with_its_angle(rng):
    points = swiss_roll(5000, rng, noise=0)
    radii, angles = np.hypot(*points.T), np.arctan2(*points.T[::-1])
    assert 2 / 3 <= radii.min() < 0.68
    assert 1.98 < radii.max() <= 2
    # a = 2.25 pi r, and it is the point's angle up to whole turns.
    turns = (2.25 * np.pi * radii - angles) / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-5)
    # Uniform in the angle: half of the points before its middle, 3 pi, which is r = 4/3.
    assert (radii < 4 / 3).mean() == pytest.approx(0.5, abs=0.04)


def test_the_moons_are_two_half_circles(rng):
    points = two_moons(5000, rng, noise=0)
    assert abs(points[:, 0]).max() <= 2
    assert abs(points[:, 1]).max() <= 1 + 1e-6
    to_upper = np.hypot(points[:, 0] + 2 / 3, points[:, 1] + 1 / 3)
    to_lower = np.hypot(points[:, 0] - 2 / 3, points[:, 1] - 1 / 3)
    upper = abs(to_upper - 4 / 3) < 1e-5
    lower = abs(to_lower - 4 / 3) < 1e-5
    assert (upper | lower).all()
    assert upper.mean() == pytest.approx(0.5, abs=0.04)
    assert points[upper, 1].min() >= -1 / 3 - 1e-6
    assert points[lower, 1].max() <= 1 / 3 + 1e-6


@pytest.mark.parametrize("draw", [swiss_roll, two_moons])
def test_noise_is_added(draw):
    clean, noisy = (draw(20_000, np.random.default_rng(0), noise=noise) for noise in (0, 0.1))
    np.testing.assert_allclose(np.cov((noisy - clean).T), 0.01 * np.eye(2), atol=5e-4)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("n", [0, -1])
def test_no_points_are_refused(draw, n, rng):
    with pytest.raises(ValueError, match=f"n: expected at least 1, got {n}"):
        draw(n, rng)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_bad_spread_is_refused(draw, value, rng):
    name = "sigma" if draw in CENTRES else "noise"
    with pytest.raises(
        ValueError, match=f"{name}: expected a finite number of at least 0, got {value}"
    ):
        draw(5, rng, **{name: value})


@pytest.mark.parametrize(("draw", "count", "length"), [
    (ring, "modes", "radius"), (grid, "side", "spacing"),
])  # fmt: skip
def test_bad_centres_are_refused(draw, count, length, rng):
    for call in (CENTRES[draw], lambda **sizes: draw(5, rng, **sizes)):
        with pytest.raises(ValueError, match=f"{count}: expected at least 1, got 0"):
            call(**{count: 0})
        for value in (0, -1.0, float("nan")):
            with pytest.raises(
                ValueError, match=f"{length}: expected a finite number above 0, got {value}"
            ):
                call(**{length: value})
