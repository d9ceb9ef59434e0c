"""CUDA kernels on a CPU: what ``cupy.RawModule`` is on a device, for NumPy arrays.

    module = RawModule(code=source, options=("-DREAL=float", "--std=c++17"))
    module.get_function("leaky_relu")((grid,), (block,), (x, y, np.float32(0.2), np.int64(x.size)))

The source is compiled by g++ with ``shim.h`` before it. Arguments are passed as CuPy passes them,
and refused where their type is not the one that the kernel has declared: on a device they would
be misread in silence. Blocks and threads run one after the other, in rising order, or in falling
order where `BACKWARDS` is set: a kernel whose result depends on it lacks a barrier.
"""

import ctypes
import getpass
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BACKWARDS = False

COMPILER = shutil.which("g++") if sys.platform == "linux" else None  # it needs ucontext.h
FLAGS = ("-O1", "-fno-strict-aliasing", "-U_FORTIFY_SOURCE", "-ffp-contract=off", "-w", "-fPIC")
CHECKS = ("-fsanitize=alignment,bounds",)  # whose handlers are in the header, not in a library
HEADER = (Path(__file__).parent / "shim.h").read_text()
CACHE = Path(tempfile.gettempdir()) / f"scratchgan-shim-{getpass.getuser()}"

KERNEL = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')
TYPES = {"int": "int32", "long long": "int64", "float": "float32", "double": "float64"}

# Called from Python with pointers to the arguments' values, as cuLaunchKernel is.
LAUNCHER = """
static void run_{name}(void** args) {{ {name}({values}); }}
extern "C" const char* launch_{name}(void** args, const unsigned* shape, bool backwards) {{
    return shim::launch(run_{name}, args, shape, {meets}, backwards);
}}
"""


class RawModule:
    """The kernels of one source, compiled.

    Parameters
    ----------
    code : str
    options : tuple of str
        Those that define macros and choose the standard are used.
    """

    def __init__(self, *, code, options=(), **ignored):
        defined = dict(option[2:].split("=") for option in options if option.startswith("-D"))
        meets = "true" if "__syncthreads" in code else "false"
        self.parameters, launchers = {}, []
        for name, declared in KERNEL.findall(code):
            types = [_type(one) for one in declared.split(",")]
            values = ", ".join(f"*({t}*)args[{i}]" for i, t in enumerate(types))
            launchers.append(LAUNCHER.format(name=name, values=values, meets=meets))
            for macro, value in defined.items():
                types = [re.sub(rf"\b{macro}\b", value, t) for t in types]
            self.parameters[name] = [_expected(t) for t in types]
        own = tuple(o.replace("--std", "-std") for o in options if o[:2] == "-D" or "std=" in o)
        code = code.replace('extern "C" __global__', "__global__")
        self.library = _compiled(HEADER + code + "".join(launchers), (*FLAGS, *own))

    def get_function(self, name):
        """The kernel called ``name``: ``kernel(grid, block, args, *, shared_mem=0)``."""
        if name not in self.parameters:
            raise KeyError(f"no kernel {name!r}, only {', '.join(self.parameters)}")
        launch = getattr(self.library, f"launch_{name}")
        launch.restype = ctypes.c_char_p
        expected = self.parameters[name]

        def kernel(grid, block, args, *, shared_mem=0):
            if len(args) != len(expected):
                raise TypeError(f"{name}: {len(args)} arguments given, {len(expected)} wanted")
            pairs = zip(args, expected, strict=True)
            kept = [_argument(name, i, a, wanted) for i, (a, wanted) in enumerate(pairs)]
            pointers = (ctypes.c_void_p * len(kept))(*(a.ctypes.data for a in kept))
            shape = (ctypes.c_uint * 6)(*_three(grid), *_three(block))
            limits = (2**31 - 1, 65535, 65535, 1024, 1024, 64)
            if not all(1 <= n <= limit for n, limit in zip(shape, limits, strict=True)):
                raise ValueError(f"{name}: grid {grid} of blocks {block} cannot be started")
            if np.prod(_three(block)) > 1024:
                raise ValueError(f"{name}: a block of {block} has more than 1024 threads")
            failure = launch(pointers, shape, ctypes.c_bool(BACKWARDS))
            if failure:
                raise RuntimeError(f"{name}: {failure.decode()}")

        return kernel


def _type(declared):
    """The C type of a parameter: ``const REAL* __restrict__ x`` has ``const REAL*``."""
    return re.sub(r"\s*(__restrict__\s*)?\w+\s*$", "", declared.strip()).strip()


def _expected(c_type):
    """(is a pointer, dtype or None for a struct, is written to) of a C type."""
    base = c_type.replace("const", "").replace("*", "").strip()
    return "*" in c_type, TYPES.get(base), "const" not in c_type


def _argument(name, i, given, expected):
    """The argument's value in memory, as an array of one entry: a pointer, or a scalar."""
    pointer, dtype, written = expected
    where = f"{name}, argument {i}"
    if pointer:
        if not isinstance(given, np.ndarray) or (dtype and given.dtype != dtype):
            raise TypeError(f"{where}: {_kind(given)} given, an array of {dtype} wanted")
        if not given.flags.c_contiguous or (written and not given.flags.writeable):
            raise TypeError(f"{where}: an array that is contiguous and can be written to wanted")
        return np.array([given.ctypes.data], np.uintp)
    if not isinstance(given, np.generic) or given.dtype != dtype:
        raise TypeError(f"{where}: {_kind(given)} given, {dtype} wanted")
    return np.array([given])


def _kind(given):
    """The type of an argument, for a message."""
    return f"{type(given).__name__} of {getattr(given, 'dtype', 'no dtype')}"


def _three(shape):
    """Grid or block (x,), (x, y) or (x, y, z) as x, y, z."""
    return (*shape, 1, 1)[:3]


def _compiled(code, flags):
    """The shared library of this code, compiled once for all runs."""
    key = hashlib.sha256("\n".join((code, *flags, *CHECKS)).encode()).hexdigest()[:24]
    library = CACHE / f"{key}.so"
    if not library.exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            text, compiled, linked = (Path(folder) / f"kernels.{end}" for end in ("cpp", "o", "so"))
            text.write_text(code)
            _run(*flags, *CHECKS, "-c", text, "-o", compiled)
            _run("-shared", compiled, "-o", linked)
            os.replace(linked, library)
    return ctypes.CDLL(str(library))


def _run(*arguments):
    """Call g++."""
    done = subprocess.run([COMPILER, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"g++ refuses the kernels:\n{done.stderr}")
