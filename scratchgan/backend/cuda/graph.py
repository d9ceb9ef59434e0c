"""A training step recorded once, as a CUDA graph, and repeated by one launch for each step.

A step of a small network is some hundred kernels that take less time than Python needs to start
them. Recorded, they follow each other without Python. A recording reads and writes the same
memory each time. So all that differs from step to step has to be in memory, too:

* **What the host makes** (noise, indices of images, masks, rates). A step asks for it by
  ``ops.host_array`` and ``ops.host_scalars``. In the first step the `Recorder` remembers what was
  asked for, and the functions that make it. Later it calls these functions, in the same order, for
  the next `BLOCK` steps: each step has a row, all rows are uploaded in one piece, and the recorded
  step reads parts of the current row. (Functions that draw from different generators are called
  at once, in threads: in small networks drawing takes longest.) Any other number of the host, such
  as one of a loss that changes as training goes on, would keep the value of the recorded step,
  without an error: it must come by ``ops.host_scalars``.
* **Which row is current.** A counter on the device says so; the step itself increases it.
* **What a step found** (losses). It is written to the row that the counter gives.

Temporary arrays come from a memory pool that only the recorder uses.
"""

import math
import sys
from contextlib import contextmanager, nullcontext, suppress
from functools import partial

import cupy as cp
import numpy as np

from ..cpu.threads import at_once
from .ops import State

BLOCK = 5  # steps: while the device works on one block, the host makes the next
ALIGNED = 256  # bytes: the alignment of all memory on a device


class Recorder:
    """Runs a step: the first time directly, later from its recording.

    Parameters
    ----------
    step : callable, () -> sequence of numbers on the device
        It takes numbers from the host only by ``ops.host_array`` and ``ops.host_scalars``, does
        the same operations each time, and never waits for the device.
    """

    def __init__(self, step):
        self.step = step
        self.stream, self.pool = cp.cuda.Stream(non_blocking=True), cp.cuda.MemoryPool(_fresh)
        self.draws = []  # (function, shape, dtype) of each array that the step asks for
        self.groups = {None: []}  # indices of the draws, by their generator; None: a shared one
        self.parts = self.graph = None  # parts: the arrays of the current row, on the device

    def run_first(self):
        """Run the step without a recording, and note each array that it takes from the host.

        This also compiles all kernels and sets up all libraries: a recording could not do that.

        Returns
        -------
        array (1, numbers)
            What the step found.
        """
        with self._in_turn(self.pool):
            found = self._ask()
            width = sum(_width(shape, dtype) for _, shape, dtype in self.draws)
            self.host = np.zeros((BLOCK, width), np.int64)  # raw bytes, 8 in each number
            self.rows = [self._parts_of(row) for row in self.host]
            self.block = cp.zeros((BLOCK, width), np.int64)
            self.row = cp.zeros((1, width), np.int64)
            self.parts = self._parts_of(self.row[0])
            self.position = cp.zeros(1, np.int64)
            self.found = cp.zeros((BLOCK, len(found)), found[0].dtype)
            self._count(lambda: found)
        return self.found[:1].copy()

    def record(self):
        """Record the step, after `run_first`, without running it.

        Raises
        ------
        Exception
            Whatever CUDA or CuPy raises in a step that cannot be recorded.
        """
        with self._in_turn(self.pool):
            self.stream.begin_capture()
            try:
                self._count(self._ask)
            except BaseException:
                with suppress(Exception):  # the capture is invalid, as we know
                    self.stream.end_capture()
                raise
            self.graph = self.stream.end_capture()

    def run(self, steps):
        """Run this many steps, after `record`; the host makes arrays for exactly these steps.

        Returns
        -------
        array (n, numbers)
            What the last n steps found; n is `BLOCK` at most.
        """
        with self._in_turn():
            while steps:
                n = min(steps, BLOCK)
                at_once([partial(self._draw, group, n) for group in self.groups.values()])
                self.block[:n] = cp.asarray(self.host[:n])
                self.position.fill(0)
                for _ in range(n):
                    self.graph.launch(self.stream)
                steps -= n
        return self.found[:n].copy()

    def close(self):
        """Give back all memory; the recorder cannot be used any more.

        A pool does not free its memory by itself when it is deleted (CuPy 14.2).
        """
        self.graph = self.unasked = self.parts = self.rows = None
        self.block = self.row = self.position = self.found = None
        self.pool.free_all_blocks()

    def __del__(self):
        if not sys.is_finalizing():  # at Python's exit, CUDA may be gone already
            self.close()

    def host_array(self, make, shape, dtype, rng=None):
        """Return the current row's next part: ``ops.host_array`` in a step of this recorder."""
        shape, dtype = tuple(shape), np.dtype(dtype)
        if self.parts is None:
            self.groups.setdefault(rng and id(rng), []).append(len(self.draws))
            self.draws.append((make, shape, dtype))
            return cp.asarray(np.asarray(make(), dtype))
        part = next(self.unasked, None)
        if part is None or (part.shape, part.dtype) != (shape, dtype):
            raise RuntimeError("a step draws other numbers than the one before it")
        return part

    def host_scalars(self, make, count):
        """Return arrays of one number each: ``ops.host_scalars`` in a step of this recorder."""
        part = self.host_array(make, (count,), float)
        return [part[i] for i in range(count)]

    def _draw(self, group, steps):
        """Make the arrays of one group (of one random generator) for the next steps."""
        for parts in self.rows[:steps]:
            for i in group:
                parts[i][...] = self.draws[i][0]()

    def _count(self, step):
        """Make the next row current, call the step, store its results, increase the counter."""
        self.block.take(self.position, 0, self.row)
        self.found[self.position] = cp.stack(list(step()))[None]
        self.position += 1

    def _ask(self):
        """Call the step; this recorder gives it the arrays from the host."""
        self.unasked = iter(self.parts or ())
        State.recorder = self
        try:
            found = self.step()
        finally:
            State.recorder = None
        if next(self.unasked, None) is not None:
            raise RuntimeError("a step draws fewer numbers than the one before it")
        return found

    def _parts_of(self, row):
        """Return views of a row, on the host or the device, one for each array of the step."""
        parts, start = [], 0
        for _, shape, dtype in self.draws:
            end = start + _width(shape, dtype)
            parts.append(row[start:end].view(dtype)[: math.prod(shape)].reshape(shape))
            start = end
        return parts

    @contextmanager
    def _in_turn(self, pool=None):
        """Work on this recorder's stream: after all earlier work, and before all later work."""
        other = cp.cuda.get_current_stream()
        self.stream.wait_event(other.record())
        memory = cp.cuda.using_allocator(pool.malloc) if pool else nullcontext()
        try:
            with self.stream, memory:
                yield
        finally:
            other.wait_event(self.stream.record())


def _fresh(size):
    """Allocate memory for a recorder's pool, which has no idle block that is large enough.

    If CUDA has no more, a pool frees its idle blocks. But while a step is being recorded, they may
    be memory that the recording writes to: then MemoryError keeps the pool from freeing them.
    """
    try:
        return cp.cuda.MemoryPointer(cp.cuda.Memory(size), 0)
    except cp.cuda.runtime.CUDARuntimeError as error:
        if cp.cuda.get_current_stream().is_capturing():
            raise MemoryError(f"not enough memory for a recording: {error}") from error
        raise


def _width(shape, dtype):
    """Length of an array in a row, in units of 8 bytes."""
    return -(-math.prod(shape) * dtype.itemsize // ALIGNED) * ALIGNED // 8
