"""Where arrays live: NumPy on the host, or CuPy on a CUDA device.

A backend is a module of plain functions. ``numpy_ops`` is the reference and always there;
``cupy_ops`` has the same names with the same signatures and is imported only when asked for.

    ops = get_backend("auto")    # chosen once, when a network is initialised
    ops = ops_of(x)              # inside a layer: wherever x lives, its result lives too
"""

import importlib
import importlib.util
import sys
from typing import Any, TypeAlias

import numpy as np

from .cpu import ops as numpy_ops

__all__ = ["Array", "BackendError", "get_backend", "ops_of"]

Array: TypeAlias = Any  # np.ndarray, or cupy.ndarray

NAMES = ("auto", "numpy", "cupy")

_NO_PACKAGE = (
    "backend 'cupy' needs CuPy, which is not installed: "
    "pip install -e '.[cuda12]' (or '.[cuda13]', whichever your driver supports)"
)
_NO_DEVICE = (
    "backend 'cupy' needs a CUDA device and none was found ({reason}): "
    "check that nvidia-smi lists one, or use --backend numpy"
)
_NO_HEADERS = (
    "CuPy cannot compile its kernels ({reason}): install the CUDA headers with "
    "pip install 'cupy-cuda12x[ctk]' (or 'cupy-cuda13x[ctk]')"
)


class BackendError(RuntimeError):
    """The backend asked for cannot be used here; the message is one line with the cure."""


def get_backend(name="auto"):
    """The module of array operations called ``name``.

    Parameters
    ----------
    name : {"auto", "numpy", "cupy"} or module
        "auto" takes CuPy when it is installed and a CUDA device works, else NumPy; the ``name``
        attribute of the result says which. A backend module is returned as it is.

    Returns
    -------
    module
        ``numpy_ops`` or ``cupy_ops``.

    Raises
    ------
    BackendError
        "cupy" without the package, without a device, or without the CUDA headers.
    ValueError
        Any other name.
    """
    if getattr(name, "name", None) in NAMES:
        return name
    if name not in NAMES:
        raise ValueError(f"backend {name!r} given, one of {', '.join(NAMES)} wanted")
    if name == "numpy":
        return numpy_ops
    try:
        return _cupy()
    except BackendError as error:
        if name == "cupy":
            raise
        if str(error) != _NO_PACKAGE:  # CuPy was installed to be used
            print(f"backend numpy: {error}", file=sys.stderr)
        return numpy_ops


def _cupy():
    """Import ``cupy_ops`` and compute a little: that proves driver, compiler and cuBLAS."""
    if importlib.util.find_spec("cupy") is None:
        raise BackendError(_NO_PACKAGE)
    try:
        cupy_ops = importlib.import_module(f"{__name__}.cuda.ops")
    except ImportError as error:  # installed, but broken: a missing shared library, say
        raise BackendError(f"CuPy is installed but cannot be imported: {_line(error)}") from error
    if not cupy_ops.device_count():
        raise BackendError(_NO_DEVICE.format(reason="the CUDA driver reports no device"))
    try:
        ones = cupy_ops.asarray(np.ones((2, 2), np.float32))
    except Exception as error:
        raise BackendError(_NO_DEVICE.format(reason=_line(error))) from error
    try:
        cupy_ops.to_host(cupy_ops.sigmoid(ones @ ones))
    except Exception as error:
        raise BackendError(_NO_HEADERS.format(reason=_line(error))) from error
    return cupy_ops


def _line(error):
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def ops_of(x):
    """The backend module that the array ``x`` belongs to."""
    if isinstance(x, np.ndarray):
        return numpy_ops
    if type(x).__module__.partition(".")[0] == "cupy":
        return importlib.import_module(f"{__name__}.cuda.ops")
    raise TypeError(f"{type(x).__name__} given, a NumPy or CuPy array wanted")
