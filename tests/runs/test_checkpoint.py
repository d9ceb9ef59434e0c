import ast
import csv
import json
import os
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import scratchgan
from scratchgan.optim import OPTIMISERS
from scratchgan.runs import CheckpointError, load_generator, train
from scratchgan.runs.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint

from ..gan.tiny import (
    differences,
    everything,
    install,
    random_images,
    tiny_config,
    tiny_trainer,
    train_for,
)

NOISE = np.arange(10, dtype=np.float32).reshape(2, 5)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    install(monkeypatch)


def saved(path, steps=3, **options):
    """A checkpoint of a trainer, and the trainer."""
    trainer = tiny_trainer(**options)
    train_for(trainer, steps)
    save_checkpoint(path, trainer, asdict(tiny_config(**options)), NOISE)
    return trainer


def edit(path, change):
    """Let ``change(arrays, meta)`` alter a checkpoint."""
    arrays, meta = read_checkpoint(path)
    change(arrays, meta)
    save_file(arrays, path, {"scratchgan": json.dumps(meta)})


# ---- round trip ------------------------------------------------------------------------------

COMBINATIONS = [
    {"g_optimiser": o, "d_optimiser": o, "ema": ema, "d_steps": d_steps}
    for o, ema, d_steps in product(OPTIMISERS, (0.0, 0.9), (1, 2))
]
LABELS = [f"{c['g_optimiser']}-ema{c['ema']}-{c['d_steps']}" for c in COMBINATIONS]


@pytest.mark.parametrize("options", COMBINATIONS, ids=LABELS)
@pytest.mark.parametrize("steps", [0, 7])
def test_a_loaded_trainer_is_the_saved_one_and_goes_on_as_it_would(tmp_path, options, steps):
    path = tmp_path / "c.safetensors"
    old = saved(path, steps, **options)
    new = tiny_trainer(**options)
    noise = load_checkpoint(path, new, asdict(tiny_config(**options)))
    assert np.array_equal(noise, NOISE)
    assert not differences(everything(old), everything(new))
    assert train_for(old, 6) == train_for(new, 6)
    assert not differences(everything(old), everything(new))


def test_everything_has_changed_before_it_is_restored():
    """What the tests above compare does differ between a fresh trainer and a trained one."""
    fresh, old = tiny_trainer(ema=0.9), tiny_trainer(ema=0.9)
    train_for(old, 7)
    a, b = everything(fresh), everything(old)
    assert differences(a, b) == list(a)
    kinds = ("theta", "running_mean", "running_var", ".m", ".v", ".t", "rng 2", "batches")
    for kind in kinds:
        assert any(key.endswith(kind) for key in a), kind


def metrics(out):
    """Rows of metrics.csv without the speed."""
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


@pytest.mark.parametrize("options", COMBINATIONS, ids=LABELS)
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, monkeypatch, options):
    monkeypatch.setattr("scratchgan.runs.run.METRICS_EVERY", 1)
    monkeypatch.setattr("scratchgan.plots.loss_curves", lambda metrics, path: None)
    monkeypatch.setattr("scratchgan.plots.save_animation", lambda frames, path: None)
    config, images = tiny_config(**options), random_images(40)

    def run(out, steps, resume=False):
        return train(
            config,
            images,
            tmp_path / out,
            steps=steps,
            backend="numpy",
            resume=resume,
            save_every=5,
        )

    whole = run("whole", 13)
    run("parts", 7)
    parts = run("parts", 13, resume=True)
    assert not differences(everything(whole), everything(parts))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts")
    assert [row["step"] for row in metrics(tmp_path / "parts")] == [str(i) for i in range(1, 14)]
    for name in ("checkpoint.safetensors", "config.json", "samples/00000010.png"):
        whole_bytes = (tmp_path / "whole" / name).read_bytes()
        assert whole_bytes == (tmp_path / "parts" / name).read_bytes(), name


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_generator_of_a_run_is_the_one_samples_came_from(tmp_path, ema):
    trainer = saved(tmp_path / "checkpoint.safetensors", ema=ema)
    generator, config = load_generator(tmp_path, "numpy")
    assert np.array_equal(generator.theta, trainer.best_generator.theta)
    z = np.ones((3, 5), np.float32)
    wanted, _ = trainer.best_generator.forward(z, train=False)
    assert np.array_equal(generator.forward(z, train=False)[0], wanted)
    assert config == tiny_config(ema=ema)


# ---- what cannot be used is refused, and changes nothing -------------------------------------


def refusal(path, trainer=None, **options):
    """The message with which a checkpoint is refused; the trainer has not changed."""
    trainer = trainer or tiny_trainer(**options)
    train_for(trainer, 2)
    before = everything(trainer)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, trainer, asdict(tiny_config(**options)))
    assert differences(before, everything(trainer)) == []
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ({"seed": 1}, {"seed": 2}),
        ({"g_lr": 1e-4}, {"g_lr": 2e-4}),
        ({"ema": 0.9}, {"ema": 0.0}),
        ({"ema": 0.0}, {"ema": 0.9}),
        ({"loss": "minimax", "d_steps": 2}, {"loss": "least-squares", "d_steps": 1}),
        ({"g_optimiser": "sgd", "dtype": "float64"}, {"g_optimiser": "adam", "dtype": "float32"}),
    ],
)
def test_another_configuration_is_refused_with_all_that_differs(tmp_path, there, here):
    path = tmp_path / "c.safetensors"
    saved(path, **there)
    message = refusal(path, **here)
    for key in there:
        assert f"{key}: {there[key]!r} saved, {here[key]!r} now" in message
    for key in asdict(tiny_config()).keys() - there.keys():
        assert f"{key}:" not in message


