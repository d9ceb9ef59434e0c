"""The kernels in ``kernels/*.cu``: compiled when first needed, and started in the right shape.

A kernel is a function that many threads run at once. They come in blocks of `THREADS`, the blocks
in a grid; a kernel finds its share of the work from the numbers of its block and thread.
"""

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "kernels"
FAMILIES = tuple(sorted(path.stem for path in FOLDER.glob("*.cu")))
REALS = {"float32": "float", "float64": "double"}

THREADS = 256  # of a block, a power of two


def source(family):
    """The text of one of the `FAMILIES`, ready to be compiled."""
    return "".join((FOLDER / name).read_text() for name in ("common.cuh", f"{family}.cu"))


def options(dtype):
    """The compiler's arguments for arrays of this dtype."""
    return (f"-DREAL={REALS[str(dtype)]}", f"-DTHREADS={THREADS}", "--std=c++17")


def kernel_names(family):
    """The kernels of a family."""
    return re.findall(r"__global__ void (\w+)\(", source(family))
