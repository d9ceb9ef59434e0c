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

import bisect
import functools
import importlib.machinery
import types
import weakref

import numpy as np

__all__ = ["Device", "module"]

SCALARS = (bool, int, float, np.generic)
GARBAGE = {"f": np.nan}  # what memory holds that nobody has written to yet


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
        args = [_raw(a) for a in args]
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


def _raw(a):
    """NumPy's array behind a device array, or a scalar; whatever lives on the host is refused."""
    if isinstance(a, ndarray):
        return a._a
    if isinstance(a, SCALARS):
        return a
    raise TypeError(f"Unsupported type {type(a)}")


def _operator(ufunc, *, reflected=False, in_place=False):
    """A method of ndarray for a binary operator."""

    def method(self, other):
        other = _raw(other)
        if in_place:
            self._device.launch(ufunc, self, _wrapped(other, self), out=self._a)
            return self
        pair = (other, self._a) if reflected else (self._a, other)
        return self._device.launch(lambda: ufunc(*pair))

    return method


def _wrapped(raw, like):
    return ndarray(raw, like._device) if isinstance(raw, np.ndarray) else raw


def _reduction(name):
    """A method of ndarray that takes an axis."""

    def method(self, axis=None, dtype=None, out=None, keepdims=False):
        if out is not None:
            raise NotImplementedError("out=")
        options = {"axis": axis, "keepdims": keepdims}
        if dtype is not None:
            options["dtype"] = dtype
        return self._device.launch(lambda a: getattr(a, name)(**options), self)

    return method


def _basic(key):
    """Whether an index makes a view."""
    keys = key if isinstance(key, tuple) else (key,)
    return all(
        k is None or k is Ellipsis or isinstance(k, (int, np.integer, slice)) for k in keys
    ) and not any(isinstance(k, bool) for k in keys)


