"""Which backend one gets, and what one is told where there is none."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from scratchgan import BackendError, Dense, get_backend
from scratchgan.backend import ops_of
from scratchgan.backend import reference as reference_ops
from scratchgan.backend.cpu import ops as numpy_ops


def fail(message):
    """A function that raises, as CuPy's own do."""

    def function(*args):
        raise RuntimeError(message)

    return function


def working():
    """What is asked of ``cuda/ops.py``, as if there were a device."""
    names = {"name": "cupy", "on_host": False, "device_count": lambda: 1, "asarray": np.asarray}
    return SimpleNamespace(**names, to_host=np.asarray, sigmoid=numpy_ops.sigmoid)


@pytest.fixture
def pretend(monkeypatch):
    """Pretend that CuPy is installed, and that this is our module on it."""

    def install(cupy_ops):
        find_spec = importlib.util.find_spec

        def find(name, *args):
            return ModuleSpec("cupy", None) if name == "cupy" else find_spec(name, *args)

        monkeypatch.setattr(importlib.util, "find_spec", find)
        monkeypatch.setitem(sys.modules, "scratchgan.backend.cuda.ops", cupy_ops)

    return install


@pytest.fixture
def no_package(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "cupy" else find_spec(name, *a),
    )


def message():
    with pytest.raises(BackendError) as caught:
        get_backend("cupy")
    text = str(caught.value)
    assert "\n" not in text  # one line, with the cure
    return text


def test_numpy_and_a_module_as_it_is():
    assert get_backend("numpy") is get_backend(numpy_ops) is numpy_ops
    assert numpy_ops.name == "numpy"


@pytest.mark.parametrize("name", ["torch", "", None, 3, "NumPy"])
def test_an_unknown_name_is_refused_and_the_known_ones_named(name):
    with pytest.raises(
        ValueError, match=f"expected one of auto, numpy, cupy, reference, got {name!r}"
    ):
        get_backend(name)


def test_without_the_package_one_is_told_what_to_install(no_package):
    assert "not installed: pip install -e '.[cuda12]'" in message()
    assert get_backend("auto") is numpy_ops
    assert get_backend() is numpy_ops


def test_with_a_device_both_auto_and_cupy_take_it(pretend):
    ops = working()
    pretend(ops)
    assert get_backend("auto") is get_backend("cupy") is get_backend() is ops


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"device_count": lambda: 0}, ("no device", "nvidia-smi", "--backend numpy")),
        (
            {"asarray": fail("cudaErrorInsufficientDriver: too old\nat line 3")},
            ("cudaErrorInsufficientDriver: too old)", "nvidia-smi"),
        ),
        ({"asarray": fail("")}, ("(RuntimeError)", "nvidia-smi")),
        (
            {"sigmoid": fail("cannot open cuda_fp16.h\nmore")},
            ("(cannot open cuda_fp16.h)", "CUDA headers", "pip install 'cupy-cuda12x[ctk]'"),
        ),
    ],
    ids=["no device", "old driver", "no message", "no headers"],
)
def test_each_failure_has_its_own_message_and_auto_falls_back(pretend, damage, told):
    ops = working()
    vars(ops).update(damage)
    pretend(ops)
    text = message()
    for part in told:
        assert part in text
    assert get_backend("auto") is numpy_ops


def test_a_broken_installation_is_told_from_a_missing_one(pretend):
    pretend(None)  # import of the module then raises ImportError
    text = message()
    assert "CuPy is installed but cannot be imported" in text
    assert get_backend("auto") is numpy_ops


def test_numpy_arrays_belong_to_the_backend_of_the_host_that_was_chosen_last(pretend):
    x = np.zeros(3)
    assert ops_of(x) is numpy_ops
    assert get_backend("reference") is get_backend(reference_ops) is ops_of(x) is reference_ops
    assert reference_ops.name == "reference"
    pretend(working())
    get_backend("cupy")  # says nothing about the host
    assert ops_of(x) is reference_ops
    assert get_backend("numpy") is ops_of(x) is numpy_ops
    get_backend(reference_ops)
    assert ops_of(x) is reference_ops
    get_backend(numpy_ops)
    assert ops_of(x) is numpy_ops


def test_auto_on_the_host_is_numpy(no_package):
    get_backend("reference")
    assert get_backend("auto") is ops_of(np.zeros(3)) is numpy_ops


def test_a_network_chooses_too():
    network = Dense(3, 2).initialize(0, backend="reference")
    assert ops_of(network.theta) is reference_ops
    Dense(3, 2).initialize(0)  # asks for none: the choice stays
    assert ops_of(network.theta) is reference_ops
    Dense(3, 2).initialize(0, backend="numpy")
    assert ops_of(network.theta) is numpy_ops


@pytest.mark.parametrize("turn", [1, 2])
def test_a_choice_is_forgotten_after_the_test(turn):
    """The first turn chooses; the second would see it, as any other test would."""
    assert ops_of(np.zeros(3)) is numpy_ops
    get_backend("reference")


def test_where_an_array_lives():
    assert ops_of(np.zeros(3)) is numpy_ops
    for other in (3.0, [1.0], None):
        with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got"):
            ops_of(other)


def test_an_array_of_cupy_belongs_to_cupy_ops(pretend):
    ops = ModuleType("cupy_ops")
    pretend(ops)
    array = type("ndarray", (), {"__module__": "cupy._core.core"})()
    assert ops_of(array) is ops
