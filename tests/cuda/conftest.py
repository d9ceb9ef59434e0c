"""CuPy's stand-in, in place of CuPy."""

import importlib
import sys

import pytest

from .cupy_standin import module

OURS = ("cupy_ops", "cublas", "capture")  # of the backend, what imports cupy


@pytest.fixture
def cupy(monkeypatch):
    """The stand-in, as the package ``cupy`` that everything imports."""
    for name in OURS:
        monkeypatch.delitem(sys.modules, f"scratchgan.backend.{name}", raising=False)
    cupy = module()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    yield cupy
    for name in OURS:
        sys.modules.pop(f"scratchgan.backend.{name}", None)


@pytest.fixture
def ops(cupy):
    """The CuPy backend on the stand-in."""
    ops = importlib.import_module("scratchgan.backend.cupy_ops")
    cupy.device.reset()
    return ops
