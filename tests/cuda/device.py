"""The CuPy backend without a device: its own code and its own kernels, on the CPU.

`load` imports ``cuda.ops`` anew, over just enough of a ``cupy`` for its operations: NumPy, and
kernels run by the shim. Memory is guarded: an array lies between margins that no kernel may touch,
and holds NaN until something is written to it.
"""

import importlib
import sys
from contextlib import ExitStack, nullcontext
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np

from scratchgan.backend import cuda

from . import shim

# Of the backend, what imports cupy, and is imported anew over another.
ON_CUPY = ("ops", "conv", "launch", "gemm", "graph")

MARGIN = 64  # numbers on both sides of an array
MARK = -12345.0
_margins = []


def empty(shape, dtype):
    """A guarded array, aligned as on a device."""
    dtype, n = np.dtype(dtype), int(np.prod(shape))
    memory = np.full((n + 2 * MARGIN) * dtype.itemsize + 16, 0, np.uint8)
    start = -memory.ctypes.data % 16
    numbers = memory[start : start + (n + 2 * MARGIN) * dtype.itemsize].view(dtype)
    numbers[...] = MARK
    inside = numbers[MARGIN : MARGIN + n]
    inside[...] = np.nan
    _margins.append((numbers[:MARGIN], numbers[MARGIN + n :]))
    return inside.reshape(shape)


def asarray(x, dtype=None):
    """A guarded copy of a NumPy array."""
    x = np.asarray(x, dtype)
    there = empty(x.shape, x.dtype)
    there[...] = x
    return there


def check_margins():
    """Nothing has been written beside any array since the last check."""
    watched, _margins[:] = _margins[:], []
    assert all((margin == MARK).all() for margins in watched for margin in margins)


def load():
    """The module ``cuda.ops``, computing on the CPU."""
    cupy = ModuleType("cupy")
    cupy.ndarray, cupy.ascontiguousarray = np.ndarray, np.ascontiguousarray
    cupy.asarray, cupy.asnumpy, cupy.empty = asarray, np.array, empty
    cupy.broadcast_to = np.broadcast_to
    cupy.empty_like = lambda x: empty(x.shape, x.dtype)
    cupy.RawModule = shim.RawModule
    cupy.cuda = SimpleNamespace(using_allocator=nullcontext)
    package = cuda.__name__
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(sys.modules, cupy=cupy))
        for name in ON_CUPY:  # those of a real CuPy come back in the end
            sys.modules.pop(f"{package}.{name}", None)
            stack.enter_context(mock.patch.object(cuda, name, None, create=True))
        ops = importlib.import_module(f"{package}.ops")
        sys.modules[f"{package}.gemm"].library = lambda: None
    return ops
