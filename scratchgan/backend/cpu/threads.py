"""Threads and memory for the large operations of NumPy.

Two costs are not NumPy's own, and are avoided here. Fresh memory costs a page fault every 4 KiB,
which takes longer than writing the page: `empty` hands out memory again that nobody uses any
more. And an operation on one array runs on one core: `share` cuts its first axis into blocks and
gives each thread a share of them (copies, products and ufuncs release the GIL).
"""

import contextvars
import functools
import os
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from itertools import pairwise

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["at_once", "buffer", "empty", "limit_blas_threads", "matmul", "set_threads", "share"]

SMALL = 2_000_000  # bytes, below which waking a thread costs more than it saves
LARGE = 1 << 20  # bytes, from which memory is kept for later use
SLACK = 1.25
LONG = 1e8  # multiplications and additions, from which a product is shared among threads


class _Memory:
    """Blocks that are free, the longest unused first.

    With those in use, no more than `SLACK` times what was ever in use at once: the sizes that a
    training step needs change from one part of it to the next.
    """

    def __init__(self):
        self.free = deque()
        self.free_bytes = self.used = self.most_used = 0
        # Not a plain lock: an array's end, and with it give_back, can come at any point.
        self.lock = threading.RLock()

    def take(self, size):
        """A free block of just this size, or a new one."""
        with self.lock:
            self.used += size
            self.most_used = max(self.most_used, self.used)
            block = next((b for b in reversed(self.free) if b.size == size), None)
            if block is None:
                return np.empty(size, np.uint8)
            # By identity: == would compare their numbers.
            self.free = deque(b for b in self.free if b is not block)
            self.free_bytes -= size
            return block

    def give_back(self, block):
        """The block is free again."""
        with self.lock:
            self.used -= block.size
            self.free.append(block)
            self.free_bytes += block.size
            while self.used + self.free_bytes > SLACK * self.most_used:
                self.free_bytes -= self.free.popleft().size


class _State:
    """The threads, made when first needed; the libraries of BLAS; the memory."""

    threads = pool = None
    claimed = False  # see `limit_blas_threads`
    blas = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]
    limited = 0  # how many ask for one thread of BLAS
    before = ()  # the threads each library had
    lock = threading.Lock()
    memory = _Memory()


_mine = threading.local()


def empty(shape, dtype):
    """An array like np.empty's; a large one in memory that an earlier one has left.

    The memory is free again when the array and all its views are gone.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    memory = _State.memory
    block = memory.take(size)
    # Not a view of the block, but of its buffer: then every view's base is this very array,
    # and its end is the end of them all.
    array = np.frombuffer(memoryview(block), dtype)
    weakref.finalize(array, memory.give_back, block).atexit = False
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
        threads = os.environ.get("SCRATCHGAN_THREADS") or _cores()
    if not str(threads).strip().isdecimal() or int(threads) < 1:
        raise ValueError(f"{threads} threads given (SCRATCHGAN_THREADS), at least 1 wanted")
    threads = int(threads)
    _State.threads, _State.pool = threads, ThreadPoolExecutor(max(1, threads - 1))


def _cores():
    """Cores that this process may use."""
    tell = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(tell(0)) if tell else os.cpu_count()


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
        with _alone():
            return [work([slice(0, N)])]
    _begin()
    pieces = -(-N // max(1, block // bytes_each))
    pieces = min(N, -(-pieces // _State.threads) * _State.threads)  # as many for each thread
    ends = [N * i // pieces for i in range(pieces + 1)]
    slices = [slice(*pair) for pair in pairwise(ends)]
    if N * bytes_each < SMALL or _State.threads == 1:
        with _alone():
            return [work(slices)]
    shares = [slices[i :: _State.threads] for i in range(min(_State.threads, pieces))]
    with _one_blas_thread():  # the threads of BLAS would wait for each other at every copy
        return at_once([functools.partial(work, share) for share in shares])


def at_once(jobs):
    """Call these functions; a list of their results.

    The first is called in this thread, the others in other threads, where there are to be some.
    None of the others may call this in turn.
    """
    _begin()
    if _State.threads == 1:
        return [job() for job in jobs]
    first, *others = jobs
    # In copies of this thread's context, for NumPy keeps np.errstate there.
    others = [_State.pool.submit(contextvars.copy_context().run, job) for job in others]
    try:
        found = first()
    finally:  # nobody writes any more once an error has left this function
        wait(others)
    return [found, *(other.result() for other in others)]


def _begin():
    """Make the threads, where they have not been made yet."""
    if _State.pool is None:
        set_threads(_State.threads)


def matmul(a, b):
    """The product of two matrices: (R, K), (K, C) -> (R, C). A long one is shared."""
    (R, K), C = a.shape, b.shape[1]
    work = 2 * R * K * C
    if K == 1:  # an outer product, which BLAS is slow at
        return np.multiply(a, b, out=empty((R, C), np.result_type(a, b)))
    if work < LONG:
        with _alone():
            return a @ b
    y = empty((R, C), np.result_type(a, b))

    def rows(blocks):
        for r in blocks:
            np.matmul(a[r], b, out=y[r])

    share(rows, R, -(-work // R), work)
    return y


def limit_blas_threads():
    """From now on leave the cores to `share`: BLAS gets one thread for each product.

    The threads of BLAS keep their core busy for a while after each product, in case there should
    be another. Between dense layers that is just right; a convolution that comes next would find
    the core taken. So networks with convolutions call this.
    """
    _State.claimed = True


def _alone():
    """Around what runs in one thread: BLAS has one, too, where the others are to sleep."""
    return _one_blas_thread() if _State.claimed and _State.threads != 1 else nullcontext()


@contextmanager
def _one_blas_thread():
    """Within, BLAS computes in the calling thread alone; the last one out sets it back."""
    with _State.lock:
        if not _State.limited:
            _State.before = [library.get_num_threads() for library in _State.blas]
            for library in _State.blas:
                library.set_num_threads(1)
        _State.limited += 1
    try:
        yield
    finally:
        with _State.lock:
            _State.limited -= 1
            if not _State.limited:
                for library, threads in zip(_State.blas, _State.before, strict=True):
                    library.set_num_threads(threads)


def _start_anew():
    """In a forked child there are no threads, and whoever held a lock does not exist."""
    _State.pool, _State.limited = None, 0
    _State.lock, _State.memory = threading.Lock(), _Memory()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
