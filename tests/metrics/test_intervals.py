"""The bootstrap gives the spread that many draws have."""

import numpy as np
import pytest

from scratchgan.metrics import bootstrap, frechet_distance


def test_its_spread_is_that_of_a_mean():
    a = np.random.default_rng(0).standard_normal(400)
    assert bootstrap(np.mean, a).std() == pytest.approx(a.std() / 20, rel=0.1)


def test_its_percentiles_hold_a_share_in_95_of_100_draws():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = np.percentile(
            bootstrap(np.mean, rng.random(300) < 0.3, rounds=300), (2.5, 97.5)
        )
        held += low <= 0.3 <= high
    assert 0.9 < held / 200 < 0.99


def test_its_spread_is_that_of_the_frechet_distance():
    rng = np.random.default_rng(2)
    draws = [(rng.standard_normal((300, 5)), rng.standard_normal((300, 5)) + 1) for _ in range(150)]
    wanted = np.std([frechet_distance(*draw) for draw in draws])
    again = [bootstrap(frechet_distance, *draw, rounds=60) for draw in draws[:20]]
    assert np.mean([a.std() for a in again]) == pytest.approx(wanted, rel=0.15)
    assert np.mean(again) > np.mean([frechet_distance(*draw) for draw in draws])  # as it says


def test_samples_are_drawn_one_by_one_and_independently():
    a, b = np.arange(50), np.arange(80)
    pairs = []
    bootstrap(lambda x, y: pairs.append((x, y)) or 0.0, a, b, rounds=3)
    for x, y in pairs:
        assert x.shape == (50,) and y.shape == (80,) and len(set(x)) < 50
        assert not np.array_equal(x, y[:50])
    assert not np.array_equal(pairs[0][0], pairs[1][0])