class ndarray:  # noqa: N801
    """CuPy's array: memory on the device."""

    __hash__ = None
    __array_ufunc__ = None  # so that np.exp(x), and operators of host arrays, are errors
    __array_priority__ = 100

    def __init__(self, a, device):
        self._a, self._device = a, device

    # ---- what costs nothing

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    size = property(lambda self: self._a.size)
    ndim = property(lambda self: self._a.ndim)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: self._a.flags)
    data = property(lambda self: types.SimpleNamespace(ptr=self._a.ctypes.data))
    T = property(lambda self: self._view(self._a.T))

    def _view(self, a):
        return ndarray(a, self._device)

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def transpose(self, *axes):
        return self._view(self._a.transpose(*axes))

    def view(self, dtype):
        return self._view(self._a.view(dtype))

    def squeeze(self, axis=None):
        return self._view(self._a.squeeze(axis))

    def reshape(self, *shape):
        a = self._a.reshape(*shape)
        if not a.size or np.may_share_memory(a, self._a):
            return self._view(a)
        return self._device.launch(lambda a: a.reshape(*shape), self)

    def ravel(self):
        return self.reshape(-1)

    # ---- what is computed on the device

    def __getitem__(self, key):
        if _basic(key):
            return self._view(self._part(key))
        return self._device.launch(lambda a: a[self._advanced(key)], self)

    def __setitem__(self, key, value):
        value = _raw(value)
        if _basic(key):
            self._device.launch(lambda: value, out=self._part(key))
            return
        key = self._advanced(key)
        if not isinstance(value, np.ndarray):
            self._device.upload(np.asarray(value, self.dtype))  # CuPy makes an array of it

        def write():
            self._a[key] = value

        self._device.call(write)

    def _part(self, key):
        """A view, also where it is one number."""
        keys = key if isinstance(key, tuple) else (key,)
        return self._a[keys if Ellipsis in keys else (*keys, Ellipsis)]

    def _advanced(self, key):
        """A key with device arrays in it, for NumPy."""
        keys = key if isinstance(key, tuple) else (key,)
        for k in keys:
            if not (isinstance(k, ndarray) or _basic(k)):
                raise TypeError(f"Unsupported type {type(k)}")
            if isinstance(k, ndarray) and k.dtype == bool:
                if self._device.recorded is not None:
                    raise RuntimeError("the current stream is capturing: no boolean mask")
                self._device.waits += 1
        return tuple(k._a if isinstance(k, ndarray) else k for k in keys)

    def take(self, indices, axis=None, out=None):
        if not isinstance(indices, (ndarray, int, np.integer)):
            raise TypeError(f"Unsupported type {type(indices)}")
        out = None if out is None else out._a
        return self._device.launch(
            lambda a, i: a.take(i, axis, mode="wrap"), self, indices, out=out
        )

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if not copy and self.dtype == dtype:
            return self
        return self._device.launch(lambda a: np.array(a.astype(dtype)), self)

    def copy(self, order="C"):
        return self._device.launch(np.array, self)

    def __deepcopy__(self, memo):
        return self.copy()

    def fill(self, value):
        self[...] = value

    def repeat(self, repeats, axis=None):
        return self._device.launch(lambda a: a.repeat(repeats, axis), self)

    sum, mean, max, min, std, var, any, all, prod = map(
        _reduction, ("sum", "mean", "max", "min", "std", "var", "any", "all", "prod")
    )
    __add__, __radd__ = _operator(np.add), _operator(np.add, reflected=True)
    __sub__, __rsub__ = _operator(np.subtract), _operator(np.subtract, reflected=True)
    __mul__, __rmul__ = _operator(np.multiply), _operator(np.multiply, reflected=True)
    __truediv__, __rtruediv__ = _operator(np.divide), _operator(np.divide, reflected=True)
    __floordiv__, __mod__ = _operator(np.floor_divide), _operator(np.mod)
    __pow__, __and__ = _operator(np.power), _operator(np.bitwise_and)
    __or__ = _operator(np.bitwise_or)
    __lt__, __le__, __gt__ = _operator(np.less), _operator(np.less_equal), _operator(np.greater)
    __ge__, __eq__, __ne__ = (
        _operator(np.greater_equal), _operator(np.equal), _operator(np.not_equal),
    )  # fmt: skip
    __iadd__, __isub__ = _operator(np.add, in_place=True), _operator(np.subtract, in_place=True)
    __imul__ = _operator(np.multiply, in_place=True)
    __itruediv__ = _operator(np.divide, in_place=True)

    def __neg__(self):
        return self._device.launch(np.negative, self)

    def __abs__(self):
        return self._device.launch(np.abs, self)

    def __invert__(self):
        return self._device.launch(np.invert, self)

    def __matmul__(self, other):
        if not isinstance(other, ndarray) or max(self.ndim, other.ndim) > 2:
            raise TypeError("@ of other than matrices and vectors: copies transposed views")
        if self._device.recorded is not None:
            raise NotImplementedError(
                "calling cuBLAS API during stream capture is currently unsupported"
            )
        return self._device.launch(np.matmul, self, other)

    def __imatmul__(self, other):
        raise TypeError("a @= b binds the name to another array")

    # ---- what the host waits for

    def set(self, array):
        if (array.shape, array.dtype) != (self.shape, self.dtype):
            raise ValueError(f"{array.dtype} {array.shape} into {self.dtype} {self.shape}")
        self._a[...] = self._device.copied(array)

    def get(self, stream=None):
        return self._device.download(self)

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        return bool(self.item())

    def nonzero(self):
        found = self.get().nonzero()
        return tuple(self._view(a) for a in found)

    # ---- what NumPy may not do

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_function__(self, function, kinds, args, kwargs):
        # CuPy lets NumPy hand over; only what conv_reference.py makes use of.
        if function in (np.pad, np.empty_like, np.zeros_like):
            return getattr(self._device.cupy, function.__name__)(*args, **kwargs)
        raise TypeError(f"np.{function.__name__} of a device array")


ndarray.__module__ = "cupy"


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


class _Using:
    """``using_allocator``: arrays come from this pool for a while, or from none."""

    def __init__(self, device, malloc=None):
        self.device, self.pool = device, malloc.__self__ if malloc else device.outside

    def __enter__(self):
        self.device.pools.append(self.pool)

    def __exit__(self, *error):
        self.device.pools.pop()


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
        bounds = _raw(a_min), _raw(a_max)
        return device.launch(lambda a: np.clip(a, *bounds), a, out=None if out is None else out._a)

    def create(function):
        def call(shape, dtype=float, order="C"):
            _check_dtype(dtype)
            return device.launch(lambda: function(shape, dtype))

        return call

    def create_like(value):
        def call(a, dtype=None, order="K", subok=None, shape=None):
            _raw(a)
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
            raw = [_raw(a) for a in arrays]
            if len(raw) > 8:  # then CuPy copies their addresses to the device
                device.upload(np.zeros(len(raw), np.int64))
            else:
                device.launches += len(raw) - 1
            return device.launch(lambda: function(raw, axis))

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
        return np.may_share_memory(_raw(a), _raw(b))

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
    cuda.using_allocator = functools.partial(_Using, device)
    return cuda


class _RawModule:
    """Kernels from source: those of the shim, on the memory of device arrays."""

    def __init__(self, device, *, code, options=(), **more):
        from .shim import RawModule

        self._device, self._module = device, RawModule(code=code, options=options)

    def get_function(self, name):
        kernel, device = self._module.get_function(name), self._device

        def start(grid, block, args, *, shared_mem=0):
            raw = tuple(_raw(a) for a in args)
            device.call(lambda: kernel(grid, block, raw, shared_mem=shared_mem))

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
