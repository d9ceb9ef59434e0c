"""On a CUDA device: training steps are NumPy's, and recorded steps have the bits of single ones."""

import numpy as np
import pytest

from scratchgan.gan import PRESETS, build
from scratchgan.gan.config import Config
from scratchgan.runs import train
from scratchgan.runs.steps import GraphStepper, stepper_for

from ..compare import assert_close, relative_error
from .test_graph import assert_same, everything, floats
from .test_training import losses, thetas, trainer_on

pytestmark = pytest.mark.gpu

RUNS = [
    *((name, {}) for name in ("mlp", "mlp-small", "dcgan28", "dcgan-16x3-w4", "toy")),
    *(("toy", PRESETS[name].settings) for name in ("wgan", "wgan-gp", "dragan", "r3gan")),
    *(("dcgan-16x3-w4", PRESETS[name].settings) for name in ("wgan-gp", "sngan-hinge", "r1")),
    *(
        ("mlp-small", {"condition": way, "classes": 5})
        for way in ("concat", "projection", "classifier")
    ),
    ("mlp-small", {"minibatch_std": True, "d_norm": "layer", "ema": 0.99, "pack": 2}),
    ("dcgan-16x1-w4-up-drop0.3", {"instance_noise": 0.1, "l2_generator": 1e-3}),
]
IDS = [f"{i}-{name}" for i, (name, _) in enumerate(RUNS)]


@pytest.mark.parametrize(("name", "settings"), RUNS, ids=IDS)
def test_steps_are_numpys(cupy_ops, name, settings):
    found, wanted = (trainer_on(backend, name, **settings) for backend in (cupy_ops, "numpy"))
    assert relative_error(losses(found, 5), losses(wanted, 5)) < 1e-9
    own, other = thetas(found), thetas(wanted)
    for key in own:
        assert relative_error(own[key], other[key]) < 1e-9, key


@pytest.mark.parametrize(("name", "settings"), RUNS, ids=IDS)
def test_recorded_steps_have_the_bits_of_single_ones(cupy_ops, capsys, name, settings):
    own, other = (trainer_on(cupy_ops, name, "float32", **settings) for _ in range(2))
    steps = stepper_for(own)
    for n in (1, 1, 4, 7):
        found = floats(steps.run(n))
        assert found == [floats(other.step()) for _ in range(n)][-1]
        assert_same(everything(own), everything(other))
    assert isinstance(steps, GraphStepper) and steps.recorder.graph, capsys.readouterr().err


def test_recordings_come_and_go(cupy_ops):
    """Each leaves the memory as it was, and the next one has the same bits."""
    losses, left = [], []
    for _ in range(3):
        trainer = trainer_on(cupy_ops, "dcgan28", "float32")
        steps = stepper_for(trainer)
        losses.append(floats(steps.run(12)))
        pool = steps.recorder.pool
        assert steps.recorder.graph and pool.total_bytes() > 0
        del steps, trainer
        assert pool.total_bytes() == 0
        del pool
        cupy_ops.synchronize()
        cupy_ops.xp.get_default_memory_pool().free_all_blocks()
        left.append(cupy_ops.xp.cuda.runtime.memGetInfo()[0])
    assert losses[0] == losses[1] == losses[2]
    assert abs(left[2] - left[0]) < 16 << 20


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_views(cupy_ops, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((70, 33)).astype(dtype), rng.standard_normal((33, 50)).astype(dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    firsts = cupy_ops.asarray(a), cupy_ops.asarray(a.T.copy()).T
    seconds = cupy_ops.asarray(b), cupy_ops.asarray(b.T.copy()).T
    for first in firsts:
        for second in seconds:
            found = cupy_ops.to_host(cupy_ops.matmul(first[:, 1:], second[1:]))
            assert_close(found, a[:, 1:] @ b[1:], tolerance)


def test_a_run_may_stop_and_go_on(cupy_ops, tmp_path, monkeypatch):
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    config = Config("random", "mlp-small", batch_size=8, ema=0.99)
    found = {}
    for name, stops in (("whole", [33]), ("parts", [9, 23, 33])):
        for steps in stops:
            trainer = train(
                config, images, tmp_path / name, steps=steps, backend="cupy", resume=True
            )
        found[name] = everything(trainer)
    assert_same(found["parts"], found["whole"])


def test_batches_have_the_bits_of_numpys(cupy_ops):
    images = np.arange(256, dtype=np.uint8).repeat(28 * 28).reshape(256, 28, 28, 1)
    config = Config("all bytes", "mlp-small", batch_size=256)
    own, other = (build(config, images, backend) for backend in (cupy_ops, "numpy"))
    found, wanted = own.source.batch()[0], other.source.batch()[0]
    np.testing.assert_array_equal(cupy_ops.to_host(found), wanted)
