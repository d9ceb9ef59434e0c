"""Memory that is used again, work that is shared."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from scratchgan import Conv2D, Dense
from scratchgan.backend.cpu import threads as workers

SHAPE = (512, 1024)  # 2 MiB of float32


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Nothing is free at first, and the threads are as before at the end."""
    own = workers._Memory()
    monkeypatch.setattr(workers._State, "memory", own)
    yield own
    workers.set_threads()


def address(a):
    return a.__array_interface__["data"][0]


def blas_threads():
    """Of NumPy's own BLAS; SciPy may have brought another."""
    libraries = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    return [lib["num_threads"] for lib in libraries if "numpy" in lib["filepath"]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_array_is_like_any_other(dtype):
    a = workers.empty(SHAPE, dtype)
    assert a.shape == SHAPE and a.dtype == dtype
    assert a.flags.c_contiguous and a.flags.writeable and a.flags.aligned


def test_memory_is_used_again_once_its_array_is_gone():
    a = workers.empty(SHAPE, np.float32)
    where = address(a)
    del a
    assert address(workers.empty((1024, 256), np.float64)) == where


def test_memory_is_kept_while_any_view_of_it_lives():
    a = workers.empty(SHAPE, np.float32)
    where = address(a)
    view = a.reshape(-1)[5:9].view(np.uint8)[::2]
    del a
    b = workers.empty(SHAPE, np.float32)
    assert address(b) != where and not np.shares_memory(b, view)
    del view
    assert address(workers.empty(SHAPE, np.float32)) == where


def test_two_arrays_never_share():
    arrays = [workers.empty(SHAPE, np.float32) for _ in range(4)]
    del arrays[1]
    arrays += [workers.empty(SHAPE, np.float32) for _ in range(3)]
    assert len({address(a) for a in arrays}) == len(arrays)


def test_little_more_is_kept_than_was_in_use_at_once(memory):
    two = [workers.empty(SHAPE, np.float32) for _ in range(2)]
    del two
    assert (memory.used, memory.free_bytes) == (0, 4 << 20)
    for n in range(512, 600):  # each of a size of its own
        workers.empty((n, 1024), np.float32)
    kept = sum(block.size for block in memory.free)
    assert memory.used == 0 and 0 < kept == memory.free_bytes <= 5 << 20


def test_empty_arrays_and_small_ones():
    assert workers.empty((0, 3), np.float32).shape == (0, 3)
    assert workers.empty((), np.float64).shape == ()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("N", [1, 2, 7, 100])
def test_every_one_is_done_once(threads, N, monkeypatch):
    monkeypatch.setattr(workers, "SMALL", 0)
    workers.set_threads(threads)
    done = np.zeros(N, int)

    def work(slices):
        for s in slices:
            assert s.stop - s.start <= 4
            done[s] += 1
        return len(slices)

    results = workers.share(work, N, bytes_each=10, block=40)
    assert (done == 1).all()
    assert 1 <= len(results) <= threads


def test_an_error_in_a_thread_arrives(monkeypatch):
    monkeypatch.setattr(workers, "SMALL", 0)
    workers.set_threads(2)

    def work(slices):
        if slices[0].start:
            raise MemoryError("of the second thread")

    before = blas_threads()
    with pytest.raises(MemoryError, match="second thread"):
        workers.share(work, 10, 10, 10)
    assert blas_threads() == before


def test_nobody_writes_any_more_once_an_error_has_arrived(monkeypatch):
    monkeypatch.setattr(workers, "SMALL", 0)
    workers.set_threads(2)
    written = []

    def work(slices):
        if not slices[0].start:
            raise ValueError("of the first share")
        time.sleep(0.05)
        written.append(slices)

    with pytest.raises(ValueError, match="first share"):
        workers.share(work, 10, 10, 10)
    assert written


def test_errstate_holds_in_all_threads(monkeypatch):
    monkeypatch.setattr(workers, "SMALL", 0)
    workers.set_threads(3)
    states = []
    with np.errstate(over="raise", invalid="ignore"):
        workers.share(lambda slices: states.append(np.geterr()), 9, 10, 10)
    assert len(states) == 3
    assert all(s["over"] == "raise" and s["invalid"] == "ignore" for s in states)


def test_shares_are_even(monkeypatch):
    monkeypatch.setattr(workers, "SMALL", 0)
    workers.set_threads(2)
    found = workers.share(lambda slices: sum(s.stop - s.start for s in slices), 128, 1, 50)
    assert found == [64, 64]


def test_a_network_with_convolutions_claims_the_cores(monkeypatch):
    monkeypatch.setattr(workers._State, "claimed", False)
    seen = []

    class Spy(np.ndarray):
        def __matmul__(self, other):
            seen.append(blas_threads())
            return np.asarray(self) @ other

    def product():
        workers.matmul(np.ones((4, 4)).view(Spy), np.ones((4, 4)))
        return seen[-1]

    before = blas_threads()
    Dense(2, 2).initialize()
    assert product() == before
    Conv2D(1, 1, kernel=3).initialize()
    assert product() == [1] * len(before)
    assert blas_threads() == before


def test_threads_of_blas_are_as_before_when_several_ask_for_one(monkeypatch):
    monkeypatch.setattr(workers._State, "claimed", True)
    before = blas_threads()
    a = np.ones((4, 4))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: workers.matmul(a, a), range(2000)))
    assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(workers, "SMALL", 0)
    workers.set_threads(2)
    assert workers.share(len, 8, 10, 10) == [4, 4]
    child = os.fork()
    if not child:
        os._exit(0 if workers.share(len, 8, 10, 10) == [4, 4] else 1)
    for _ in range(1000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
    assert done and status == 0


@pytest.mark.parametrize("shape", [(3, 4, 5), (64, 200, 300), (600, 500, 400), (500, 6000, 30)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_every_length(shape, dtype):
    rng = np.random.default_rng(0)
    R, K, C = shape
    a = rng.standard_normal((K, R)).astype(dtype).T
    b = rng.standard_normal((K, C)).astype(dtype)
    before = blas_threads()
    y = workers.matmul(a, b)
    assert y.dtype == dtype and blas_threads() == before
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    assert np.abs(y - a.astype(float) @ b.astype(float)).max() <= tolerance * K**0.5 * 5


@pytest.mark.parametrize("text", ["0", "two", "-1"])
def test_a_wrong_environment_is_named(text, monkeypatch):
    monkeypatch.setenv("SCRATCHGAN_THREADS", text)
    with pytest.raises(ValueError, match=f"{text} threads given .SCRATCHGAN_THREADS."):
        workers.set_threads()
    monkeypatch.setenv("SCRATCHGAN_THREADS", "")
    workers.set_threads()


@pytest.mark.parametrize("threads", [0, -2])
def test_a_number_of_threads_below_one_is_refused(threads):
    with pytest.raises(ValueError, match="at least 1 wanted"):
        workers.set_threads(threads)


def test_the_environment_sets_the_number(monkeypatch):
    monkeypatch.setenv("SCRATCHGAN_THREADS", "3")
    workers.set_threads()
    assert workers._State.threads == 3
