"""Every name that the documentation promises can be imported from ``scratchgan``."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import scratchgan

LAYERS = [
    *("Dense", "Conv2D", "ConvTranspose2D", "BatchNorm", "LayerNorm", "Dropout", "LeakyReLU"),
    *("ReLU", "Tanh", "Sigmoid", "Softplus", "Flatten", "Reshape", "UpSample2D"),
    *("Sequential", "Residual", "Embedding", "ConcatLabels", "Projection"),
    *("SpectralNorm", "Pack", "MinibatchStd", "GaussianNoise", "Augment"),
]
MODULES = [
    *("losses", "penalties", "optim", "gradcheck", "data", "gan", "metrics", "plots", "runs")
]
FOR_YOUR_OWN_LAYERS = ["Layer", "LinearMap", "Elementwise", "Param", "ShapeError", "init"]


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    kind = getattr(scratchgan, name)
    assert issubclass(kind, scratchgan.Layer)
    assert kind.__doc__


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    assert inspect.ismodule(getattr(scratchgan, name))
    assert getattr(scratchgan, name) is importlib.import_module(f"scratchgan.{name}")


@pytest.mark.parametrize("name", [*LAYERS, *MODULES, *FOR_YOUR_OWN_LAYERS, "get_backend"])
def test_names_are_exported(name):
    assert name in scratchgan.__all__
    assert hasattr(scratchgan, name)


NEED_CUPY = ("conv", "gemm", "graph", "launch", "ops")
NOT_HERE = ("__main__", *(f"backend.cuda.{name}" for name in NEED_CUPY))


def modules():
    found = pkgutil.walk_packages(scratchgan.__path__, "scratchgan.")
    return [m.name for m in found if not m.name.endswith(NOT_HERE)]


@pytest.mark.parametrize("name", modules())
def test_every_module_has_a_docstring_and_exports_what_exists(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for exported in getattr(module, "__all__", []):
        assert hasattr(module, exported), f"{name}.{exported}"


def test_the_version():
    assert scratchgan.__version__.count(".") == 2


def test_type_checkers_read_the_hints():
    assert (Path(scratchgan.__file__).parent / "py.typed").exists()
