"""GraphStepper steps are the steps themselves, to the last bit."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

from scratchgan.backend import ops_of
from scratchgan.backend.cpu import threads as cpu_threads
from scratchgan.data import load_folder
from scratchgan.gan import Config, build
from scratchgan.layers import Dropout
from scratchgan.optim import SGD, cosine
from scratchgan.runs import train
from scratchgan.runs.monitor import DivergenceError
from scratchgan.runs.steps import EagerStepper, GraphStepper, stepper_for

from .test_training import IDS, RUNS, trainer_on

ALIKE = [(run, i) for run, i in zip(RUNS, IDS, strict=True) if "instance_noise_steps" not in run[1]]


def everything(trainer):
    """All that makes a trainer go on as it does, by name."""
    found = {"step": trainer.step_count, "trainer.rng": trainer.rng.bit_generator.state}
    networks = {"G": trainer.generator, "D": trainer.discriminator}
    if trainer.average:
        networks["mean"] = trainer.average.mean
        found["mean.t"] = trainer.average.t
    for name, network in networks.items():
        found |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    for name, network in list(networks.items())[:2]:
        for key, rng in network.rngs().items():
            found[f"{name}.{key}"] = rng.bit_generator.state
    for name in ("g_optimiser", "d_optimiser"):
        state = getattr(trainer, name).state_dict()
        found |= {f"{name}.{key}": value for key, value in state.items()}
    return found | {f"batches.{key}": value for key, value in trainer.batches.state().items()}


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for key in wanted:
        np.testing.assert_equal(found[key], wanted[key], key)


def floats(step):
    return [float(value) for value in step]


@pytest.mark.parametrize(("name", "settings"), [run for run, _ in ALIKE], ids=[i for _, i in ALIKE])
def test_recorded_steps_have_the_bits_of_single_ones(ops, name, settings):
    own, other = (trainer_on(ops, name, "float32", **settings) for _ in range(2))
    steps = stepper_for(own)
    for n in (1, 1, 4, 7):  # within a block, and over its end
        found = floats(steps.run(n))
        wanted = [floats(other.step()) for _ in range(n)][-1]
        assert found == wanted
        assert_same(everything(own), everything(other))
    assert isinstance(steps, GraphStepper) and steps.recorder.graph


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_schedules_reach_the_recording(ops, dtype):
    trainers = [trainer_on(ops, "mlp-small", dtype, ema=0.999) for _ in range(2)]
    for trainer in trainers:
        trainer.g_optimiser.lr = cosine(1e-2, 12)
        trainer.d_optimiser = SGD(
            trainer.discriminator, cosine(1e-1, 12), momentum=0.5, clip_norm=0.1
        )
    own, other = trainers
    steps = stepper_for(own)
    for _ in range(2):
        steps.run(6)
    for _ in range(12):
        other.step()
    assert_same(everything(own), everything(other))
    assert steps.recorder.graph


@pytest.mark.parametrize("threads", [1, 3])
def test_each_layer_draws_in_a_thread_of_its_own(ops, monkeypatch, threads):
    monkeypatch.setattr(cpu_threads._State, "threads", threads)
    monkeypatch.setattr(cpu_threads._State, "pool", None)
    own, other = (trainer_on(ops, "mlp", "float32", instance_noise=0.1) for _ in range(2))
    here, seen = threading.get_ident(), {}

    def watch(owner, name):
        draw = getattr(owner, name)

        def watched(*args):
            seen.setdefault(name, set()).add(threading.get_ident() == here)
            time.sleep(0.001)  # long enough for another thread to come first, if it may
            return draw(*args)

        monkeypatch.setattr(owner, name, watched)

    watch(Dropout, "keep")
    watch(own.source, "choose")
    steps = stepper_for(own)
    steps.run(1)
    seen.clear()
    steps.run(12)
    assert seen == {"keep": {threads == 1}, "choose": {True}}
    for _ in range(13):
        other.step()
    assert_same(everything(own), everything(other))


@pytest.mark.parametrize("labels", [False, True])
def test_images_that_are_streamed_can_be_recorded(cupy, ops, labels):
    cupy.device.free_bytes = 100
    settings = {"condition": "concat", "classes": 5} if labels else {}
    own, other = (trainer_on(ops, "mlp-small", "float32", **settings) for _ in range(2))
    assert own.source.kept is None
    steps = stepper_for(own)
    for n in (2, 7):
        found = floats(steps.run(n))
        assert found == [floats(other.step()) for _ in range(n)][-1]
    assert_same(everything(own), everything(other))
    assert steps.recorder.graph


def test_an_image_folder_can_be_recorded(cupy, ops, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / f"{i}.png")
    cupy.device.free_bytes = 100
    config = Config("folder", "dcgan-16x3-w4", batch_size=4)
    images = load_folder(tmp_path, 16, cache=tmp_path).images
    own, other = (build(config, images, ops) for _ in range(2))
    steps = stepper_for(own)
    found = floats(steps.run(9))
    assert found == [floats(other.step()) for _ in range(9)][-1]
    assert_same(everything(own), everything(other))
    assert steps.recorder.graph


def test_a_step_is_one_launch_and_waits_for_nothing(cupy, ops):
    steps = stepper_for(trainer_on(ops, "mlp", "float32"))
    steps.run(3)
    cupy.device.reset()
    steps.run(10)
    # In each block of five: the upload, its way to the block, the counter; and the losses' copy.
    assert cupy.device.launches == 10 + 2 * 2 + 1
    assert len(cupy.device.to_device) == 2
    assert cupy.device.to_host == [] and cupy.device.waits == 0


def test_other_work_goes_on_between_recorded_steps(cupy, ops):
    """Evaluation on the default stream, which takes memory and gives it back."""
    own, other = (trainer_on(ops, "dcgan28", "float32") for _ in range(2))
    steps = stepper_for(own)
    for _ in range(3):
        steps.run(4)
        z = ops.asarray(np.ones((3, 100)), "float32")
        images = [t.generator.forward(z, train=False)[0] for t in (own,)]
        assert np.isfinite(ops.to_host(images[0])).all()
    for _ in range(12):
        other.step()
    assert_same(everything(own), everything(other))


# ---- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["closed", "dropped"])
def test_all_memory_is_given_back(ops, end):
    own, other = (trainer_on(ops, "mlp-small", "float32", ema=0.99) for _ in range(2))
    steps = stepper_for(own)
    found = [steps.run(1), steps.run(3)]  # both outlive the recording
    pool = steps.recorder.pool
    assert pool.total_bytes() > 0 and steps.recorder.graph
    if end == "closed":
        steps.close()
    else:
        del steps
    assert pool.total_bytes() == 0
    wanted = [floats(other.step()) for _ in range(4)]
    assert [floats(step) for step in found] == [wanted[0], wanted[3]]


def test_a_run_gives_back_its_memory(ops, tmp_path, no_pictures, monkeypatch):
    made = []
    monkeypatch.setattr(
        "scratchgan.runs.run.stepper_for",
        lambda trainer: made.append(stepper_for(trainer)) or made[-1],
    )
    run(tmp_path / "good", 3)
    with np.errstate(all="ignore"), pytest.raises(DivergenceError):
        run(tmp_path / "bad", 100, g_optimiser="sgd", g_lr=1e30)
    assert [steps.recorder.pool.total_bytes() for steps in made] == [0, 0]


def test_what_a_recording_writes_to_is_not_freed_for_it(cupy, ops):
    """Where memory runs out in the middle, and the pool could make some by freeing the idle."""
    from scratchgan.backend.cuda.graph import Recorder

    device, a = cupy.device, cupy.asarray(np.ones(2048))
    sizes = [1, 3]  # the first time, and as it is recorded

    def step():
        if device.recorded is not None:
            device.capacity = device.allocated
        b = a + 1
        b.repeat(sizes.pop(0)) + 1
        return [b.sum()]

    recorder = Recorder(step)
    recorder.run_first()
    taken = recorder.pool.total_bytes()
    with pytest.raises(MemoryError, match="not enough memory for a recording"):
        recorder.record()
    assert recorder.pool.total_bytes() == taken and recorder.graph is None


# ---- runs ------------------------------------------------------------------------------------


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)


def run(out, steps, resume=False, save_every=7, **settings):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 28, 28, 1), np.uint8)
    config = Config("random", "mlp-small", batch_size=8, ema=0.99, **settings)
    trainer = train(
        config, images, out, steps=steps, backend="cupy", resume=resume, save_every=save_every
    )
    rows = [line.rpartition(",")[0] for line in (out / "metrics.csv").read_text().splitlines()]
    return everything(trainer), rows, (out / "checkpoint.safetensors").read_bytes()


def test_a_run_may_stop_anywhere_and_go_on(ops, tmp_path, no_pictures):
    whole = run(tmp_path / "whole", 33)
    for steps in (1, 2, 9, 23, 33):
        parts = run(tmp_path / "parts", steps, resume=steps > 1)
    assert_same(parts[0], whole[0])
    assert parts[2] == whole[2]
    assert [row for row in parts[1] if row in whole[1]] == whole[1]


def test_a_recorded_run_is_the_run_itself(ops, tmp_path, no_pictures, monkeypatch):
    recorded = run(tmp_path / "recorded", 25)
    monkeypatch.setattr("scratchgan.runs.run.stepper_for", EagerStepper)
    single = run(tmp_path / "single", 25)
    assert_same(recorded[0], single[0])
    assert recorded[1:] == single[1:]
    assert len(single[1]) == 1 + 3


def test_a_run_that_diverges_is_stopped(ops, tmp_path, no_pictures):
    with np.errstate(all="ignore"), pytest.raises(DivergenceError):
        run(tmp_path, 100, g_optimiser="sgd", g_lr=1e30)


# ---- what cannot be recorded -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"penalty": "r1", "penalty_every": 4}, "the penalty does not apply in every step"),
        ({"instance_noise": 0.1, "instance_noise_steps": 9}, "the instance noise falls"),
    ],
)
def test_steps_that_differ_are_made_one_by_one(ops, capsys, settings, reason):
    steps = stepper_for(trainer_on(ops, "toy", **settings))
    assert type(steps) is EagerStepper
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("steps are not recorded as a CUDA graph: ") and reason in line


def test_weight_decay_too(ops, capsys):
    trainer = trainer_on(ops, "toy")
    trainer.g_optimiser.weight_decay = 0.1
    assert type(stepper_for(trainer)) is EagerStepper
    assert "weight decay" in capsys.readouterr().err


def test_on_numpy_nothing_is_recorded_and_nothing_said(capsys):
    assert type(stepper_for(trainer_on("numpy", "toy"))) is EagerStepper
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda loss, real, fake: float(real.mean()), "RuntimeError: the current stream is captur"),
        (lambda loss, real, fake: real @ real.T, "NotImplementedError: calling cuBLAS"),
        (
            lambda loss, real, fake: ops_of(real).asarray(np.ones(2)),
            "RuntimeError: the current stream is capturing: no copy from the host",
        ),
    ],
    ids=["waits", "CuPy's cuBLAS", "copies"],
)
def test_a_step_that_cannot_be_recorded_is_made_as_it_is(ops, capsys, fault, said):
    own, other = (trainer_on(ops, "toy", "float32") for _ in range(2))

    class Faulty(type(own.loss)):
        def discriminator(self, real, fake):
            fault(self, real, fake)
            return super().discriminator(real, fake)

    own.loss = Faulty()
    steps = stepper_for(own)
    for n in (2, 3, 1):
        found = floats(steps.run(n))
        assert found == [floats(other.step()) for _ in range(n)][-1]
    assert_same(everything(own), everything(other))
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert steps.max_steps == 1
    assert steps.recorder.pool.total_bytes() == 0


def test_a_step_that_draws_something_else_is_found_out(ops, capsys):
    trainer = trainer_on(ops, "toy", "float32")
    steps = stepper_for(trainer)
    steps.run(1)
    trainer.d_steps = 2
    steps.run(1)
    assert "a step draws other numbers than the one before it" in capsys.readouterr().err
    trainer = trainer_on(ops, "toy", "float32", d_steps=2)
    steps = stepper_for(trainer)
    steps.run(1)
    trainer.d_steps = 1
    steps.run(1)
    assert "than the one before it" in capsys.readouterr().err


def test_a_number_read_by_the_host_would_show(ops):
    """The comparison above is no idle one: a rate that stays as it was recorded is seen by it."""
    own, other = (trainer_on(ops, "toy", "float32") for _ in range(2))
    for trainer in (own, other):
        adam = trainer.g_optimiser
        adam.update = lambda ops, theta, grad, rate, eps, adam=adam: ops.adam_(
            theta, grad, adam.m, adam.v, adam.rates_at(1e-3)[0], adam.beta1, adam.beta2, 1e-8
        )
    stepper_of_own = stepper_for(own)
    stepper_of_own.run(6)
    for _ in range(6):
        other.step()
    assert not np.array_equal(everything(own)["G.0.w"], everything(other)["G.0.w"])
