"""Start the kernels of ``kernels/*.cu`` on CuPy's arrays.

Arguments are contiguous arrays, and NumPy scalars of the types that a kernel declares. The grids
are chosen in ``grids.py``.
"""

import functools

import cupy as cp
import numpy as np

from .grids import families, for_columns, for_numbers, for_partials, for_sums, options, source


@functools.cache
def _module(family, dtype):
    """Compile a family of kernels for arrays of this dtype. CuPy keeps the result on disk."""
    return cp.RawModule(code=source(family), options=options(dtype))


@functools.cache
def kernel(name, dtype):
    """Return a kernel for arrays of this dtype: a function of grid, block and arguments."""
    return _module(families()[name], str(dtype)).get_function(name)


def dense(dtype, *arrays):
    """Return the arrays as kernels read them: contiguous, and of one dtype."""
    return [cp.ascontiguousarray(a, dtype) for a in arrays]


def start_flat(name, first, *others):
    """Start an elementwise kernel: it does the same with each number of its arrays."""
    n, dtype = first.size, first.dtype
    kernel(name, dtype)(*for_numbers(n, dtype), (first, *others, np.int64(n)))


def start_columns(name, *arrays, like):
    """Start a kernel that does the same with each row of ``like`` (..., C)."""
    R, C = _rows(like)
    arguments = *arrays, np.int32(R), np.int32(C)
    kernel(name, like.dtype)(*for_columns(R, C, C, like.itemsize), arguments)


def add_up(name, width, arrays, vectors, into):
    """Start the kernel that adds up rows and, if several blocks share them, its "finish".

    Parameters
    ----------
    name : str
    width : int
        How many numbers a partial result has.
    arrays : list of array (..., C)
        The arrays whose rows are added up.
    vectors : list of array (C,)
        More arguments of the first kernel.
    into : list
        Arguments of both kernels: where the results go, and how.
    """
    dtype, (R, C) = arrays[0].dtype, _rows(arrays[0])
    grid, block = for_sums(R, C)
    partials = cp.empty((grid[1], C, width), np.float64)
    first = (*dense(dtype, *arrays), *vectors, *into, partials, np.int32(R), np.int32(C))
    kernel(name, dtype)(grid, block, first)
    if grid[1] > 1:
        last = (partials, *into, np.int32(grid[1]), np.int32(C))
        kernel(f"{name}_finish", dtype)(*for_partials(C), last)


def _rows(x):
    """Return R and C of the matrix (R, C) that x (..., C) is read as."""
    C = x.shape[-1]
    return x.size // max(C, 1), C
