"""Threads that share large NumPy operations.

An operation of NumPy on one array runs on one core. `share` cuts its first axis into blocks and
gives each thread a share of them: copies, products and ufuncs release Python's interpreter lock.
"""

import contextvars
import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext

import numpy as np
from threadpoolctl import ThreadpoolController

from .memory import empty, start_anew

SMALL = 2_000_000  # bytes, below which waking a thread costs more than it saves
LONG = 1e8  # multiplications and additions, from which a product is shared among threads


class _State:
    """The thread pool, made when first needed, and the BLAS libraries."""

    threads = pool = None
    blas = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]
    blas_limited = False  # by `limit_blas_threads`
    asking = 0  # how many callers need BLAS to use one thread now
    before = ()  # how many threads each library had before
    lock = threading.Lock()


def set_threads(threads=None):
    """Set the number of threads for large operations.

    Results depend on it only by the order in which the blocks of a sum are added.

    Parameters
    ----------
    threads : int, optional
        Default: the environment variable ``SCRATCHGAN_THREADS``, else all cores of the process.
    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)  # Linux only
        cores = len(affinity(0)) if affinity else os.cpu_count()
        threads = os.environ.get("SCRATCHGAN_THREADS") or cores
    if not str(threads).strip().isdecimal() or int(threads) < 1:
        raise ValueError(f"threads (SCRATCHGAN_THREADS): expected at least 1, got {threads}")
    _State.threads = int(threads)
    _State.pool = ThreadPoolExecutor(max(1, _State.threads - 1))


def share(work, N, bytes_each, block):
    """Call ``work`` on lists of slices of range(N), one list in each thread.

    Parameters
    ----------
    work : callable, list of slice -> object
    N : int
    bytes_each : int
        Bytes that ``work`` moves for one of the N.
    block : int
        Bytes that a slice should move at most.

    Returns
    -------
    list
        The result of each call.
    """
    if N * bytes_each <= min(block, SMALL):
        with _alone():
            return [work([slice(0, N)])]
    _make_threads()
    pieces = -(-N // max(1, block // bytes_each))
    pieces = min(N, -(-pieces // _State.threads) * _State.threads)  # as many for each thread
    slices = [slice(N * i // pieces, N * (i + 1) // pieces) for i in range(pieces)]
    threads = 1 if N * bytes_each < SMALL else _State.threads
    shares = [slices[i::threads] for i in range(min(threads, pieces))]
    # With several threads here, those of BLAS would wait for each other at every copy.
    with _one_blas_thread() if threads > 1 else _alone():
        return at_once([functools.partial(work, share) for share in shares])


def at_once(jobs):
    """Call several functions at once, the first in this thread; return a list of their results.

    Only the first may call `at_once` or `share` in turn: it does not wait for a free thread.
    """
    _make_threads()
    if _State.threads == 1:
        return [job() for job in jobs]
    first, *others = jobs
    # In copies of this thread's context, because NumPy keeps np.errstate there.
    others = [_State.pool.submit(contextvars.copy_context().run, job) for job in others]
    try:
        found = first()
    finally:  # no thread still writes when an error leaves this function
        wait(others)
    return [found, *(other.result() for other in others)]


def _make_threads():
    """Make the thread pool, if there is none yet."""
    if _State.pool is None:
        set_threads(_State.threads)


def matmul(a, b):
    """Matrix product a b, in several threads if it is long.  (R, K), (K, C) -> (R, C)."""
    (R, K), C = a.shape, b.shape[1]
    work = 2 * R * K * C
    if K != 1 and work < LONG:
        with _alone():
            return a @ b
    y = empty((R, C), np.result_type(a, b))
    if K == 1:  # an outer product, which BLAS is slow at
        return np.multiply(a, b, out=y)

    def rows(blocks):
        for r in blocks:
            np.matmul(a[r], b, out=y[r])

    share(rows, R, -(-work // R), work)
    return y


def limit_blas_threads():
    """Give BLAS one thread from now on, and leave the other cores to `share`.

    BLAS's threads keep their cores busy for a while after each product, waiting for another one.
    Between dense layers that is good; but a convolution that comes next would find the cores
    taken. So networks with convolutions call this.
    """
    _State.blas_limited = True


def _alone():
    """Return a context for work in this thread alone; limited BLAS uses one thread in it, too."""
    limited = _State.blas_limited and _State.threads != 1
    return _one_blas_thread() if limited else nullcontext()


@contextmanager
def _one_blas_thread():
    """Limit BLAS to one thread; the last of several callers restores the old numbers."""
    with _State.lock:
        if not _State.asking:
            _State.before = [library.get_num_threads() for library in _State.blas]
            for library in _State.blas:
                library.set_num_threads(1)
        _State.asking += 1
    try:
        yield
    finally:
        with _State.lock:
            _State.asking -= 1
            if not _State.asking:
                for library, threads in zip(_State.blas, _State.before, strict=True):
                    library.set_num_threads(threads)


def _start_anew():
    """Forget threads and locks in a forked child, where only the calling thread exists."""
    _State.pool, _State.asking, _State.lock = None, 0, threading.Lock()
    start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
