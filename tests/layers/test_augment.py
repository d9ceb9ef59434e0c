import numpy as np
import pytest

from scratchgan import Augment, ShapeError
from scratchgan.gan.discriminator import AUGMENTATIONS

RNG = np.random.default_rng(0)


def images(n=200, H=16, W=24, C=3):
    return RNG.uniform(-0.9, 0.9, (n, H, W, C))


def test_in_evaluation_it_does_nothing():
    x = images(3)
    y, cache = Augment().forward(x, train=False)
    assert y is x and cache is None


def test_it_is_seeded_and_draws_anew_each_time():
    def draws(seed):
        layer = Augment().initialize(seed, dtype="float64")
        return [layer.forward(x)[0] for _ in range(2)]

    x = images(5)
    np.testing.assert_array_equal(draws(1), draws(1))
    assert all((a != b).any() for a, b in zip(draws(1)[0], draws(1)[1], strict=True))
    assert (draws(1)[0] != draws(2)[0]).any()


def test_translation_moves_an_image_by_an_eighth_at_most_and_fills_with_black():
    x = images(400, 16, 24, 1)
    y, _ = Augment("translation").forward(x)
    shifts = set()
    for before, after in zip(x, y, strict=True):
        padded = np.pad(before, ((2, 2), (3, 3), (0, 0)), constant_values=-1)
        found = [
            (p, q) for p in range(5) for q in range(7)
            if np.array_equal(after, padded[p : p + 16, q : q + 24])
        ]  # fmt: skip
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) == 5 * 7


def test_cutout_blackens_one_rectangle_of_half_the_sides():
    x = images(300, 16, 24, 2)
    y, _ = Augment("cutout").forward(x)
    sizes = []
    for before, after in zip(x, y, strict=True):
        cut = (after == -1).all(-1)
        np.testing.assert_array_equal(after[~cut], before[~cut])
        rows, columns = cut.any(1), cut.any(0)
        assert cut.sum() == rows.sum() * columns.sum()  # one rectangle
        sizes.append((int(rows.sum()), int(columns.sum())))
    assert max(sizes) == (8, 12) and min(sizes)[0] <= 5  # it is cut off at the border


def test_colour_changes_brightness_saturation_and_contrast():
    x = images(2000, 4, 4, 3)
    y, (s, c, *_) = Augment("colour").forward(x)
    assert s.min() >= 0 and s.max() < 2 and s.max() - s.min() > 1.9
    assert c.min() >= 0.5 and c.max() < 1.5 and c.max() - c.min() > 0.95
    moved = (y - x).mean((1, 2, 3))  # neither saturation nor contrast changes the mean
    assert abs(moved).max() <= 0.5 and abs(moved).max() > 0.48
    grey = y.mean(3, keepdims=True)
    spread = (y - grey).std((1, 2, 3)) / (x - x.mean(3, keepdims=True)).std((1, 2, 3))
    np.testing.assert_allclose(spread, (s * c).ravel(), rtol=1e-9)
    contrast = grey.std((1, 2, 3)) / x.mean(3).std((1, 2))
    np.testing.assert_allclose(contrast, c.ravel(), rtol=1e-9)


@pytest.mark.parametrize("kinds", AUGMENTATIONS)
def test_backward_is_the_adjoint_of_the_linear_part(kinds):
    layer, x, dy = Augment(kinds), images(6, 7, 9), images(6, 7, 9)
    y, cache = layer.forward(x)
    constant = y - layer.A(x, cache)
    t = images(6, 7, 9)
    np.testing.assert_allclose(layer.A(x + t, cache) + constant, y + layer.A(t, cache), atol=1e-12)
    assert np.vdot(layer.A(t, cache), dy) == pytest.approx(
        np.vdot(t, layer.backward(dy, cache)), rel=1e-12
    )
    jt, bend = layer.double_backward(t, dy, cache)
    np.testing.assert_array_equal(jt, layer.A(t, cache))
    assert bend is None


def test_what_it_cannot_take_is_refused():
    with pytest.raises(ValueError, match=r"Augment: expected some of colour, .* got 'flip'"):
        Augment("flip")
    with pytest.raises(ShapeError, match=r"Augment\(.*\): expected input of shape \(N, H, W, C\)"):
        Augment().forward(np.zeros((4, 6)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_keeps_the_dtype(dtype):
    layer, x = Augment(), images(3).astype(dtype)
    y, cache = layer.forward(x)
    assert y.dtype == layer.backward(y, cache).dtype == dtype
