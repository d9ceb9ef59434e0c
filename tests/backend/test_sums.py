"""Sums for which plain ones in their own dtype fail, and that all others stay what they were."""

import numpy as np
import pytest

from scratchgan.backend import reference
from scratchgan.backend.sums import centred, lengths

from ..compare import assert_close

RNG = np.random.default_rng(0)
SIZES = [0.0, 1e-44, 1e-38, 1e-30, 1e-25, 1e-19, 1e-10, 1.0, 1e10, 1e19, 1e25, 1e37]


@pytest.mark.parametrize("size", SIZES)
def test_lengths_and_directions_are_those_of_float64(size):
    a = (size * RNG.standard_normal((5, 9))).astype(np.float32)
    b, length, scale = lengths(reference, a)
    exact = a.astype(float)
    assert b.dtype == length.dtype == np.float32
    assert_close(length.astype(float) * scale, np.linalg.norm(exact, axis=1), 1e-6)
    wanted = exact / (np.linalg.norm(exact, axis=1, keepdims=True) if size else 1)
    assert_close(b / (length[:, None] if size else 1), wanted, 1e-6)


def test_each_row_has_its_own_scale_and_ordinary_rows_keep_their_bits():
    a = RNG.standard_normal((len(SIZES), 9)).astype(np.float32)
    plain = np.sqrt((a * a).sum(1))
    scales = np.array([1, 1e-30, 1e30], np.float32)
    b, length, scale = lengths(reference, np.concatenate([a * s for s in scales]))
    np.testing.assert_array_equal(b[: len(a)], a)
    np.testing.assert_array_equal(length[: len(a)], plain)
    assert_close(length * scale / np.repeat(scales, len(a)), np.tile(plain, 3), 1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_length_that_is_no_number_is_none(bad):
    a = np.ones((2, 3), np.float32)
    a[1, 1] = bad
    with np.errstate(invalid="ignore"):
        _, length, scale = lengths(reference, a)
    assert np.isfinite(length * scale).tolist() == [True, False]


@pytest.mark.parametrize("axes", [0, (1, 2), None])
@pytest.mark.parametrize("far", [0, 1e3, 1e6, 1e7])
def test_what_float32_holds_is_centred_as_in_float64(axes, far):
    x = (far + RNG.standard_normal((8, 5, 6))).astype(np.float32)
    found, sigma = centred(reference, x, axes, 1e-5)
    exact = x.astype(float) - x.mean(axes, dtype=float, keepdims=True)
    assert found.dtype == sigma.dtype == np.float32
    assert_close(found, exact, 1e-6)
    assert_close(sigma, np.sqrt(exact.var(axes, keepdims=True) + 1e-5), 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [10000.1, -1e6 - 0.5, 1e15 + 0.3])
def test_equal_numbers_are_0_when_centred(value, dtype):
    found, sigma = centred(reference, np.full((100, 7), value, dtype), 0, 1e-5)
    assert np.abs(found).max() <= (0 if dtype == "float32" or value > 1e9 else 1e-8)
    np.testing.assert_allclose(sigma, np.sqrt(1e-5), rtol=1e-6)


def test_ordinary_numbers_take_the_short_way_to_the_same_bits():
    x = (3 + RNG.standard_normal((64, 7))).astype(np.float32)
    found, sigma = centred(reference, x, 0, 1e-5)
    plain = x - x.mean(0)
    np.testing.assert_array_equal(found, plain)
    np.testing.assert_array_equal(sigma[0], np.sqrt((plain * plain).mean(0) + 1e-5))
