"""NVIDIA's compiler for kernels, called without CuPy and without a device."""

import ctypes
import importlib.util
from pathlib import Path


def library():
    """The compiler of the wheel nvidia-cuda-nvrtc, or None."""
    try:
        package = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ModuleNotFoundError:  # there is no package nvidia at all
        return None
    folders = package.submodule_search_locations if package else []
    found = [path for folder in folders for path in Path(folder).glob("lib/libnvrtc.so.*")]
    return ctypes.CDLL(str(found[0])) if found else None


def compile(nvrtc, source, options):
    """The code for an architecture among the options, and what the compiler said.

    Returns
    -------
    code : bytes
        Machine code for one called sm_..., an assembler's text for one called compute_...
    log : str

    Raises
    ------
    RuntimeError
        The compiler refuses; the message is its log.
    """
    program, given = ctypes.c_void_p(), [option.encode() for option in options]
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"k.cu", 0, None, None))
    status = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    log = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
    log = log.rstrip(b"\0").decode().strip()
    if status:
        raise RuntimeError(log)
    kind = "CUBIN" if any("=sm_" in option for option in options) else "PTX"
    code = _text(getattr(nvrtc, f"nvrtcGet{kind}Size"), getattr(nvrtc, f"nvrtcGet{kind}"), program)
    _check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))
    return code, log


def _text(size_of, get, program):
    """What the compiler hands out: first its size, then the bytes."""
    size = ctypes.c_size_t()
    _check(size_of(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(get(program, text))
    return text.raw


def _check(status):
    """0 is success."""
    if status:
        raise RuntimeError(f"NVRTC failed with status {status}")
