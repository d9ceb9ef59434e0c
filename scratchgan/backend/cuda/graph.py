"""A training step recorded once, as a CUDA graph, and run many times by one launch each.

A step of a small network is some hundred kernels that take less time than Python needs to start
them. Recorded, they follow each other without Python. What was recorded reads and writes the
same memory each time, so all that differs from step to step has to be in memory, too:

* **what the host draws** (noise, indices of images, masks, rates) lies in rows, one for each of
  the next `BLOCK` steps, which are uploaded in one piece. ``ops.host_array`` and
  ``ops.host_scalars`` are where a step asks for it. The first time, the `Recorder` remembers
  what was asked for, and the functions that draw it; it calls them again for each step to
  come, in the same order. (Those that draw from different generators are called at once: for
  small networks drawing is what takes longest.) The recorded step gets parts of the row that
  is current. Any other number of the host (a loss's own, say, that changes as training goes on)
  stays what it was when the step was recorded, and nothing tells: it must come by
  ``ops.host_scalars``;
* **which row is current** says a counter on the device, which the step itself counts up;
* **what a step found** (losses) goes to the row of that number.

Temporary arrays lie in a memory pool of the recorder's own, which nobody else draws from.
"""

import math
import sys
from contextlib import contextmanager, nullcontext, suppress
from functools import partial

import cupy as cp
import numpy as np

from ..cpu.threads import at_once
from .ops import State

__all__ = ["BLOCK", "Recorder"]

BLOCK = 5  # steps: while the device works on one block, the host draws the next
ALIGNED = 256  # bytes, as all memory on a device


class Recorder:
    """Runs a step: the first time as it is, from then on from its recording.

    Parameters
    ----------
    step : callable, () -> sequence of numbers on the device
        It takes from the host what comes by ``ops.host_array`` and ``ops.host_scalars``, does
        the same operations each time, and waits for nothing.
    """

    def __init__(self, step):
        self.step = step
        self.stream, self.pool = cp.cuda.Stream(non_blocking=True), cp.cuda.MemoryPool(_fresh)
        self.draws = []  # (function, shape, dtype) of each
        self.groups = {None: []}  # which draws are from one generator; None: from shared ones
        self.parts = None  # of the current row, on the device: one for each draw
        self.graph = None

    def run_first(self):
        """Run the step as it is, and remember what it draws.

        On the way all kernels are compiled and all libraries set up: a recording could not.

        Returns
        -------
        array (1, numbers)
            What the step found.
        """
        with self._in_turn(self.pool):
            found = self._asking(self.step)
            starts = np.cumsum([0, *(_room(shape, dtype) for _, shape, dtype in self.draws)])
            width = int(starts[-1]) // 8  # of a row, in int64, whatever they mean
            self.host = np.zeros((BLOCK, width), np.int64)
            self.rows = [self._parts_of(row, starts) for row in self.host]
            self.block, self.row = (
                cp.zeros((BLOCK, width), np.int64),
                cp.zeros((1, width), np.int64),
            )
            self.parts = self._parts_of(self.row[0], starts)
            self.position = cp.zeros(1, np.int64)
            self.found = cp.zeros((BLOCK, len(found)), found[0].dtype)
            self._begin()
            self._end(found)
        return self.found[:1].copy()

    def record(self):
        """Record the step, after `run_first`, without running it.

        Raises
        ------
        Exception
            Whatever is raised by a step that does what cannot be recorded.
        """
        with self._in_turn(self.pool):
            self.stream.begin_capture()
            try:
                self._begin()
                self._end(self._asking(self.step))
            except BaseException:
                with suppress(Exception):  # that the capture is invalid is known
                    self.stream.end_capture()
                raise
            self.graph = self.stream.end_capture()

    def run(self, steps):
        """Run so many steps, after `record`; the host has then drawn for these and no others.

        Returns
        -------
        array (n, numbers)
            What the last steps found, `BLOCK` of them at most.
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
        """Give back all memory; the recorder is of no more use.

        A pool does not do so by itself: in CuPy 14.2 one that is dropped leaves its memory taken.
        """
        self.graph = self.unasked = self.parts = self.rows = None
        self.block = self.row = self.position = self.found = None
        self.pool.free_all_blocks()

    def __del__(self):
        if not sys.is_finalizing():  # then CUDA may be gone already
            self.close()

    def host_array(self, make, shape, dtype, rng=None):
        """For ``ops.host_array``: an array on the device."""
        if self.parts is None:
            self._remember(make, shape, dtype, rng)
            return cp.asarray(np.asarray(make(), dtype))
        part = next(self.unasked, None)
        if part is None or (part.shape, part.dtype) != (tuple(shape), np.dtype(dtype)):
            raise RuntimeError("a step draws other numbers than the one before it")
        return part

    def host_scalars(self, make, count):
        """For ``ops.host_scalars``: numbers the first time, then places on the device."""
        if self.parts is None:
            self._remember(make, (count,), float)
            return make()
        part = self.host_array(make, (count,), float)
        return [part[i] for i in range(count)]

    def _remember(self, make, shape, dtype, rng=None):
        """From now on, call ``make`` for each step."""
        self.groups.setdefault(rng and id(rng), []).append(len(self.draws))
        self.draws.append((make, shape, np.dtype(dtype)))

    def _draw(self, group, steps):
        """Draw the numbers of a group for the next steps."""
        for parts in self.rows[:steps]:
            for i in group:
                make, *_ = self.draws[i]
                parts[i][...] = make()

    def _begin(self):
        """Make the row of this step the current one."""
        self.block.take(self.position, 0, self.row)

    def _end(self, found):
        """Keep what was found, and count."""
        self.found[self.position] = cp.stack(list(found))[None]
        self.position += 1

    def _asking(self, step):
        """Call the step; what it draws, it asks this recorder for."""
        self.unasked = iter(self.parts or ())
        State.recorder = self
        try:
            found = step()
        finally:
            State.recorder = None
        if next(self.unasked, None) is not None:
            raise RuntimeError("a step draws fewer numbers than the one before it")
        return found

    def _parts_of(self, row, starts):
        """The parts of a row that the draws have, on the host or on the device."""
        parts = []
        for start, (_, shape, dtype) in zip(starts[:-1] // 8, self.draws, strict=True):
            whole = row[start : start + _room(shape, dtype) // 8].view(dtype)
            parts.append(whole[: math.prod(shape)].reshape(shape))
        return parts

    @contextmanager
    def _in_turn(self, pool=None):
        """Within, work is on this recorder's stream, after all before and before all after it."""
        other = cp.cuda.get_current_stream()
        self.stream.wait_event(other.record())
        memory = cp.cuda.using_allocator(pool.malloc) if pool else nullcontext()
        try:
            with self.stream, memory:
                yield
        finally:
            other.wait_event(self.stream.record())


def _fresh(size):
    """Memory for a recorder's pool, which has none idle that is large enough.

    Where CUDA has no more, a pool frees what is idle. But that may be memory of a step that is
    being recorded just now, whose launches will write there: then it must not come so far.
    """
    try:
        return cp.cuda.MemoryPointer(cp.cuda.Memory(size), 0)
    except cp.cuda.runtime.CUDARuntimeError as error:
        if cp.cuda.get_current_stream().is_capturing():
            raise MemoryError(f"no room for a recording: {error}") from error
        raise


def _room(shape, dtype):
    """Bytes that such an array takes up in a row."""
    return -(-math.prod(shape) * dtype.itemsize // ALIGNED) * ALIGNED
