import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgan.data import Batches, to_uint8, to_unit


def test_bytes_survive_the_unit_range():
    every = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    unit = to_unit(every)
    assert unit.dtype == np.float32
    assert unit.shape == every.shape
    assert (unit.min(), unit.max()) == (-1, 1)
    np.testing.assert_allclose(unit, every / 127.5 - 1, atol=1e-7)
    back = to_uint8(unit)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, every)


def test_to_uint8_rounds_and_clips():
    x = np.array([-9, -1, -0.999, 0.0051, 1, 1.5, np.inf, -np.inf])
    assert to_uint8(x).tolist() == [0, 0, 0, 128, 255, 255, 255, 0]
    assert to_uint8(np.array([2 * 0.6 / 255 - 1])).tolist() == [1]


sizes = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@settings(max_examples=50, deadline=None)
@given(sizes, st.integers(0, 2**32))
def test_every_epoch_gives_each_image_at_most_once(size, seed):
    count, batch_size = size
    batches = Batches(range(count), batch_size, np.random.default_rng(seed))
    assert (batches.epoch, batches.position) == (0, 0)
    per_epoch = count // batch_size
    for epoch in (1, 2, 3):
        given_out = []
        for i in range(per_epoch):
            indices = batches.next()
            assert indices.dtype == np.int64
            assert indices.shape == (batch_size,)
            assert (batches.epoch, batches.position) == (epoch, (i + 1) * batch_size)
            given_out.extend(indices)
        assert len(set(given_out)) == per_epoch * batch_size
        assert set(given_out) <= set(range(count))
        assert sorted(batches.order) == list(range(count))


def test_epochs_differ_and_the_seed_decides():
    def three_epochs(seed):
        batches = Batches(np.zeros((50, 2)), 50, np.random.default_rng(seed))
        return [batches.next().tolist() for _ in range(3)]

    first = three_epochs(0)
    assert first == three_epochs(0)
    assert first != three_epochs(1)
    assert first[0] != first[1] != first[2]


@settings(max_examples=50, deadline=None)
@given(sizes, st.integers(0, 20), st.integers(0, 2**32))
def test_a_restored_run_goes_on_the_same(size, steps, seed):
    count, batch_size = size
    rng = np.random.default_rng(seed)
    batches = Batches(range(count), batch_size, rng)
    for _ in range(steps):
        batches.next()
    state, rng_state = batches.state(), rng.bit_generator.state
    expected = [batches.next() for _ in range(2 * count)]

    other_rng = np.random.default_rng(seed + 1)
    other_rng.bit_generator.state = rng_state
    other = Batches(range(count), batch_size, other_rng)
    other.restore(state)
    np.testing.assert_array_equal([other.next() for _ in range(2 * count)], expected)
    assert other.epoch == batches.epoch


def test_neither_batches_nor_states_are_views():
    batches = Batches(range(6), 3, np.random.default_rng(0))
    batches.next()[:] = -1
    batches.state()["order"][:] = -1
    state = batches.state()
    batches.restore(state)
    state["order"][:] = -1
    assert sorted(batches.order) == list(range(6))


@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_a_batch_that_never_fills_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size: expected 1 to 10, .*got {batch_size}$"):
        Batches(np.zeros(10), batch_size, np.random.default_rng(0))


@pytest.mark.parametrize(
    "change",
    [
        {"order": np.arange(9)},
        {"order": np.arange(11)},
        {"order": np.zeros(10, int)},
        {"order": np.arange(10).reshape(2, 5)},
        {"order": np.arange(0)},
        {"position": 11},
        {"position": -1},
        {"epoch": 0},
        {"epoch": -1},
    ],
)
def test_a_foreign_state_is_refused_and_changes_nothing(change):
    batches = Batches(range(10), 3, np.random.default_rng(0))
    batches.next()
    before = batches.state()
    with pytest.raises(ValueError, match="expected one for a data set of 10 images"):
        batches.restore(before | change)
    after = batches.state()
    np.testing.assert_array_equal(after.pop("order"), before.pop("order"))
    assert after == before
