"""Products of matrices by the cuBLAS that CuPy has loaded, asked without CuPy in between.

CuPy refuses its own cuBLAS while a stream is being captured; cuBLAS itself does not, given memory
that stays where it is. So here is a handle of our own, with a workspace of its own.

cuBLAS knows columns first: what lies in memory as the rows of C (R, O) is to it C^T (O, R). So it
is asked for C^T = B^T A^T, and of a view that is transposed it is told so, instead of being
given a copy.
"""

import ctypes
import functools
import re
from pathlib import Path

import cupy as cp

__all__ = ["allow_tf32", "gemm", "library", "matmul"]

# Names of cuBLAS' own headers; their values are the same in CUDA 12 and 13.
OP_N, OP_T = 0, 1
REAL_32, REAL_64 = 0, 1  # of cudaDataType
COMPUTE_32, COMPUTE_64, COMPUTE_32_FAST_TF32 = 68, 70, 77
DEFAULT = -1  # algorithm: cuBLAS chooses

WORKSPACE = 32 << 20  # bytes: what NVIDIA recommends for Hopper; older cards need less

_int, _pointer = ctypes.c_int, ctypes.c_void_p
SIGNATURES = {
    "cublasCreate_v2": [_pointer],
    "cublasSetStream_v2": [_pointer, _pointer],
    "cublasSetWorkspace_v2": [_pointer, _pointer, ctypes.c_size_t],
    "cublasGemmEx": [
        *(_pointer, _int, _int, _int, _int, _int, _pointer),  # handle, operations, m, n, k, alpha
        *(_pointer, _int, _int),  # A: where, of which type, leading dimension
        *(_pointer, _int, _int),  # B
        _pointer,  # beta
        *(_pointer, _int, _int),  # C
        *(_int, _int),  # type to compute in, algorithm
    ],
}

# By dtype: of the entries, of the computation, and alpha and beta.
KINDS = {
    "float32": (REAL_32, COMPUTE_32, ctypes.c_float(1), ctypes.c_float(0)),
    "float64": (REAL_64, COMPUTE_64, ctypes.c_double(1), ctypes.c_double(0)),
}


class Allowed:
    """What products may do until told otherwise."""

    tf32 = False


def allow_tf32(allowed):
    """From now on, products of float32 matrices may round their entries to 10 bits, or may not."""
    Allowed.tf32 = allowed


def matmul(a, b):
    """The product of two matrices: (R, K), (K, C) -> (R, C); CuPy's where there is no library."""
    return a @ b if library() is None else gemm(a, b, Allowed.tf32)


def gemm(a, b, tf32=False):
    """The product of two matrices on the device: (R, K), (K, O) -> (R, O).

    Parameters
    ----------
    a, b : CuPy arrays of one dtype, float32 or float64
        Contiguous, or views of what is: transposed, or of some columns. Others are copied.
    tf32 : bool
        Let float32 entries be rounded to 10 bits, for the tensor cores.

    Returns
    -------
    CuPy array (R, O), contiguous

    Raises
    ------
    ValueError
        No such matrices.
    RuntimeError
        cuBLAS refuses.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype:
        given = f"{a.dtype} {a.shape} and {b.dtype} {b.shape}"
        raise ValueError(f"{given} given, (R, K) and (K, O) of one dtype wanted")
    (R, K), O = a.shape, b.shape[1]  # noqa: E741
    if not R * K * O:
        return cp.zeros((R, O), a.dtype)
    entries, compute, one, zero = KINDS[str(a.dtype)]
    if tf32 and compute == COMPUTE_32:
        compute = COMPUTE_32_FAST_TF32
    a, of_a, step_a = _as_cublas_sees(a)
    b, of_b, step_b = _as_cublas_sees(b)
    c = cp.empty((R, O), a.dtype)
    _call(
        "cublasGemmEx",
        *(_handle(), of_b, of_a, O, R, K, ctypes.byref(one)),
        *(b.data.ptr, entries, step_b, a.data.ptr, entries, step_a, ctypes.byref(zero)),
        *(c.data.ptr, entries, O, compute, DEFAULT),
    )
    return c


def _as_cublas_sees(x):
    """The array (or a copy), whether it is transposed, and its leading dimension."""
    R, C = x.shape
    down, across = (stride // x.itemsize for stride in x.strides)
    # From the only row, or column, there is no step to the next one, whatever the stride.
    if (across == 1 or C == 1) and (down >= C or R == 1):
        return x, OP_N, C if R == 1 else down
    if (down == 1 or R == 1) and across >= R:
        return x, OP_T, across
    return cp.ascontiguousarray(x), OP_N, C


def _handle():
    """Our handle, set to the current stream.

    There is one workspace for all streams. That is safe where no two products run at once, and
    they do not here: all are asked for by one thread, and a stream that is changed to waits for
    the one before it (``Recorder._in_turn``), be it eager products that follow or recorded ones.
    """
    handle, workspace = _made()
    stream = cp.cuda.get_current_stream().ptr
    if stream != _Now.stream:
        _call("cublasSetStream_v2", handle, stream)
        _call("cublasSetWorkspace_v2", handle, workspace.ptr, WORKSPACE)  # SetStream resets it
        _Now.stream = stream
    return handle


@functools.cache
def _made():
    """The handle and its workspace, for as long as the process lives.

    The workspace is from no pool: that of the first one to ask may be a recorder's, and gone
    with it.
    """
    handle = ctypes.c_void_p()
    _call("cublasCreate_v2", ctypes.byref(handle))
    return handle, cp.cuda.Memory(WORKSPACE)


class _Now:
    """What the handle is set to."""

    stream = None


def _call(name, *args):
    status = getattr(library(), name)(*args)
    if status:
        raise RuntimeError(f"cuBLAS refuses: {name} returned status {status}")


@functools.cache
def library():
    """cuBLAS as CuPy uses it, or None where it is not found (it is looked for on Linux only)."""
    cp.cuda.get_cublas_handle()  # from then on it is loaded
    maps = Path("/proc/self/maps")
    major = cp.cuda.runtime.runtimeGetVersion() // 1000
    path = path_in(maps.read_text() if maps.exists() else "", major)
    if path is None:
        return None
    found = ctypes.CDLL(path)
    for name, types in SIGNATURES.items():
        getattr(found, name).argtypes = types
    return found


def path_in(maps, major):
    """The file of cuBLAS of this CUDA version, in the text of ``/proc/self/maps``."""
    found = re.search(rf"(/.*/libcublas\.so\.{major}\b.*)", maps)
    return found and found[1]
