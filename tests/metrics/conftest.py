import importlib
import sys
from unittest.mock import MagicMock

import pytest

DATA_SETS = ("", ".datasets", ".transforms", ".transforms.functional")


@pytest.fixture
def torch_fidelity(torch, monkeypatch):
    """A function: the name of one of torch-fidelity's modules -> the module.

    torch-fidelity imports torchvision for its data sets only, and PyPI's torchvision does not load
    beside PyTorch's build for the CPU. So it gets something that can do nothing in its place.
    """
    for name in DATA_SETS:
        monkeypatch.setitem(sys.modules, f"torchvision{name}", MagicMock())
    pytest.importorskip("torch_fidelity")
    return lambda name: importlib.import_module(f"torch_fidelity.{name}")
