"""The device of CuPy's stand-in: its memory, its streams and graphs, and what was asked of it."""

import bisect
import functools
import weakref

import numpy as np

from .standin_array import GARBAGE, ndarray, raw

__all__ = ["CUDARuntimeError", "Device", "Memory", "MemoryPool", "Stream", "Using"]


class Device:
    """What was asked of the device since `reset`, and what it is in the middle of."""

    def __init__(self):
        self.reset()
        self.recorded = None  # launches of the capture that is going on
        self.done = {}  # how much each stream has been given to do
        self.blocks = {}  # all memory that is in use: address -> array, and its pool
        self.streams = [Stream(self)]
        self.allocated, self.capacity = 0, 1 << 40  # bytes
        self.default_pool = MemoryPool(self)
        self.pools = [self.default_pool]
        self.outside = MemoryPool(self)  # what is in no other
        self.free_bytes = 1 << 34
        self.pinned = 0  # bytes on the host that copies have gone through, and that stay taken

    def reset(self):
        """Count from here on."""
        self.launches, self.to_device, self.to_host, self.waits = 0, [], [], 0

    def launch(self, compute, *args, out=None):
        """Run ``compute(*args)`` on the device, into ``out`` or into a fresh array."""
        self.launches += 1
        self.stream_works()
        args = [raw(a) for a in args]
        if self.recorded is None:
            y = np.asarray(compute(*args))
            if out is None:
                return self.array(y)
            np.copyto(out, y, casting="same_kind")
            return None
        with np.errstate(all="ignore"):
            like = np.asarray(compute(*args))
        into = np.full_like(like, GARBAGE.get(like.dtype.kind, 0)) if out is None else out
        if not np.can_cast(like.dtype, into.dtype, "same_kind"):
            raise TypeError(f"{like.dtype} into an array of {into.dtype}")
        self.keep(lambda: np.copyto(into, compute(*args), casting="same_kind"))
        return None if out is not None else self.array(into)

    def call(self, function, *args):
        """Start a kernel, which writes into its arguments."""
        self.launches += 1
        self.stream_works()
        if self.recorded is None:
            function(*args)
        else:
            self.keep(lambda: function(*args))

    def keep(self, closure):
        if self.streams[-1] is not self.capturing:
            raise RuntimeError("work on a stream that is not the one being captured")
        self.recorded.append(closure)

    def array(self, a):
        """A fresh device array, from the pool that is in use."""
        if self.recorded is not None:
            self.used_pools.add(self.pools[-1])
        a = np.array(a, order="C", copy=None if a.base is None else True)
        self.place(a, self.pools[-1])
        return ndarray(a, self)

    def place(self, a, pool):
        """This array lies in memory of a pool, until it is gone."""
        size, start, pool = pool.take(a.nbytes), a.ctypes.data, weakref.ref(pool)
        block = self.blocks[start] = weakref.ref(a), pool

        def free():
            if self.blocks.get(start) is block:
                del self.blocks[start]
            if pool() is not None:
                pool().give_back(size)

        weakref.finalize(a, free).atexit = False

    def matrix(self, pointer, rows, columns, step, dtype):
        """The matrix, columns first, that lies at an address; all of it in memory in use."""
        dtype = np.dtype(dtype)
        size = (step * (columns - 1) + rows) * dtype.itemsize
        start = (
            pointer
            if pointer in self.blocks
            else max((start for start in self.blocks if start <= pointer), default=None)
        )
        block, pool = (ref() for ref in self.blocks[start]) if start else (None, None)
        # CuPy 14.0 frees what is in use of a pool that is gone.
        if block is not None and pool is not None and pointer + size <= start + block.nbytes:
            strides = dtype.itemsize, step * dtype.itemsize
            return np.ndarray((rows, columns), dtype, block, pointer - start, strides)
        raise ValueError(f"{size} bytes at {pointer:#x} are in no array")

    def stream_works(self):
        """The current stream does something: it must have waited for all others."""
        if self.recorded is not None:
            return
        now = self.streams[-1]
        for other, done in self.done.items():
            if other is not now and now.seen.get(other, 0) < done:
                raise RuntimeError("a race: this stream did not wait for another one's work")
        self.done[now] = self.done.get(now, 0) + 1

    def upload(self, array):
        """A copy of a host array, by way of pinned memory."""
        self.pinned = max(self.pinned, array.nbytes)
        return self.array(self.copied(array))

    def copied(self, array):
        """A host array on its way to the device."""
        if self.recorded is not None:
            raise RuntimeError("the current stream is capturing: no copy from the host")
        self.stream_works()
        self.to_device.append(array.nbytes)
        return np.array(array, order="C")

    def download(self, device_array):
        """A copy on the host."""
        if self.recorded is not None:
            raise RuntimeError("the current stream is capturing: no copy to the host")
        self.stream_works()
        self.to_host.append(device_array._a.nbytes)
        self.waits += 1
        return np.array(device_array._a)


