"""The loop written out in the example, on the stand-in for CuPy."""

import runpy
from pathlib import Path

import numpy as np

from scratchgan import get_backend
from scratchgan.losses import NonSaturating
from scratchgan.optim import Adam

from ..compare import relative_error

SCRIPT = Path(__file__).parents[2] / "examples" / "01_gan_from_parts.py"


def test_two_steps_are_numpys(ops):
    example = runpy.run_path(str(SCRIPT))
    found = []
    for backend in (ops, get_backend("numpy")):
        rng = np.random.default_rng(0)
        G, D = example["networks"](backend)
        g_adam, d_adam, loss = Adam(G, lr=1e-3), Adam(D, lr=1e-3), NonSaturating()
        losses = []
        for _ in range(2):
            x = backend.asarray(rng.uniform(-1, 1, (16, 784)).astype(np.float32))
            z = backend.asarray(rng.standard_normal((16, 100), np.float32))
            losses.append(float(example["d_step"](G, D, loss, d_adam, x, z)))
            losses.append(float(example["g_step"](G, D, loss, g_adam, z)))
        found.append(np.array(losses))
    assert relative_error(*found) < 1e-4


def test_the_program_runs(ops, monkeypatch, tmp_path):
    monkeypatch.setattr("scratchgan.data.mnist", lambda path: _Images)
    example = runpy.run_path(str(SCRIPT))
    arguments = ["01", "--steps", "1", "--backend", "cupy", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.setattr("scratchgan.backend._cupy", lambda: ops)
    example["main"]()
    assert (tmp_path / "samples.png").stat().st_size > 1000


class _Images:
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
