"""CuPy's stand-in, in place of CuPy."""

import importlib
import sys

import pytest

import scratchgan.backend.cuda

from . import fake_cublas
from .cupy_standin import module
from .device import ON_CUPY
from .shim import COMPILER


@pytest.fixture
def cupy(monkeypatch):
    """The stand-in, as the package ``cupy`` that everything imports."""
    for name in ON_CUPY:  # those of a real CuPy come back in the end
        monkeypatch.delitem(sys.modules, f"scratchgan.backend.cuda.{name}", raising=False)
        monkeypatch.delattr(scratchgan.backend.cuda, name, raising=False)
    cupy = module()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    yield cupy
    for name in ON_CUPY:
        sys.modules.pop(f"scratchgan.backend.cuda.{name}", None)
        vars(scratchgan.backend.cuda).pop(name, None)


@pytest.fixture
def ops(cupy, monkeypatch):
    """The CuPy backend on the stand-in, with a cuBLAS that checks what it is asked."""
    if COMPILER is None:
        pytest.skip("g++ is not installed: the kernels cannot run on the CPU")
    ops = importlib.import_module("scratchgan.backend.cuda.ops")
    cublas = importlib.import_module("scratchgan.backend.cuda.gemm")
    fake = fake_cublas.library(cublas, cupy.device)
    monkeypatch.setattr(cublas, "library", lambda: fake)
    cupy.device.reset()
    return ops
