"""The loop written out: both networks learn in it, each in its own step, on every backend."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from scratchgan import get_backend
from scratchgan.data import write_idx
from scratchgan.losses import NonSaturating
from scratchgan.optim import Adam

from .running import ROOT, in_process

SCRIPT = ROOT / "examples" / "01_gan_from_parts.py"


@pytest.fixture
def mnist(tmp_path):
    """A folder with as little of MNIST as will do."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 28, 28), np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", rng.integers(0, 10, 40).astype(np.uint8))
    return tmp_path


@pytest.fixture
def example():
    """The example as a module, by itself."""
    spec = importlib.util.spec_from_file_location("gan_from_parts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrays(net):
    """A copy of each parameter by its key."""
    return {key: param.value.copy() for key, param in net.params().items()}


def test_each_step_moves_every_parameter_of_its_network_and_none_of_the_other(example):
    rng = np.random.default_rng(0)
    G, D = example.networks("numpy")
    loss, z = NonSaturating(), rng.standard_normal((example.N, 100), np.float32)
    x = rng.uniform(-1, 1, (example.N, 784)).astype(np.float32)
    g_before, d_before = arrays(G), arrays(D)
    assert len(g_before) == 8 and len(d_before) == 6

    d_loss = example.d_step(G, D, loss, Adam(D, lr=1e-3), x, z)
    assert 0.5 < d_loss < 5
    assert all((before != D.params()[key].value).all() for key, before in d_before.items())
    assert all((before == G.params()[key].value).all() for key, before in g_before.items())

    d_before = arrays(D)
    g_loss = example.g_step(G, D, loss, Adam(G, lr=1e-3), z)
    assert 0.1 < g_loss < 5
    assert all((before != G.params()[key].value).all() for key, before in g_before.items())
    assert all((before == D.params()[key].value).all() for key, before in d_before.items())


def test_each_network_gets_better_at_its_own_loss(example):
    rng = np.random.default_rng(0)
    G, D = example.networks("numpy")
    loss, z = NonSaturating(), rng.standard_normal((example.N, 100), np.float32)
    x = rng.uniform(-1, 1, (example.N, 784)).astype(np.float32)
    d_adam, g_adam = Adam(D, lr=1e-3), Adam(G, lr=1e-3)
    d_losses = [float(example.d_step(G, D, loss, d_adam, x, z)) for _ in range(10)]
    g_losses = [float(example.g_step(G, D, loss, g_adam, z)) for _ in range(10)]
    assert d_losses[-1] < d_losses[0] and g_losses[-1] < g_losses[0]


@pytest.mark.parametrize("backend", ["numpy", "reference"])
def test_a_short_run_leaves_a_picture(backend, mnist, monkeypatch, capsys):
    out = mnist / "run"
    arguments = ["--steps", 3, "--data", mnist, "--backend", backend, "--out", out]
    try:
        assert in_process(monkeypatch, SCRIPT, *arguments) == 0
    finally:
        get_backend("numpy")
    assert f"{out / 'samples.png'}: 64 images" in capsys.readouterr().out
    with Image.open(out / "samples.png") as picture:
        assert picture.size == (2 * (8 * 30 + 2),) * 2
        assert np.asarray(picture).std() > 1
    assert [path.name for path in out.iterdir()] == ["samples.png"]


def test_the_same_run_twice_is_the_same_picture(mnist, monkeypatch):
    for name in ("one", "two"):
        arguments = ["--steps", 2, "--data", mnist, "--backend", "numpy", "--out", mnist / name]
        assert in_process(monkeypatch, SCRIPT, *arguments) == 0
    one, two = ((mnist / name / "samples.png").read_bytes() for name in ("one", "two"))
    assert one == two


def test_help_is_short(monkeypatch, capsys):
    assert in_process(monkeypatch, SCRIPT, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: 01_gan_from_parts.py")
    assert all(f"\n  {option} " in said for option in ("--steps", "--data", "--backend", "--out"))
