"""Matrix products by cuBLAS, called directly instead of through CuPy.

CuPy refuses to call cuBLAS while a stream is being captured. cuBLAS itself allows it, if its
workspace stays where it is. So this file has a handle of its own, with a workspace of its own.

cuBLAS stores matrices column by column. It reads an array C (R, O), which is stored row by row, as
the matrix C^T (O, R). So it computes C^T = B^T A^T here. A flag for each factor says whether it is
transposed, so transposed views need no copy.
"""

import ctypes
import functools
import re
from pathlib import Path

import cupy as cp

# Names of cuBLAS's own headers; their values are the same in CUDA 12 and 13.
OP_N, OP_T = 0, 1
REAL_32, REAL_64 = 0, 1  # cudaDataType
COMPUTE_32, COMPUTE_64, COMPUTE_32_FAST_TF32 = 68, 70, 77
DEFAULT = -1  # algorithm: cuBLAS chooses

WORKSPACE = 32 << 20  # bytes: what NVIDIA recommends for Hopper; older cards need less

_int, _pointer = ctypes.c_int, ctypes.c_void_p
_matrix = _pointer, _int, _int  # address, type of the entries, leading dimension
SIGNATURES = {
    "cublasCreate_v2": [_pointer],
    "cublasSetStream_v2": [_pointer, _pointer],
    "cublasSetWorkspace_v2": [_pointer, _pointer, ctypes.c_size_t],
    # handle, two operations, m, n, k, alpha, A, B, beta, C, type to compute in, algorithm
    "cublasGemmEx": [_pointer, *5 * [_int], _pointer, *2 * _matrix, _pointer, *_matrix, _int, _int],
}

# For each dtype: the type of the entries, the type to compute in, alpha and beta.
KINDS = {
    "float32": (REAL_32, COMPUTE_32, ctypes.c_float(1), ctypes.c_float(0)),
    "float64": (REAL_64, COMPUTE_64, ctypes.c_double(1), ctypes.c_double(0)),
}


class _State:
    """State of cuBLAS: may products round? Its handle, workspace and stream, when first used."""

    tf32 = False
    handle = workspace = stream = None


def allow_tf32(allowed):
    """Allow products of float32 matrices to round their entries to 10 bits, or forbid it."""
    _State.tf32 = allowed


def matmul(a, b):
    """Matrix product a b, on the device.  (R, K), (K, O) -> (R, O).

    Parameters
    ----------
    a, b : CuPy arrays of one dtype, float32 or float64
        Contiguous, or views of contiguous arrays: transposed, or of some columns. Others are
        copied.

    Returns
    -------
    CuPy array (R, O), contiguous

    Raises
    ------
    ValueError
        The shapes or dtypes do not fit.
    RuntimeError
        cuBLAS reports an error.
    """
    if library() is None:
        return a @ b
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype:
        found = f"{a.dtype} {a.shape} and {b.dtype} {b.shape}"
        raise ValueError(f"matmul: expected matrices (R, K) and (K, O) of one dtype, got {found}")
    (R, K), O = a.shape, b.shape[1]  # noqa: E741
    if not R * K * O:
        return cp.zeros((R, O), a.dtype)
    kind, compute, one, zero = KINDS[str(a.dtype)]
    if _State.tf32 and compute == COMPUTE_32:
        compute = COMPUTE_32_FAST_TF32
    a, a_operation, a_step = _as_cublas_sees(a)
    b, b_operation, b_step = _as_cublas_sees(b)
    c = cp.empty((R, O), a.dtype)
    _call(
        "cublasGemmEx",
        *(_handle(), b_operation, a_operation, O, R, K, ctypes.byref(one)),
        *(b.data.ptr, kind, b_step, a.data.ptr, kind, a_step, ctypes.byref(zero)),
        *(c.data.ptr, kind, O, compute, DEFAULT),
    )
    return c


def _as_cublas_sees(x):
    """Return x or a copy, its operation (transposed or not), and its leading dimension."""
    R, C = x.shape
    down, across = (stride // x.itemsize for stride in x.strides)
    # With one row, or one column, there is no step to the next one, whatever the stride.
    if (across == 1 or C == 1) and (down >= C or R == 1):
        return x, OP_N, C if R == 1 else down
    if (down == 1 or R == 1) and across >= R:
        return x, OP_T, across
    return cp.ascontiguousarray(x), OP_N, C


def _handle():
    """Return the handle of cuBLAS, set to the current stream.

    All streams share one workspace. That is safe only if no two products run at once. Here they do
    not: one thread starts all of them, and a new stream waits for the one before it
    (``Recorder._in_turn``), for single products and for recorded ones.
    """
    if _State.handle is None:
        handle = ctypes.c_void_p()
        _call("cublasCreate_v2", ctypes.byref(handle))
        # Not from a memory pool: the current pool may belong to a recorder, and be freed with it.
        _State.handle, _State.workspace = handle, cp.cuda.Memory(WORKSPACE)
    stream = cp.cuda.get_current_stream().ptr
    if stream != _State.stream:
        _call("cublasSetStream_v2", _State.handle, stream)
        # Setting the stream has reset the workspace.
        _call("cublasSetWorkspace_v2", _State.handle, _State.workspace.ptr, WORKSPACE)
        _State.stream = stream
    return _State.handle


def _call(name, *arguments):
    """Call a function of cuBLAS; raise RuntimeError if it fails."""
    if status := getattr(library(), name)(*arguments):
        raise RuntimeError(f"cuBLAS refuses: {name} returned status {status}")


@functools.cache
def library():
    """Load the cuBLAS library that CuPy uses (on Linux only); return None if it is not found."""
    cp.cuda.get_cublas_handle()  # from then on it is loaded
    maps, major = Path("/proc/self/maps"), cp.cuda.runtime.runtimeGetVersion() // 1000
    path = path_in(maps.read_text() if maps.exists() else "", major)
    if path is None:
        return None
    found = ctypes.CDLL(path)
    for name, types in SIGNATURES.items():
        getattr(found, name).argtypes = types
    return found


def path_in(maps, major):
    """Return the path of cuBLAS for CUDA ``major``, found in the text of ``/proc/self/maps``."""
    found = re.search(rf"(/.*/libcublas\.so\.{major}\b.*)", maps)
    return found and found[1]
