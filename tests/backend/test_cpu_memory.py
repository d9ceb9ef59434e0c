"""Memory that is used again."""

import numpy as np
import pytest

from scratchgan.backend.cpu import memory as cpu_memory

SHAPE = (512, 1024)  # 2 MiB of float32


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Nothing is free at first."""
    own = cpu_memory.Memory()
    monkeypatch.setattr(cpu_memory, "_memory", own)
    return own


def address(a):
    return a.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_array_is_like_any_other(dtype):
    a = cpu_memory.empty(SHAPE, dtype)
    assert a.shape == SHAPE and a.dtype == dtype
    assert a.flags.c_contiguous and a.flags.writeable and a.flags.aligned


def test_memory_is_used_again_once_its_array_is_gone():
    a = cpu_memory.empty(SHAPE, np.float32)
    where = address(a)
    del a
    assert address(cpu_memory.empty((1024, 256), np.float64)) == where


def test_memory_is_kept_while_any_view_of_it_lives():
    a = cpu_memory.empty(SHAPE, np.float32)
    where = address(a)
    view = a.reshape(-1)[5:9].view(np.uint8)[::2]
    del a
    b = cpu_memory.empty(SHAPE, np.float32)
    assert address(b) != where and not np.shares_memory(b, view)
    del view
    assert address(cpu_memory.empty(SHAPE, np.float32)) == where


def test_two_arrays_never_share():
    arrays = [cpu_memory.empty(SHAPE, np.float32) for _ in range(4)]
    del arrays[1]
    arrays += [cpu_memory.empty(SHAPE, np.float32) for _ in range(3)]
    assert len({address(a) for a in arrays}) == len(arrays)


def test_little_more_is_kept_than_was_in_use_at_once(memory):
    two = [cpu_memory.empty(SHAPE, np.float32) for _ in range(2)]
    del two
    assert (memory.used, memory.free_bytes) == (0, 4 << 20)
    for n in range(512, 600):  # each of a size of its own
        cpu_memory.empty((n, 1024), np.float32)
    kept = sum(block.size for block in memory.free)
    assert memory.used == 0 and 0 < kept == memory.free_bytes <= 5 << 20


def test_empty_arrays_and_small_ones():
    assert cpu_memory.empty((0, 3), np.float32).shape == (0, 3)
    assert cpu_memory.empty((), np.float64).shape == ()
