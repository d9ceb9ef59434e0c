"""Backends: array operations by NumPy on the host, or by CuPy on a CUDA device.

A backend is a module of plain functions. ``reference.py`` is the one to read; ``cpu/ops.py`` and
``cuda/ops.py`` have the same names with the same arguments, and are fast.

    ops = get_backend("auto")    # chosen once, when a network is initialised
    ops = ops_of(x)              # inside a layer: its result lives where x lives
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from . import reference
from .cpu import ops as cpu_ops

__all__ = ["NAMES", "Array", "BackendError", "get_backend", "ops_of"]

Array: TypeAlias = Any  # np.ndarray, or cupy.ndarray

NAMES = ("auto", "numpy", "cupy", "reference")

_NO_PACKAGE = (
    "backend 'cupy' needs CuPy, which is not installed: "
    "pip install -e '.[cuda12]' (or '.[cuda13]', whichever your driver supports)"
)
_BROKEN = "CuPy is installed but cannot be imported: {}"
_NO_DEVICE = (
    "backend 'cupy' needs a CUDA device and none was found ({}): "
    "check that nvidia-smi lists one, or use --backend numpy"
)
_NO_HEADERS = (
    "CuPy cannot compile its kernels ({}): install the CUDA headers with "
    "pip install 'cupy-cuda12x[ctk]' (or 'cupy-cuda13x[ctk]')"
)

_host: ModuleType = cpu_ops  # the module that computes on NumPy arrays, chosen by `get_backend`


class BackendError(RuntimeError):
    """The backend cannot be used on this machine; the message is one line and says what to do."""


def get_backend(name: str | ModuleType = "auto") -> ModuleType:
    """Choose a backend.

    Two backends compute on NumPy arrays, "numpy" and "reference", and an array does not tell which
    of them made it. So this choice holds for the whole process: the last call for "numpy" or
    "reference" (or for "auto" without a GPU, which is "numpy") decides which of the two computes
    on every NumPy array from then on. The initial choice is "numpy". `initialize` without a backend
    leaves the choice as it is.

    Parameters
    ----------
    name : {"auto", "numpy", "cupy", "reference"} or module
        "auto" takes CuPy when it is installed and a CUDA device works, else NumPy. "reference" is
        plain, slow NumPy, to be read and followed in a debugger. A backend module is returned as
        it is.

    Returns
    -------
    module
        The functions listed in ``reference.py``; its ``name`` is "numpy", "cupy" or "reference".

    Raises
    ------
    BackendError
        "cupy" without the package, without a device, or without the CUDA headers.
    ValueError
        Any other name.
    """
    global _host
    if getattr(name, "name", None) in NAMES:
        ops: Any = name
    elif name in ("auto", "cupy"):
        ops = _cupy() if name == "cupy" else _cupy_or_numpy()
    elif name in NAMES:
        ops = reference if name == "reference" else cpu_ops
    else:
        raise ValueError(f"backend: expected one of {', '.join(NAMES)}, got {name!r}")
    if ops.on_host:
        _host = ops
    return ops


def ops_of(x: Array) -> ModuleType:
    """Return the backend module that computes on the array ``x``; see `get_backend`."""
    if isinstance(x, np.ndarray):
        return _host
    if type(x).__module__.partition(".")[0] == "cupy":
        return importlib.import_module(f"{__name__}.cuda.ops")
    raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")


def _cupy_or_numpy():
    """Return CuPy's backend if it works, else NumPy's."""
    try:
        return _cupy()
    except BackendError as error:
        if str(error) != _NO_PACKAGE:  # CuPy is installed: the user expects a GPU
            print(f"backend numpy: {error}", file=sys.stderr)
        return cpu_ops


def _cupy():
    """Import CuPy's backend, and test driver, compiler and cuBLAS with a small computation."""
    if importlib.util.find_spec("cupy") is None:
        raise BackendError(_NO_PACKAGE)
    failure = _BROKEN  # a missing shared library, say
    try:
        cuda_ops = importlib.import_module(f"{__name__}.cuda.ops")
        failure = _NO_DEVICE
        if not cuda_ops.device_count():
            raise RuntimeError("the CUDA driver reports no device")
        ones = cuda_ops.asarray(np.ones((2, 2), np.float32))
        failure = _NO_HEADERS
        cuda_ops.to_host(cuda_ops.sigmoid(ones @ ones))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BackendError(failure.format(lines[0])) from error
    return cuda_ops
