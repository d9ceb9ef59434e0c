"""The example without the library learns, and agrees with the library to rounding."""

import ast
import importlib.util
import re

import numpy as np
import pytest

from scratchgan import Dense, LeakyReLU, Sequential
from scratchgan.losses import binary_cross_entropy
from scratchgan.optim import Adam

from .running import ROOT, finish, start

SCRIPT = ROOT / "examples" / "00_two_layers_by_hand.py"
NAMES = ["dw1", "db1", "dw2", "db2", "dx"]


@pytest.fixture
def example():
    """The example as a module, by itself."""
    spec = importlib.util.spec_from_file_location("two_layers_by_hand", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def case():
    """Parameters, images and targets, drawn at random."""
    rng = np.random.default_rng(1)
    p = [rng.standard_normal(shape) for shape in ((64, 32), (32,), (32, 1), (1,))]
    return p, rng.uniform(-1, 1, (8, 64)), rng.integers(0, 2, (8, 1)).astype(float)


def test_the_program_checks_its_gradient_and_learns():
    status, said, error = finish(start(SCRIPT))
    assert status == 0 and not error
    checked = re.findall(r"^(\w+) +(-?\d\.\d{8}) +(-?\d\.\d{8})$", said, re.MULTILINE)
    assert [name for name, _, _ in checked] == NAMES
    for _, by_hand, difference in checked:
        assert abs(float(by_hand) - float(difference)) < 3e-8 and abs(float(by_hand)) > 1e-3
    table = re.findall(r"^ +(\d+)  (\d\.\d{4})   (\d+\.\d)%$", said, re.MULTILINE)
    assert [int(step) for step, _, _ in table] == [1, 10, 100, 1000]
    assert float(table[-1][1]) < 0.05 < float(table[0][1]) and float(table[-1][2]) > 98
    real, fake = map(float, re.findall(r"with (?:probability )?(\d\.\d{4})", said))
    assert real > 0.9 and fake < 0.1


def test_it_imports_numpy_and_its_data_only():
    imported = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert imported == ["numpy", "sklearn.datasets"]


@pytest.mark.parametrize("wrong", range(5), ids=NAMES)
def test_a_wrong_gradient_is_found(wrong, example, case, monkeypatch):
    right = example.backward

    def backward(*arguments):
        return [1.01 * g if i == wrong else g for i, g in enumerate(right(*arguments))]

    example.check_gradient(*case)
    monkeypatch.setattr(example, "backward", backward)
    with pytest.raises(AssertionError, match=f"{NAMES[wrong]} is wrong"):
        example.check_gradient(*case)


def test_the_check_leaves_everything_as_it_was(example, case):
    p, x, t = case
    before = [array.copy() for array in (*p, x, t)]
    example.check_gradient(p, x, t)
    assert all(map(np.array_equal, before, (*p, x, t)))


def test_two_steps_are_the_librarys(example, case):
    p, x, t = case
    net = Sequential(Dense(64, 32), LeakyReLU(example.SLOPE), Dense(32, 1))
    net.initialize(0, dtype="float64")
    own = net.params().values()
    for param, array in zip(own, p, strict=True):
        param.value[...] = array
    optimiser = Adam(net, lr=2e-3, beta1=0.9)
    m, v = [0] * 4, [0] * 4
    for step in (1, 2):
        a, cache = example.forward(p, x)
        S, da = example.loss(a, t)
        *gradients, dx = example.backward(p, da, cache)
        logits, caches = net.forward(x)
        value, dlogits = binary_cross_entropy(logits, t)
        net.zero_grad()
        np.testing.assert_allclose(net.backward(dlogits, caches), dx, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(value, S, rtol=1e-12)
        for param, gradient in zip(own, gradients, strict=True):
            np.testing.assert_allclose(param.grad, gradient, rtol=1e-9, atol=1e-15)
        example.adam(p, gradients, m, v, step)
        optimiser.step()
        for param, array in zip(own, p, strict=True):
            np.testing.assert_allclose(param.value, array, rtol=1e-9)


def test_nothing_overflows(example):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        S, da = example.loss(np.array([[900.0], [-900.0]]), np.array([[0.0], [1.0]]))
    assert S == 900 and da.tolist() == [[0.5], [-0.5]]
