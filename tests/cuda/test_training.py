"""A training step on the stand-in for CuPy: what NumPy finds, and nothing that makes it wait."""

import numpy as np
import pytest
from PIL import Image

from scratchgan.__main__ import main
from scratchgan.data import load_folder
from scratchgan.gan import PRESETS, Config, build, model
from scratchgan.layers import Dense, Sequential, ShapeError
from scratchgan.runs import train
from scratchgan.runs.checkpoint import read_checkpoint, restore, save_checkpoint

from ..compare import relative_error

SMALL = "dcgan-16x1-w4-up-drop0.3"
MODELS = ["mlp", "mlp-small", "dcgan28", "dcgan-16x3-w4", SMALL, "toy"]
# Every preset on a network that is small; those that take packs need an even batch.
RUNS = [(name, {}) for name in MODELS]
RUNS += [("mlp-small", preset.settings) for preset in PRESETS.values()]
RUNS += [("dcgan-16x3-w4", PRESETS[name].settings) for name in ("wgan-gp", "r3gan", "sngan-hinge")]
RUNS += [("mlp-small", {"condition": way, "classes": 5}) for way in ("concat", "projection")]
RUNS += [("mlp-small", {"condition": "classifier", "classes": 5})]
RUNS += [
    ("mlp-small", {"instance_noise": 0.3, "instance_noise_steps": 5}),
    (
        "mlp-small",
        {"augment": "colour+translation+cutout", "schedule": "cosine", "schedule_steps": 9},
    ),
    ("mlp-small", {"l2_generator": 1e-3, "noise": "uniform", "g_optimiser": "sgd"}),
    ("mlp-small", {"minibatch_std": True, "d_norm": "layer", "ema": 0.99}),
]
IDS = [f"{i}-{name}-{'-'.join(map(str, s.values()))[:30]}" for i, (name, s) in enumerate(RUNS)]


def trainer_on(backend, name, dtype="float64", batch_size=8, **settings):
    rng = np.random.default_rng(1)
    shape = (24, *model(name).image_shape)
    images = rng.standard_normal(shape) if name == "toy" else rng.integers(0, 256, shape, np.uint8)
    labels = rng.integers(0, 5, 24) if settings.get("condition") else None
    config = Config("random", name, batch_size=batch_size, dtype=dtype, **settings)
    return build(config, images, backend, labels)


def losses(trainer, steps):
    return np.array([[float(value) for value in trainer.step()] for _ in range(steps)])


def thetas(trainer):
    return {
        f"{side}.{key}": value
        for side in ("generator", "discriminator")
        for key, value in getattr(trainer, side).state_dict().items()
    }


@pytest.mark.parametrize(("name", "settings"), RUNS, ids=IDS)
def test_twenty_steps_are_numpys(ops, name, settings):
    found, wanted = (trainer_on(backend, name, **settings) for backend in (ops, "numpy"))
    assert relative_error(losses(found, 20), losses(wanted, 20)) < 1e-9
    own, other = thetas(found), thetas(wanted)
    assert own.keys() == other.keys()
    for key in own:
        assert relative_error(own[key], other[key]) < 1e-9, key


def test_a_hundred_steps_in_float32_are_numpys(ops):
    # By SGD. Adam steps by lr also where a gradient is nothing but rounding: with it NumPy is a
    # percent away from itself after a hundred steps, if only OpenBLAS takes other kernels.
    sgd = {"g_optimiser": "sgd", "d_optimiser": "sgd", "g_lr": 0.1, "d_lr": 0.1}
    found, wanted = (trainer_on(on, "mlp", "float32", **sgd) for on in (ops, "numpy"))
    before = wanted.generator.theta.copy()
    assert relative_error(losses(found, 100), losses(wanted, 100)) < 1e-3
    assert relative_error(wanted.generator.theta, before) > 0.01  # it has learned something
    own, other = thetas(found), thetas(wanted)
    for key in own:
        assert relative_error(own[key], other[key]) < 1e-3, key


# ---- what a step costs besides computing -----------------------------------------------------

N, FLOAT = 8, 4  # images, and bytes of a number
INDICES = 8 * N


def noise(z_dim):
    return N * z_dim * FLOAT


# Everything that is copied to the device in one step, in bytes. Masks are a byte a number, for
# the three passes through D in training.
COPIES = [
    ("mlp", {}, [INDICES] + 2 * [noise(100)] + 3 * [N * 256, N * 128]),
    ("mlp-small", {}, [INDICES] + 2 * [noise(100)] + 3 * [N * 256]),
    ("dcgan28", {}, [INDICES] + 2 * [noise(100)]),
    ("dcgan-16x3-w4", {}, [INDICES] + 2 * [noise(100)]),
    (SMALL, {}, [INDICES] + 2 * [noise(100)] + 3 * [N * 8 * 8 * 4]),
    ("toy", {}, [INDICES] + 2 * [noise(2)]),
    ("toy", {"d_steps": 3}, 3 * [INDICES, noise(2)] + [noise(2)]),
    ("toy", PRESETS["wgan-gp"].settings, 5 * [INDICES, noise(2), N * FLOAT] + [noise(2)]),
    ("toy", PRESETS["dragan"].settings, [INDICES, 2 * N * FLOAT] + 2 * [noise(2)]),
    ("toy", PRESETS["r3gan"].settings, [INDICES] + 2 * [noise(2)]),
    ("toy", {"instance_noise": 0.1}, [INDICES] + 2 * [noise(2)] + 3 * [2 * N * FLOAT]),
    *(
        ("mlp-small", {"condition": way, "classes": 5}, [INDICES] + 2 * [noise(90)] + 3 * [N * 256])
        for way in ("concat", "projection", "classifier")
    ),
    ("mlp-small", PRESETS["ttur"].settings, [INDICES] + 2 * [noise(100)] + 3 * [N * 256]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "wanted"), COPIES, ids=range(len(COPIES)))
