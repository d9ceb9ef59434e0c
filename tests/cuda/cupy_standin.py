"""A stand-in for CuPy where there is no GPU: as strict as CuPy, and it counts.

`module` makes the package ``cupy`` over NumPy. What its arrays allow is what CuPy's allow: host and
device arrays do not mix, what CuPy lacks is missing here, and more than two axes have no ``@``.
`Device` counts what costs time on a real one:

launches        one for each operation that writes to device memory (views cost nothing; CuPy may
                need several for one reduction or one advanced index)
to_device       bytes of each copy from the host
to_host         bytes of each copy to the host; each makes the host wait
waits           how often the host waited for the device

Streams are checked, too: work on one stream that may overtake work on another is an error. Under
stream capture nothing is computed; what would have been launched is kept as closures over the
arrays' memory, and a graph's launch runs them. So a host value that was read at capture stays what
it was, as on a device.
"""

import functools
import importlib.machinery
import types

import numpy as np

from .standin_array import GARBAGE, ndarray, raw
from .standin_device import CUDARuntimeError, Device, Memory, MemoryPool, Stream, Using

__all__ = ["module"]


def _elementwise(cupy, device):
    """Give the package the functions that it needs."""

    def plain(name, count):
        function = getattr(np, name)

        def call(*args, dtype=None):
            if len(args) != count:
                raise TypeError(f"{name}: {len(args)} arguments given, {count} wanted")
            return device.launch(function, *args)

        return call

    for name in ("sqrt", "exp", "log", "log1p", "expm1", "tanh", "abs", "isfinite", "square"):
        setattr(cupy, name, plain(name, 1))
    for name in ("maximum", "minimum", "add", "subtract", "multiply", "divide", "equal"):
        setattr(cupy, name, plain(name, 2))
    cupy.where = plain("where", 3)

    def clip(a, a_min, a_max, out=None):
        if a_min is None or a_max is None:
            raise ValueError("clip wants both bounds")
        bounds = raw(a_min), raw(a_max)
        return device.launch(lambda a: np.clip(a, *bounds), a, out=None if out is None else out._a)

    def create(function):
        def call(shape, dtype=float, order="C"):
            _check_dtype(dtype)
            return device.launch(lambda: function(shape, dtype))

        return call

    def create_like(value):
        def call(a, dtype=None, order="K", subok=None, shape=None):
            raw(a)
            shape, dtype = a.shape if shape is None else shape, a.dtype if dtype is None else dtype
            return device.launch(lambda: np.full(shape, value, dtype))

        return call

    cupy.zeros, cupy.ones = create(np.zeros), create(np.ones)
    cupy.zeros_like, cupy.ones_like = create_like(0), create_like(1)

    def empty(shape, dtype=float, order="C"):
        _check_dtype(dtype)
        dtype = np.dtype(dtype)
        return device.array(np.full(shape, GARBAGE.get(dtype.kind, 0), dtype))  # no launch

    def full(shape, value, dtype=None):
        return device.launch(lambda: np.full(shape, value, dtype))

    def empty_like(a, dtype=None, order="K", subok=None, shape=None):
        return empty(a.shape if shape is None else shape, a.dtype if dtype is None else dtype)

    def arange(*args, dtype=None):
        return device.launch(lambda: np.arange(*args, dtype=dtype))

    def joined(function):
        def call(arrays, axis=0):
            given = [raw(a) for a in arrays]
            if len(given) > 8:  # then CuPy copies their addresses to the device
                device.upload(np.zeros(len(given), np.int64))
            else:
                device.launches += len(given) - 1
            return device.launch(lambda: function(given, axis))

        return call

    def pad(array, pad_width, mode="constant", **options):
        if mode != "constant":
            raise NotImplementedError(mode)
        return device.launch(lambda a: np.pad(a, pad_width), array)

    def take(a, indices, axis=None, out=None):
        return a.take(indices, axis, out)

    def broadcast_to(a, shape):
        return a._view(np.broadcast_to(a._a, shape))

    def moveaxis(a, source, destination):
        return a._view(np.moveaxis(a._a, source, destination))

    def ascontiguousarray(a, dtype=None):
        a = a if dtype is None else a.astype(dtype, copy=False)
        return a if a.flags.c_contiguous else a.copy()

    def may_share_memory(a, b):
        return np.may_share_memory(raw(a), raw(b))

    for function in (
        clip, empty, full, empty_like, arange, pad, take, broadcast_to, moveaxis,
        ascontiguousarray, may_share_memory,
    ):  # fmt: skip
        setattr(cupy, function.__name__, function)
    cupy.concatenate, cupy.stack = joined(np.concatenate), joined(np.stack)


def _check_dtype(dtype):
    if np.dtype(dtype).kind not in "biuf":
        raise ValueError(f"Unsupported dtype {dtype}")


def _transfers(cupy, device):
    def asarray(a, dtype=None):
        if isinstance(a, ndarray):
            return a if dtype is None else a.astype(dtype, copy=False)
        a = np.asarray(a, dtype)
        _check_dtype(a.dtype)
        return device.upload(a)

    def array(a, dtype=None, copy=True):
        return asarray(a, dtype).copy() if isinstance(a, ndarray) else asarray(a, dtype)

    def asnumpy(a, stream=None):
        return a.get() if isinstance(a, ndarray) else np.asarray(a)

    cupy.asarray, cupy.array, cupy.asnumpy = asarray, array, asnumpy
    cupy.is_available = lambda: True


def _cuda(device):
    cuda = types.ModuleType("cupy.cuda")
    runtime = types.ModuleType("cupy.cuda.runtime")
    runtime.getDeviceCount = lambda: 1
    runtime.CUDARuntimeError = CUDARuntimeError
    runtime.memGetInfo = lambda: (device.free_bytes, 1 << 34)
    cuda.runtime, cuda.MemoryPool = runtime, functools.partial(MemoryPool, device)
    cuda.Memory = functools.partial(Memory, device)
    cuda.MemoryPointer = lambda memory, offset: memory
    cuda.Stream = functools.partial(Stream, device)
    cuda.get_current_stream = lambda: device.streams[-1]
    cuda.using_allocator = functools.partial(Using, device)
    return cuda


class _RawModule:
    """Kernels from source: those of the shim, on the memory of device arrays."""

    def __init__(self, device, *, code, options=(), **more):
        from .shim import RawModule

        self._device, self._module = device, RawModule(code=code, options=options)

    def get_function(self, name):
        kernel, device = self._module.get_function(name), self._device

        def start(grid, block, args, *, shared_mem=0):
            given = tuple(raw(a) for a in args)
            device.call(lambda: kernel(grid, block, given, shared_mem=shared_mem))

        return start


def module():
    """A fresh package ``cupy``; its ``device`` is the `Device` that it counts on."""
    cupy = types.ModuleType("cupy")
    cupy.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    cupy.__version__ = "14.0.1"
    device = cupy.device = Device()
    device.cupy = cupy
    cupy.ndarray = ndarray
    _elementwise(cupy, device)
    _transfers(cupy, device)
    cupy.cuda = _cuda(device)
    cupy.RawModule = functools.partial(_RawModule, device)
    cupy.get_default_memory_pool = lambda: device.default_pool
    return cupy
