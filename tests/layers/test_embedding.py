import numpy as np
import pytest

from scratchgan import Embedding, ShapeError

LABELS = np.array([2, 0, 1, 2, 0])  # of four classes: two of them twice, one never


def test_an_embedding_picks_rows_and_adds_up_what_comes_back():
    layer = Embedding(4, 2).initialize(dtype="float64")
    layer.w.value[...] = [[1, 2], [3, 4], [5, 6], [7, 8]]
    y, cache = layer.forward(LABELS)
    np.testing.assert_array_equal(y, [[5, 6], [1, 2], [3, 4], [5, 6], [1, 2]])
    dy = np.array([[1.0, 10], [2, 20], [3, 30], [4, 40], [5, 50]])
    assert layer.backward(dy, cache) is None
    np.testing.assert_array_equal(layer.w.grad, [[2 + 5, 20 + 50], [3, 30], [1 + 4, 50], [0, 0]])
    layer.backward(dy, cache, into_params=False)
    assert layer.w.grad[1, 0] == 3
    layer.backward(dy, cache, into_params="only")
    assert layer.w.grad[1, 0] == 6


def test_an_embedding_hands_out_copies():
    layer = Embedding(4, 2).initialize(dtype="float64")
    before = layer.w.value.copy()
    layer.forward(LABELS)[0].fill(0)
    np.testing.assert_array_equal(layer.w.value, before)


def test_the_slope_of_an_embedding_is_zero_along_anything():
    layer = Embedding(4, 2).initialize()
    y, cache = layer.forward(LABELS)
    jt, bend = layer.double_backward(None, np.ones_like(y), cache)
    assert jt.shape == y.shape
    assert bend is None
    assert not jt.any()
    assert not layer.grad.any()


def test_an_embedding_starts_at_the_standard_normal_distribution():
    w = Embedding(100, 200).initialize(1, dtype="float64").w.value
    assert abs(w.mean()) < 5 / np.sqrt(w.size)
    assert abs(w.var() - 1) < 5 * np.sqrt(2 / w.size)
    assert (Embedding(2, 3, init=lambda rng, s: np.ones(s)).initialize().w.value == 1).all()


def test_labels_of_an_embedding_by_itself():
    layer = Embedding(4, 2).initialize()
    with pytest.raises(
        ShapeError, match=r"^Embedding\(4, 2\): expected .* \(N,\), got int64 of shape \(5, 1\)$"
    ):
        layer.forward(LABELS[:, None])
    with pytest.raises(TypeError, match=r"^expected a NumPy or CuPy array, got list$"):
        layer.forward([0, 1])
    with pytest.raises(RuntimeError, match="not initialised"):
        Embedding(4, 2).forward(LABELS)
