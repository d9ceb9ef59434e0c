"""The kernels in ``kernels/*.cu``: what a compiler needs to know, and in which shape to start them.

A kernel is a function that many threads run at once. Threads come in blocks of `THREADS`, blocks
in a grid of (x, y); a kernel finds its share of the work from the numbers of its block and
thread, and is right in any grid. This file chooses the grids: enough blocks to fill a card, with
enough work for each to be worth its start.
"""

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "kernels"
FAMILIES = tuple(sorted(path.stem for path in FOLDER.glob("*.cu")))
REALS = {"float32": "float", "float64": "double"}

THREADS = 256  # of a block; a power of two
WARP = 32  # threads that move in step: their loads are fast where they are neighbours
PACK = 16  # bytes, the most that a thread loads at once
MANY = 1024  # blocks, from which a card is full: from then on each does more
TURNS = 8  # rows of a thread, at most, where it reads and writes them
SUMMED = 32  # rows of a thread, at least, where it adds them up
PARTS = 512  # blocks that add up, at most: another kernel has to combine their results


def source(family):
    """The text of one of the `FAMILIES`, with the files that it includes."""

    def text(name):
        included = (FOLDER / name).read_text()
        return re.sub(r'#include "(.*)"\n', lambda match: text(match[1]), included)

    return text(f"{family}.cu")


def options(dtype):
    """The compiler's arguments for arrays of this dtype."""
    macros = f"-DREAL={REALS[str(dtype)]}", f"-DTHREADS={THREADS}"
    # The last: what is in a kernel's file is for the device, its lambdas too.
    return (*macros, "--std=c++17", "--device-as-default-execution-space")


@functools.cache
def families():
    """The family of each kernel, by its name."""
    found = re.compile(r'extern "C" __global__ void (\w+)\(')
    return {name: family for family in FAMILIES for name in found.findall(source(family))}


def for_numbers(n, dtype):
    """Grid and block for n numbers, each by itself: a pack for each thread."""
    blocks = _ceil(n, THREADS * (PACK // dtype.itemsize))
    return (max(blocks, 1),), (THREADS,)


@functools.cache
def for_columns(R, columns, C, itemsize):
    """Grid and block to read and write (R, columns): a pack of a row for each thread, or a number.

    Packs where they fit into C, the numbers that lie side by side wherever they come from.
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
    """Grid and block to combine the partial results: they are short columns, so few at a time."""
    x, y = _block(C, widest=8)
    return (max(_ceil(C, x), 1), 1), (x, y)


def _block(columns, widest=WARP):
    """The shape of a block: as wide as the columns, to a power of two, and the rest rows."""
    x = min(1 << max(columns - 1, 0).bit_length(), widest)
    return x, THREADS // x


def _ceil(a, b):
    """a / b, rounded up."""
    return -(-a // b)


def _limit(blocks):
    """Into the range that CUDA allows for a grid's y."""
    return min(max(blocks, 1), 65535)