def test_an_option_that_one_side_does_not_know_is_a_difference(tmp_path):
    path = tmp_path / "c.safetensors"
    saved(path)
    edit(path, lambda arrays, meta: meta["config"].update(novelty=3))
    assert "novelty: 3 saved, None now" in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "no such checkpoint" in refusal(tmp_path / "none.safetensors")
    assert "no such checkpoint" in refusal(tmp_path)


def test_a_checkpoint_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    saved(path, ema=0.9)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    lengths = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(whole) - 1}
    lengths |= set(np.linspace(0, len(whole) - 1, 20).astype(int))
    trainer = tiny_trainer(ema=0.9)
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        assert "damaged" in refusal(path, trainer, ema=0.9), length
    path.write_bytes(whole)
    load_checkpoint(path, trainer, asdict(tiny_config(ema=0.9)))


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 40,
        b"\xff" * 100,
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04\x95" + b"pickle" * 20,
        (20).to_bytes(8, "little") + b"{" * 20,
    ],
    ids=["bytes", "huge header", "zip", "pickle", "half a header"],
)
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "c.safetensors"
    path.write_bytes(content)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_another_librarys_file_is_refused(tmp_path, metadata):
    path = tmp_path / "c.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path, metadata)
    assert "no checkpoint of a run" in refusal(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '"version"'])
def test_strange_metadata_is_refused(tmp_path, text):
    path = tmp_path / "c.safetensors"
    saved(path)
    save_file(load_file(path), path, {"scratchgan": text})
    refusal(path)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused(tmp_path, version):
    path = tmp_path / "c.safetensors"
    saved(path)
    edit(path, lambda arrays, meta: meta.update(version=version))
    assert f"expected format version 1, got {version}" in refusal(path)


ARRAYS = [
    "generator/0.w",
    "discriminator/1.w",
    "average/1.running_mean",
    "g_optimiser/m",
    "d_optimiser/v",
    "batches/order",
]


def shorten(arrays, key):
    arrays[key] = arrays[key][:-1].copy()


def broadcastable(arrays, key):
    arrays[key] = np.full(1, 7, arrays[key].dtype)


def lose(arrays, key):
    del arrays[key]


@pytest.mark.parametrize(
    ("key", "damage"), [*product(ARRAYS, (shorten, broadcastable, lose)), ("fixed_noise", lose)]
)
def test_an_array_that_does_not_fit_is_refused(tmp_path, key, damage):
    path = tmp_path / "c.safetensors"
    saved(path, ema=0.9)
    edit(path, lambda arrays, meta: damage(arrays, key))
    refusal(path, ema=0.9)


@pytest.mark.parametrize(
    "key", ["config", "step", "random", "batches", "g_optimiser/t", "average/t"]
)
@pytest.mark.parametrize("value", ["lost", None, [1], "text"])
def test_metadata_that_is_lost_or_of_another_kind_is_refused(tmp_path, key, value):
    path = tmp_path / "c.safetensors"
    saved(path, ema=0.9)

    def change(arrays, meta):
        if value == "lost":
            del meta[key]
        else:
            meta[key] = value

    edit(path, change)
    refusal(path, ema=0.9)


def test_the_state_of_a_random_generator_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    saved(path)
    other = np.random.Generator(np.random.Philox(1)).bit_generator.state["bit_generator"]

    def change(arrays, meta):
        meta["random"]["discriminator/4.rng"]["bit_generator"] = other

    edit(path, change)
    refusal(path)


@pytest.mark.parametrize("damage", [lambda b: b[:50], lambda b: b"x" * len(b)])
def test_a_damaged_run_gives_no_generator(tmp_path, damage):
    path = tmp_path / "checkpoint.safetensors"
    saved(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors"):
        load_generator(tmp_path)


@pytest.mark.parametrize("damage", [shorten, lose])
def test_a_generator_that_does_not_fit_its_model_is_refused(tmp_path, damage):
    path = tmp_path / "checkpoint.safetensors"
    saved(path)
    edit(path, lambda arrays, meta: damage(arrays, "generator/0.w"))
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors.*0\.w"):
        load_generator(tmp_path)


# ---- whole or not at all, and never unpickled ------------------------------------------------


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failing_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, function):
    path = tmp_path / "c.safetensors"
    trainer = saved(path)
    old = path.read_bytes()
    train_for(trainer, 1)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, trainer, asdict(tiny_config()), NOISE)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def unpickling(tree):
    """Lines of a module that import a pickler, or allow NumPy to use one."""
    picklers = {"pickle", "_pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "torch"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported = {(node.module or "").partition(".")[0]}
        else:
            imported = set()
        allows = (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and not (isinstance(node.value, ast.Constant) and node.value.value is False)
        )
        if imported & picklers or allows:
            yield node.lineno if hasattr(node, "lineno") else 0


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n import joblib.x",
        "np.load(p, allow_pickle=True)",
    ],
)
def test_the_search_for_picklers_finds_them(source):
    assert list(unpickling(ast.parse(source)))


def test_nothing_in_the_library_can_unpickle():
    sources = sorted(Path(scratchgan.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    found = {str(p): list(unpickling(ast.parse(p.read_text()))) for p in sources}
    assert not {path: lines for path, lines in found.items() if lines}
