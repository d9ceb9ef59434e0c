"""Threads and memory for the large operations of NumPy.

Two costs are not NumPy's own, and are avoided here. Fresh memory costs a page fault every 4 KiB,
which takes longer than writing the page: `empty` hands out memory again that nobody uses any
more. And an operation on one array runs on one core: `share` cuts its first axis into blocks and
gives each thread a share of them (copies, products and ufuncs release the GIL).
"""

import os
import threading
import weakref
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["buffer", "empty", "matmul", "set_threads", "share"]

SMALL = 500_000  # bytes, below which waking a thread costs more than it saves
LARGE = 1 << 20  # bytes, from which memory is kept for later use
SHORT, LONG = 2e6, 1e8  # multiplications and additions in a product of matrices; see `matmul`
FORGET = 2000  # large arrays handed out since memory was last used, after which it is given back


class _State:
    """The pool of threads, made when first needed, and the libraries of BLAS."""

    pool = None
    threads = 1
    blas = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]


class _Memory:
    """Blocks that are free, by their size; each with the time it became so."""

    def __init__(self):
        self.free = defaultdict(list)
        self.time = 0

    def take(self, size):
        """A free block, or a new one."""
        self.time += 1
        if self.time % FORGET == 0:
            for key, blocks in list(self.free.items()):
                self.free[key] = [b for b in blocks if b[0] > self.time - FORGET]
        try:
            return self.free[size].pop()[1]
        except IndexError:
            return np.empty(size, np.uint8)

    def give_back(self, size, block):
        """The block is free again."""
        self.free[size].append((self.time, block))


_memory = _Memory()
_mine = threading.local()


def empty(shape, dtype):
    """An array like np.empty's; a large one in memory that an earlier one has left.

    The memory is free again when the array and all its views are gone.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    block = _memory.take(size)
    # Not a view of the block, but of its buffer: then every view's base is this very array,
    # and its end is the end of them all.
    array = np.frombuffer(memoryview(block), dtype)
    weakref.finalize(array, _memory.give_back, size, block).atexit = False
    return array.reshape(shape)


def buffer(name, shape, dtype):
    """An array of this thread's own, with whatever values its last use left in it."""
    buffers = vars(_mine)
    size, key = int(np.prod(shape)), f"{name} {np.dtype(dtype)}"
    if key not in buffers or buffers[key].size < size:
        buffers[key] = np.empty(size, dtype)
    return buffers[key][:size].reshape(shape)


def set_threads(threads=None):
    """Use this many threads for large operations: all cores of the process unless given.

    The environment variable ``SCRATCHGAN_THREADS`` sets it, too. Results depend on it only by the
    order in which the blocks of a sum are added.
    """
    if threads is None:
        threads = int(os.environ.get("SCRATCHGAN_THREADS", len(os.sched_getaffinity(0))))
    if threads < 1:
        raise ValueError(f"{threads} threads given, at least 1 wanted")
    _State.threads, _State.pool = threads, ThreadPoolExecutor(max(1, threads - 1))


def share(work, N, bytes_each, block):
    """Do ``work`` on lists of slices of range(N), one list a thread; a list of its results.

    Parameters
    ----------
    work : callable, list of slice -> object
    N : int
    bytes_each : int
        What ``work`` moves for one of the N.
    block : int
        Bytes that a slice should move at most.
    """
    if N * bytes_each <= min(block, SMALL):
        return [work([slice(0, N)])]
    if _State.pool is None:
        set_threads()
    each = max(1, min(block // bytes_each, -(-N // _State.threads)))
    slices = [slice(start, min(start + each, N)) for start in range(0, N, each)]
    shares = [slices[i :: _State.threads] for i in range(min(_State.threads, len(slices)))]
    if len(shares) < 2 or N * bytes_each < SMALL:
        return [work(share) for share in shares]
    with _one_blas_thread():  # the threads of BLAS would wait for each other at every copy
        others = [_State.pool.submit(work, share) for share in shares[1:]]
        return [work(shares[0]), *(other.result() for other in others)]


def matmul(a, b):
    """The product of two matrices: (R, K), (K, C) -> (R, C).

    BLAS has threads of its own, which after each product keep their core busy for a while, in
    case there should be another. In networks of dense layers there is one. Short products gain
    nothing from it, and long ones take the threads of `share`: so a network whose products are
    of these two kinds, as a DCGAN's are, has all cores for its convolutions.
    """
    (R, K), C = a.shape, b.shape[1]
    work = 2 * R * K * C
    if SHORT <= work < LONG:
        return a @ b
    if work < SHORT:
        with _one_blas_thread():
            return a @ b
    y = empty((R, C), np.result_type(a, b))

    def rows(blocks):
        for r in blocks:
            np.matmul(a[r], b, out=y[r])

    share(rows, R, -(-work // R), work)
    return y


@contextmanager
def _one_blas_thread():
    before = [library.get_num_threads() for library in _State.blas]
    for library in _State.blas:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in zip(_State.blas, before, strict=True):
            library.set_num_threads(threads)
