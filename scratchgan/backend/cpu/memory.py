"""Reuse of memory for large arrays.

Fresh memory costs a page fault every 4 KiB, which takes longer than writing the page. So `empty`
hands out the memory of earlier arrays that nobody uses any more, and `buffer` keeps one array for
each thread and each name.
"""

import threading
import weakref

import numpy as np

LARGE = 1 << 20  # bytes: the memory of smaller arrays is not kept for later use
SLACK = 1.25  # most memory to hold (used and free), relative to the most that was ever used


class Memory:
    """List of free memory blocks, the least recently used first.

    The free blocks may be larger in total than the used ones, because a training step needs
    different sizes in its different parts.
    """

    def __init__(self):
        self.free = []
        self.free_bytes = self.used = self.most_used = 0
        # Not a plain lock: Python may delete an array, which calls give_back, at any point.
        self.lock = threading.RLock()

    def take(self, size):
        """Return a free block of exactly ``size`` bytes, or a new one."""
        with self.lock:
            self.used += size
            self.most_used = max(self.most_used, self.used)
            for block in reversed(self.free.copy()):  # give_back may come in between
                if block.size == size:
                    self.free = [b for b in self.free if b is not block]
                    self.free_bytes -= size
                    return block
        return np.empty(size, np.uint8)

    def give_back(self, block):
        """Keep a block for later use; drop the least recently used blocks above the limit."""
        with self.lock:
            self.used -= block.size
            self.free.append(block)
            self.free_bytes += block.size
            while self.used + self.free_bytes > SLACK * self.most_used:
                self.free_bytes -= self.free.pop(0).size


_memory = Memory()
_buffers = threading.local()


def start_anew():
    """Forget all blocks and the lock in a forked child: another thread may have held the lock."""
    global _memory
    _memory = Memory()


def empty(shape, dtype):
    """Return an array like np.empty; a large array reuses the memory of an earlier one.

    The memory is free again when the array and all its views are gone.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    memory = _memory
    block = memory.take(size)
    # Not a view of the block, but of its buffer: then every view has this very array as its base,
    # and the array lives as long as any of them.
    array = np.frombuffer(memoryview(block), dtype)
    weakref.finalize(array, memory.give_back, block).atexit = False
    return array.reshape(shape)


def buffer(name, shape, dtype):
    """Return this thread's array called ``name``; it still holds the values of its last use."""
    buffers = vars(_buffers)
    size, key = int(np.prod(shape)), (name, np.dtype(dtype))
    if key not in buffers or buffers[key].size < size:
        buffers[key] = np.empty(size, dtype)
    return buffers[key][:size].reshape(shape)
