"""Work that is shared among threads."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from scratchgan import Conv2D, Dense
from scratchgan.backend.cpu import threads as cpu_threads


@pytest.fixture(autouse=True)
def all_threads_again():
    yield
    cpu_threads.set_threads()


def blas_threads():
    """Of NumPy's own BLAS; SciPy may have brought another."""
    libraries = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    return [lib["num_threads"] for lib in libraries if "numpy" in lib["filepath"]]


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("N", [1, 2, 7, 100])
def test_every_one_is_done_once(threads, N, monkeypatch):
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(threads)
    done = np.zeros(N, int)

    def work(slices):
        for s in slices:
            assert s.stop - s.start <= 4
            done[s] += 1
        return len(slices)

    results = cpu_threads.share(work, N, bytes_each=10, block=40)
    assert (done == 1).all()
    assert 1 <= len(results) <= threads


def test_an_error_in_a_thread_arrives(monkeypatch):
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(2)

    def work(slices):
        if slices[0].start:
            raise MemoryError("of the second thread")

    before = blas_threads()
    with pytest.raises(MemoryError, match="second thread"):
        cpu_threads.share(work, 10, 10, 10)
    assert blas_threads() == before


def test_nobody_writes_any_more_once_an_error_has_arrived(monkeypatch):
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(2)
    written = []

    def work(slices):
        if not slices[0].start:
            raise ValueError("of the first share")
        time.sleep(0.05)
        written.append(slices)

    with pytest.raises(ValueError, match="first share"):
        cpu_threads.share(work, 10, 10, 10)
    assert written


def test_errstate_holds_in_all_threads(monkeypatch):
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(3)
    states = []
    with np.errstate(over="raise", invalid="ignore"):
        cpu_threads.share(lambda slices: states.append(np.geterr()), 9, 10, 10)
    assert len(states) == 3
    assert all(s["over"] == "raise" and s["invalid"] == "ignore" for s in states)


def test_shares_are_even(monkeypatch):
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(2)
    found = cpu_threads.share(lambda slices: sum(s.stop - s.start for s in slices), 128, 1, 50)
    assert found == [64, 64]


def test_a_network_with_convolutions_limits_the_threads_of_blas(monkeypatch):
    monkeypatch.setattr(cpu_threads._State, "blas_limited", False)
    seen = []

    class Spy(np.ndarray):
        def __matmul__(self, other):
            seen.append(blas_threads())
            return np.asarray(self) @ other

    def product():
        cpu_threads.matmul(np.ones((4, 4)).view(Spy), np.ones((4, 4)))
        return seen[-1]

    before = blas_threads()
    Dense(2, 2).initialize()
    assert product() == before
    Conv2D(1, 1, kernel=3).initialize()
    assert product() == [1] * len(before)
    assert blas_threads() == before


def test_threads_of_blas_are_as_before_when_several_ask_for_one(monkeypatch):
    monkeypatch.setattr(cpu_threads._State, "blas_limited", True)
    before = blas_threads()
    a = np.ones((4, 4))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: cpu_threads.matmul(a, a), range(2000)))
    assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(cpu_threads, "SMALL", 0)
    cpu_threads.set_threads(2)
    assert cpu_threads.share(len, 8, 10, 10) == [4, 4]
    child = os.fork()
    if not child:
        os._exit(0 if cpu_threads.share(len, 8, 10, 10) == [4, 4] else 1)
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
    y = cpu_threads.matmul(a, b)
    assert y.dtype == dtype and blas_threads() == before
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    assert np.abs(y - a.astype(float) @ b.astype(float)).max() <= tolerance * K**0.5 * 5


@pytest.mark.parametrize("text", ["0", "two", "-1"])
def test_a_wrong_environment_is_named(text, monkeypatch):
    monkeypatch.setenv("SCRATCHGAN_THREADS", text)
    with pytest.raises(
        ValueError, match=f"threads .SCRATCHGAN_THREADS.: expected at least 1, got {text}"
    ):
        cpu_threads.set_threads()
    monkeypatch.setenv("SCRATCHGAN_THREADS", "")
    cpu_threads.set_threads()


@pytest.mark.parametrize("threads", [0, -2])
def test_a_number_of_threads_below_one_is_refused(threads):
    with pytest.raises(ValueError, match=f"expected at least 1, got {threads}"):
        cpu_threads.set_threads(threads)


def test_the_environment_sets_the_number(monkeypatch):
    monkeypatch.setenv("SCRATCHGAN_THREADS", "3")
    cpu_threads.set_threads()
    assert cpu_threads._State.threads == 3