class Stream:
    """An order of work. Two of them wait for each other only where told to."""

    def __init__(self, device, null=False, non_blocking=False):
        self._device, self.seen = device, {}
        self.ptr = id(self)

    def __enter__(self):
        self._device.streams.append(self)
        return self

    def __exit__(self, *error):
        self._device.streams.pop()

    def record(self, event=None):
        return dict(self.seen) | {self: self._device.done.get(self, 0)}

    def wait_event(self, event):
        self.seen |= {s: max(n, self.seen.get(s, 0)) for s, n in event.items()}

    def synchronize(self):
        if self._device.recorded is not None:
            raise RuntimeError("the current stream is capturing: no synchronisation")
        self._device.waits += 1
        for other in (*self._device.streams, *self._device.done):
            other.wait_event(self.record())

    def begin_capture(self, mode=None):
        device = self._device
        if self is device.streams[0]:
            raise RuntimeError("cudaErrorStreamCaptureUnsupported: the default stream")
        device.recorded, device.capturing, device.used_pools = [], self, set()

    def is_capturing(self):
        return self._device.recorded is not None and self._device.capturing is self

    def end_capture(self):
        device = self._device
        launches, pools = device.recorded, device.used_pools
        device.recorded = device.used_pools = device.capturing = None
        return Graph(device, launches, pools)


class Graph:
    """What was captured. It does not keep the memory of what it computes on the way."""

    def __init__(self, device, launches, pools):
        self._device, self._launches = device, launches
        self._pools = [weakref.ref(pool) for pool in pools]

    def launch(self, stream=None):
        device = self._device
        for pool in self._pools:
            if pool() is None or pool() is device.default_pool:
                raise RuntimeError("the graph writes to memory that may be somebody else's by now")
        device.stream_works()
        device.launches += 1
        for run in self._launches:
            run()


class MemoryPool:
    """Where arrays get their memory from; what they give back lies idle until it is freed.

    A pool that is gone has not freed it: so it is with CuPy 14.2.
    """

    def __init__(self, device, allocator=None):
        self.device, self.idle, self.total = device, [], 0
        self.allocator = allocator or functools.partial(Memory, device)

    def malloc(self, size):
        raise NotImplementedError

    def take(self, size):
        """A block of so many bytes or more; its size."""
        size = -(-size // 512) * 512
        fitting = bisect.bisect_left(self.idle, size)
        if fitting < len(self.idle):
            return self.idle.pop(fitting)
        try:
            self.allocator(size)
        except CUDARuntimeError:
            self.free_all_blocks()
            self.allocator(size)
        self.total += size
        self.device.allocated += size
        return size

    def give_back(self, size):
        bisect.insort(self.idle, size)

    def free_all_blocks(self):
        self.total -= sum(self.idle)
        self.device.allocated -= sum(self.idle)
        self.idle.clear()

    def total_bytes(self):
        return self.total


class CUDARuntimeError(RuntimeError):
    """An error of CUDA itself."""


class Memory:
    """Memory from no pool. What a pool asks for is counted by the pool."""

    def __init__(self, device, size):
        if device.allocated + size > device.capacity:
            raise CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
        self._device, self._size = device, size

    @functools.cached_property
    def ptr(self):
        self._a = np.empty(self._size, np.uint8)
        self._device.place(self._a, self._device.outside)
        return self._a.ctypes.data


class Using:
    """``using_allocator``: arrays come from this pool for a while, or from none."""

    def __init__(self, device, malloc=None):
        self.device, self.pool = device, malloc.__self__ if malloc else device.outside

    def __enter__(self):
        self.device.pools.append(self.pool)

    def __exit__(self, *error):
        self.device.pools.pop()
