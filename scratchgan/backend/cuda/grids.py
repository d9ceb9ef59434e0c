"""The kernels in ``kernels/*.cu``: their source, the compiler's options, and their grids.

A kernel is a function that many threads run at once. Threads come in blocks of `THREADS`, and
blocks in a grid of (x, y). A kernel finds its share of the work from the numbers of its block and
thread, and is right in any grid. This file chooses the grids: enough blocks to fill a GPU, with
enough work for each to be worth its start. It does not need CuPy.
"""

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "kernels"
FAMILIES = tuple(sorted(path.stem for path in FOLDER.glob("*.cu")))
REALS = {"float32": "float", "float64": "double"}

THREADS = 256  # of a block; a power of two
WARP = 32  # threads that run in lockstep: loads from neighbouring addresses are fast
PACK = 16  # bytes, the most that a thread loads at once
MANY = 1024  # blocks that fill a GPU: with more rows than that, each block does more
TURNS = 8  # rows of a thread, at most, if it reads and writes them
SUMMED = 32  # rows of a thread, at least, if it adds them up
PARTS = 512  # blocks that add up, at most: another kernel has to combine their results


def source(family):
    """Read one of the `FAMILIES`, with the files that it includes."""

    def text(name):
        included = (FOLDER / name).read_text()
        return re.sub(r'#include "(.*)"\n', lambda match: text(match[1]), included)

    return text(f"{family}.cu")


def options(dtype):
    """Return the compiler's arguments for arrays of this dtype."""
    macros = f"-DREAL={REALS[str(dtype)]}", f"-DTHREADS={THREADS}"
    # The last option compiles everything in a kernel's file for the device, lambdas, too.
    return (*macros, "--std=c++17", "--device-as-default-execution-space")


@functools.cache
def families():
    """Map the name of each kernel to its family."""
    found = re.compile(r'extern "C" __global__ void (\w+)\(')
    return {name: family for family in FAMILIES for name in found.findall(source(family))}


def for_numbers(n, dtype):
    """Grid and block for an elementwise kernel on n numbers: a pack for each thread."""
    blocks = _ceil(n, THREADS * (PACK // dtype.itemsize))
    return (max(blocks, 1),), (THREADS,)


@functools.cache
def for_columns(R, columns, C, itemsize):
    """Grid and block to read and write (R, columns): a thread takes a pack of a row or one number.

    It takes a pack if C is a multiple of the pack: only C numbers are sure to lie side by side.
    """
    lanes = PACK // itemsize
    wide = columns if C % lanes else columns // lanes
    x, y = _block(wide)
    across, down = max(_ceil(wide, x), 1), _ceil(R, y)
    turns = min(max(across * down // MANY, 1), TURNS)
    return (across, _limit(_ceil(down, turns))), (x, y)


@functools.cache
def for_sums(R, C):
    """Grid and block to add up the rows of (R, C): grid[1] partial results for each column."""
    x, y = _block(C)
    across = max(_ceil(C, x), 1)
    return (across, _limit(min(R // (y * SUMMED), PARTS // across))), (x, y)


@functools.cache
def for_partials(C):
    """Grid and block to combine partial results: columns are short, so a block takes at most 8."""
    x, y = _block(C, widest=8)
    return (max(_ceil(C, x), 1), 1), (x, y)


def _block(columns, widest=WARP):
    """Shape of a block: the columns, rounded up to a power of two, times the rows that are left."""
    x = min(1 << max(columns - 1, 0).bit_length(), widest)
    return x, THREADS // x


def _ceil(a, b):
    """a / b, rounded up."""
    return -(-a // b)


def _limit(blocks):
    """Limit a number of blocks to what CUDA allows in a grid's y: 1 to 65535."""
    return min(max(blocks, 1), 65535)
