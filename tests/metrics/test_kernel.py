"""KID against its definition, its standard error against the spread of many draws."""

import numpy as np
import pytest

from scratchgan.metrics import kernel, kid


def draw(rng, N, M, shift=0.0, scale=1.0, F=6):
    return rng.standard_normal((N, F)), scale * rng.standard_normal((M, F)) + shift


def by_definition(x, y):
    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    return xx + yy - 2 * np.mean([k(a, b) for a in x for b in y])


def test_it_is_the_mean_over_all_pairs_whatever_the_blocks(monkeypatch):
    x, y = draw(np.random.default_rng(0), 13, 9, 0.5)
    whole = kid(x, y)
    assert whole[0] == pytest.approx(by_definition(x, y), rel=1e-12)
    monkeypatch.setattr(kernel, "AT_ONCE", 30)
    assert kid(x, y) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(
    ("N", "M", "shift", "scale"),
    [(60, 60, 0, 1), (40, 160, 0, 1), (100, 150, 0.3, 1), (150, 60, 0, 1.4), (120, 120, 0.05, 1)],
)
def test_the_standard_error_is_the_spread_of_many_draws(N, M, shift, scale):
    rng = np.random.default_rng(1)
    values, errors = np.array([kid(*draw(rng, N, M, shift, scale)) for _ in range(800)]).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)
    if shift == 0 and scale == 1:  # without bias: 0 in the mean
        assert abs(values.mean()) < 3 * values.std() / 800**0.5


def test_the_variance_has_no_bias():
    """Its root need not be: so the squares are compared, at a place where nothing is cut off."""
    rng = np.random.default_rng(2)
    values, errors = np.array([kid(*draw(rng, 80, 80, 0.4)) for _ in range(1500)]).T
    assert (errors**2).mean() == pytest.approx(values.var(), rel=0.12)


def test_equal_distributions_are_within_two_standard_errors_and_others_are_not():
    rng = np.random.default_rng(3)
    z = [value / error for value, error in (kid(*draw(rng, 200, 200)) for _ in range(100))]
    assert np.mean(np.abs(z) < 2) > 0.9
    value, error = kid(*draw(rng, 200, 200, 0.5))
    assert value > 4 * error


def test_it_does_not_matter_which_is_which():
    x, y = draw(np.random.default_rng(4), 30, 50, 1)
    assert kid(x, y) == pytest.approx(kid(y, x), rel=1e-10)


def test_fewer_than_four_samples_are_refused():
    x, y = draw(np.random.default_rng(5), 4, 3)
    with pytest.raises(ValueError, match=r"fake: expected 4 or more finite rows .* shape \(3, 6\)"):
        kid(x, y)
    assert np.isfinite(kid(x, draw(np.random.default_rng(6), 4, 4)[1])).all()


@pytest.mark.torch
def test_it_is_that_of_torch_fidelity(torch, torch_fidelity):
    metric = torch_fidelity("metric_kid")
    x, y = draw(np.random.default_rng(7), 300, 300, 0.3, F=20)
    options = {"degree": 3, "gamma": None, "coef0": 1}
    found = metric.kid_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), kid_subsets=1, kid_subset_size=300,
        kid_kernel="poly", rng_seed=0, verbose=False,
        **{f"kid_kernel_poly_{name}": value for name, value in options.items()},
    )  # fmt: skip
    assert kid(x, y)[0] == pytest.approx(found[metric.KEY_METRIC_KID_MEAN], rel=1e-9)
