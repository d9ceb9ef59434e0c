"""Starting the kernels of ``kernels/*.cu`` on CuPy's arrays.

Arguments are contiguous arrays, and NumPy scalars of the types that a kernel declares. The grids
are chosen in ``grids.py``.
"""

import functools

import cupy as cp
import numpy as np

from .grids import families, for_columns, for_numbers, for_partials, for_sums, options, source

__all__ = ["add_up", "dense", "kernel", "start_columns", "start_flat"]


@functools.cache
def _module(family, dtype):
    """A family of kernels for arrays of this dtype. CuPy keeps what was compiled on disk."""
    return cp.RawModule(code=source(family), options=options(dtype))


@functools.cache
def kernel(name, dtype):
    """The kernel called ``name``, for arrays of this dtype: ``kernel(grid, block, arguments)``."""
    return _module(families()[name], str(dtype)).get_function(name)


def dense(dtype, *arrays):
    """The arrays as kernels read them: of one dtype, row after row without gaps."""
    return [cp.ascontiguousarray(a, dtype) for a in arrays]


def start_flat(name, first, *others):
    """Start a kernel that does the same with each number."""
    grid, block = for_numbers(first.size, first.dtype)
    kernel(name, first.dtype)(grid, block, (first, *others, np.int64(first.size)))


def start_columns(name, *arrays, like):
    """Start a kernel that does the same in each row of ``like``."""
    R, C = _rows(like)
    grid, block = for_columns(R, C, C, like.itemsize)
    kernel(name, like.dtype)(grid, block, (*arrays, np.int32(R), np.int32(C)))


def add_up(name, width, arrays, vectors, into):
    """Start the kernel that adds up rows and, where several blocks share them, its "finish".

    Parameters
    ----------
    name : str
    width : int
        Numbers in a partial result.
    arrays : list of array (..., C)
        What is added up.
    vectors : list of array (C,)
        What else the first kernel reads.
    into : list
        Where the results go, and how.
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
    """R and C of (..., C)."""
    C = x.shape[-1]
    return x.size // max(C, 1), C
