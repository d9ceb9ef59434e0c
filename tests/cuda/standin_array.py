"""The arrays of CuPy's stand-in: what CuPy's allow, and nothing more."""

import types

import numpy as np

__all__ = ["GARBAGE", "ndarray", "raw"]

SCALARS = (bool, int, float, np.generic)
GARBAGE = {"f": np.nan}  # what memory holds that nobody has written to yet


def raw(a):
    """NumPy's array behind a device array, or a scalar; whatever lives on the host is refused."""
    if isinstance(a, ndarray):
        return a._a
    if isinstance(a, SCALARS):
        return a
    raise TypeError(f"Unsupported type {type(a)}")


def _operator(ufunc, *, reflected=False, in_place=False):
    """A method of ndarray for a binary operator."""

    def method(self, other):
        other = raw(other)
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
        value = raw(value)
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