def test_a_step_copies_its_draws_and_waits_for_nothing(cupy, ops, name, settings, wanted):
    trainer = trainer_on(ops, name, "float32", **settings)
    trainer.step()
    cupy.device.reset()
    trainer.step()
    assert sorted(cupy.device.to_device) == sorted(wanted)
    assert cupy.device.to_host == [] and cupy.device.waits == 0


def test_a_run_fetches_losses_only_for_its_rows(cupy, ops, tmp_path, monkeypatch):
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)
    fetched = []
    monkeypatch.setattr(
        "scratchgan.runs.run._Run.report", lambda self, *_: fetched.append(cupy.device.waits)
    )
    config = Config("random", "mlp-small", batch_size=8)
    images = np.random.default_rng(0).integers(0, 256, (24, 28, 28, 1), np.uint8)
    train(config, images, tmp_path, steps=30, backend="cupy", save_every=100)
    assert len(fetched) == 3 and len(set(fetched)) == 1  # none but what report itself would


# ---- the images, wherever they lie -----------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_images_take_up_no_pinned_memory(cupy, ops, dtype):
    images = np.random.default_rng(0).integers(0, 256, (4000, 28, 28, 1), np.uint8).astype(dtype)
    images = images[::2]  # not a piece of memory
    trainer = build(Config("random", "mlp-small", batch_size=8), images, ops)
    np.testing.assert_array_equal(ops.to_host(trainer.source.kept), images)
    assert cupy.device.pinned < images.nbytes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("on_device", [True, False])
def test_batches_have_the_bits_of_numpys(cupy, ops, on_device, dtype):
    images = np.arange(256, dtype=np.uint8).repeat(28 * 28).reshape(256, 28, 28, 1)
    labels = np.arange(256) % 5
    cupy.device.free_bytes = 2 * images.nbytes - (not on_device)
    config = Config(
        "all bytes", "mlp-small", batch_size=256, dtype=dtype, condition="concat", classes=5
    )
    own, other = (build(config, images, backend, labels) for backend in (ops, "numpy"))
    assert (own.source.kept is not None) == on_device
    cupy.device.reset()
    for _ in range(3):
        for found, wanted in zip(own.source.batch(), other.source.batch(), strict=True):
            found = ops.to_host(found)
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(ops.to_host(own.source.noise()), other.source.noise())
    streamed = [] if on_device else [images.nbytes]
    noise = 256 * 90 * own.generator.theta.itemsize
    assert sorted(cupy.device.to_device) == sorted(3 * [8 * 256, noise, *streamed])


def test_an_image_folder_is_streamed_as_bytes(cupy, ops, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / f"{i}.png")
    cupy.device.free_bytes = 100
    config = Config("folder", "dcgan-16x3-w4", batch_size=4, dtype="float64")
    images = load_folder(tmp_path, 16, cache=tmp_path).images
    own, other = (build(config, images, on) for on in (ops, "numpy"))
    assert own.source.kept is None
    cupy.device.reset()
    for _ in range(4):
        np.testing.assert_array_equal(ops.to_host(own.source.batch()[0]), other.source.batch()[0])
    assert cupy.device.to_device == 4 * [4 * 8, 4 * 16 * 16 * 3]
    assert relative_error(losses(own, 5), losses(other, 5)) < 1e-9


# ---- from one backend to the other -----------------------------------------------------------

DRAWING = {"ema": 0.9, "instance_noise": 0.1, "dtype": "float64"}


@pytest.mark.parametrize(("first", "then"), [("cupy", "numpy"), ("numpy", "cupy")])
def test_a_run_goes_on_where_another_backend_stopped(ops, tmp_path, first, then):
    name, settings = SMALL, DRAWING
    trainer = trainer_on(first, name, **settings)
    losses(trainer, 5)
    noise = np.zeros((2, 100), np.float32)
    save_checkpoint(tmp_path / "c", trainer, {"same": True}, noise)
    other = trainer_on(then, name, **settings)
    restore(other, *read_checkpoint(tmp_path / "c"))
    assert relative_error(losses(other, 10), losses(trainer, 10)) < 1e-9
    own, theirs = thetas(other), thetas(trainer)
    for key in own:
        assert relative_error(own[key], theirs[key]) < 1e-9, key


def test_samples_are_drawn_on_the_device(cupy, ops, tmp_path, monkeypatch):
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)
    config = Config("random", "mlp-small", batch_size=8, dtype="float64")
    images = np.random.default_rng(0).integers(0, 256, (24, 28, 28, 1), np.uint8)
    train(config, images, tmp_path, steps=2, backend="numpy")
    found = []
    for backend in ("numpy", "cupy"):
        cupy.device.reset()
        out = tmp_path / f"{backend}.npz"
        assert main(["sample", str(tmp_path), "--out", str(out), "--backend", backend]) == 0
        found.append(np.load(out)["images"].astype(int))
    assert cupy.device.launches > 5
    assert found[0].shape == (64, 28, 28) and np.abs(found[0] - found[1]).max() <= 1


def test_an_array_of_the_host_is_refused_by_name(ops):
    network = Sequential(Dense(3, 2)).initialize(0, backend=ops)
    with pytest.raises(
        ShapeError, match=r"Dense\(3, 2\): expected input on backend cupy, got numpy$"
    ):
        network.forward(np.zeros((1, 3), np.float32))
