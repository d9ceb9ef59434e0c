"""``--model FILE.py:NAME``: networks of the user's own on the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import scratchgan as sg
from scratchgan.cli import main
from scratchgan.data import cache_dir
from scratchgan.runs import CheckpointError

from ..runs import own_networks

IMAGES = np.random.default_rng(0).integers(0, 256, (40, *own_networks.SHAPE), np.uint8)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with a file of networks and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)
    shutil.copy(own_networks.__file__, "mine.py")
    np.savez("images.npz", images=IMAGES, labels=np.arange(40) % 3)
    return tmp_path


def train(*more, steps=4, model="mine.py:PAIR"):
    options = ["--images", "images.npz", "--batch-size", 8, "--backend", "numpy", "--out", "run"]
    options += ["--model", model] if model else []
    return main(["train", *map(str, options), "--steps", str(steps), *map(str, more)])


def go_on(*more):
    return main(["train", "--out", "run", "--resume", *map(str, more)])


def drawn(file="x.npz", *more):
    assert main(["sample", "run", "--n", "6", "--out", file, "--backend", "numpy", *more]) == 0
    return np.load(file)["images"]


def said(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_run_keeps_a_copy_that_sample_and_resume_use():
    assert train() == 0
    assert Path("run/networks.py").read_bytes() == Path("mine.py").read_bytes()
    Path("mine.py").unlink()  # no longer needed
    before = drawn()
    assert before.shape == (6, *own_networks.SHAPE)
    assert np.array_equal(sg.load("run", backend="numpy").sample(6), before)
    assert go_on("--steps", 8) == 0
    assert sg.load("run").steps == 8
    assert not np.array_equal(drawn(), before)


def test_a_resumed_run_ends_as_one_without_a_stop():
    train("--preset", "r3gan", "--seed", 5)
    assert go_on("--steps", 8) == 0
    parts = sg.load("run").generator.theta
    shutil.rmtree("run")
    train("--preset", "r3gan", "--seed", 5, steps=8)
    assert np.array_equal(sg.load("run").generator.theta, parts)


def test_resume_alone_knows_the_images_the_steps_and_the_options(place, monkeypatch, capsys):
    train("--lr", 0.01, "--save-every", 3, steps=7)
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    capsys.readouterr()
    assert main(["train", "--out", "../run", "--resume"]) == 0
    assert "already at step 7, 7 wanted" in capsys.readouterr().err
    assert main(["train", "--out", "../run", "--resume", "--steps", "9"]) == 0
    capsys.readouterr()
    assert main(["train", "--out", "../run", "--resume"]) == 0
    assert "already at step 9, 9 wanted" in capsys.readouterr().err
    run = sg.load("../run")
    assert run.steps == 9 and run.config.g_lr == run.config.d_lr == 0.01
    assert [int(path.stem) for path in sorted(Path("../run/samples").iterdir())] == [0, 3, 6, 9]


def test_options_given_again_must_agree(capsys):
    train("--seed", 5)
    assert go_on("--steps", 8, "--seed", 5, "--model", "mine.py:PAIR") == 0
    for option, told in [
        (("--seed", 6), "seed: 5 saved, 6 now"),
        (("--model", "mine.py:OTHER"), "mine.py:OTHER"),
        (("--preset", "wgan"), "loss: 'non-saturating' saved, 'wasserstein' now"),
    ]:
        assert go_on("--steps", 12, *option) == 2
        assert told in said(capsys)
    assert sg.load("run").steps == 8


def test_labels_and_a_sample_of_one_class():
    assert train("--condition", "projection") == 0
    assert drawn("x.npz", "--label", "2").shape == (6, *own_networks.SHAPE)
    assert list(np.load("x.npz")["labels"]) == [2] * 6


def test_a_copy_that_is_gone(capsys):
    train()
    Path("run/networks.py").unlink()
    assert main(["sample", "run"]) == 2
    assert "run/networks.py: is gone, the copy of mine.py" in (line := said(capsys))
    assert line.endswith("give the file as it was then with --model mine.py:PAIR")
    assert go_on() == 2
    assert go_on("--model", "mine.py:PAIR", "--steps", 6) == 0
    drawn("x.npz", "--model", "mine.py:PAIR")


def test_a_copy_that_was_changed_is_not_run(capsys, place):
    train()
    with open("run/networks.py", "a") as file:
        file.write(f"\nopen({str(place / 'run_it')!r}, 'w')\n")
    for job in (["sample", "run"], ["train", "--out", "run", "--resume"]):
        assert main(job) == 2
        assert "run/networks.py: was changed since the training" in said(capsys)
    with pytest.raises(CheckpointError, match="was changed"):
        sg.load("run")
    assert not (place / "run_it").exists()


def test_a_changed_file_cannot_go_on_with_the_run(capsys):
    train()
    Path("mine.py").write_text(Path("mine.py").read_text() + "\n# changed\n")
    assert go_on("--model", "mine.py:PAIR") == 2
    assert "run: expected its networks, 'mine.py:PAIR" in said(capsys)


def test_code_that_nobody_named_on_this_machine_is_not_run(capsys):
    """The folder of a run may come from somebody else, and networks.py is a program."""
    train()
    shutil.rmtree(cache_dir() / "networks")
    assert main(["sample", "run"]) == 2
    line = said(capsys)
    assert "run/networks.py: is code that was never used on this machine" in line
    assert line.endswith("read it, then name it with --model run/networks.py:PAIR")
    assert go_on("--steps", 6) == 2
    assert go_on("--steps", 6, "--model", "run/networks.py:PAIR") == 0
    shutil.rmtree(cache_dir() / "networks")
    drawn("x.npz", "--model", "run/networks.py:PAIR")
    drawn()  # named once is enough


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("gone.py:PAIR", "gone.py: no such file"),
        ("mine.py", "NAME is a Model; it holds"),
        ("mine.py:PAIRS", "the file has no 'PAIRS'; it holds PAIR"),
        ("mine.py:SHAPE", "mine.py:SHAPE: expected a scratchgan.Model, got (6, 6, 3)"),
        ("broken.py:PAIR", "ZeroDivisionError"),
        ("mlp3", "argument --model: expected one of mlp, "),
    ],
)
def test_networks_that_are_not_there(capsys, model, told):
    Path("broken.py").write_text("1 / 0")
    try:
        status = train(model=model)
    except SystemExit as end:
        status = end.code
    assert status == 2 and told in said(capsys)
    assert not Path("run").exists()


def test_networks_with_a_shape_of_their_own_size_the_pictures_of_a_folder():
    from PIL import Image

    Path("pictures").mkdir()
    for i in range(10):
        Image.fromarray(np.full((20, 30, 3), 20 * i, np.uint8)).save(f"pictures/{i}.png")
    Path("mine.py").write_text(
        Path("mine.py").read_text() + "\nSHAPED = sg.Model(generator, discriminator, 14, SHAPE)\n"
    )
    assert train("--images", "pictures", model="mine.py:SHAPED") == 0
    assert "(10, 6, 6, 3)" in sg.load("run").config.data


def test_options_of_the_dcgan_are_not_for_other_networks(capsys):
    assert train("--width", 8) == 2
    assert "--width 8: not for --model mine.py:PAIR" in said(capsys)


def test_the_dcgan_of_the_images_is_the_default(capsys):
    np.savez("images.npz", images=np.zeros((20, 16, 16, 3), np.uint8))
    assert train("--width", 4, "--dropout", 0.5, model=None) == 0
    assert sg.load("run").config.model == "dcgan-16x3-w4-drop0.5"
    assert go_on("--steps", 5) == 0


def test_images_are_asked_for(capsys):
    assert main(["train", "images"]) == 2
    assert said(capsys) == "error: --images: expected a folder of pictures, or an .npy or .npz file"


def test_a_recipe_that_is_not_there(capsys):
    assert main(["train", "mnist"]) == 2
    assert "expected one of mnist_mlp, mnist_dcgan, mnist_conditional, images" in said(capsys)


def test_what_lies_beside_the_copy_is_not_run(place):
    """Only the copy has a checksum."""
    Path("mine.py").write_text("import colorsys\n" + Path("mine.py").read_text())
    train()
    Path("run/colorsys.py").write_text(f"open({str(place / 'run_it')!r}, 'w')")
    drawn()
    assert not (place / "run_it").exists()


def test_a_file_with_neighbours_is_named_again(capsys):
    Path("blocks.py").write_text("SLOPE = 0.2\n")
    Path("mine.py").write_text("from blocks import SLOPE\n" + Path("mine.py").read_text())
    assert train() == 0
    assert main(["sample", "run"]) == 2
    line = said(capsys)
    assert "No module named 'blocks'" in line
    assert line.endswith("give the file as it was then with --model mine.py:PAIR")
    drawn("x.npz", "--model", "mine.py:PAIR")


@pytest.mark.parametrize("labels", [None, np.arange(40) % 3])
def test_a_run_from_python_goes_on_in_the_shell(capsys, labels):
    options = {"steps": 4, "batch_size": 8, "progress": False, "out": "run", "backend": "numpy"}
    sg.train(IMAGES, own_networks.PAIR, labels=labels, **options)
    assert main(["sample", "run"]) == 2
    assert said(capsys).endswith("or with --model FILE.py:NAME")
    drawn("x.npz", "--model", "mine.py:PAIR")
    more = ["--images", "images.npz", "--steps", 8, "--model", "mine.py:PAIR"]
    assert go_on(*more) == 0, said(capsys)
    assert sg.load("run", own_networks.PAIR).steps == 8
    assert main(["sample", "run", "--model", "mine.py:OTHER"]) == 2
    assert "run: expected its networks, 'own networks" in said(capsys)


def test_a_run_of_a_file_takes_the_same_networks_as_objects():
    train()
    assert sg.load("run", own_networks.PAIR, "numpy").sample(2).shape == (2, *own_networks.SHAPE)


def test_options_of_the_dcgan_must_agree_too(capsys):
    np.savez("images.npz", images=np.zeros((20, 16, 16, 3), np.uint8))
    assert train("--width", 4, model=None) == 0
    before = Path("run/config.json").read_bytes()
    assert go_on("--width", 8) == 2
    assert "--width 8: not for --model dcgan-16x3-w4" in said(capsys)
    assert Path("run/config.json").read_bytes() == before


def test_a_run_of_another_recipe(capsys):
    train()
    assert main(["train", "mnist_mlp", "--out", "run", "--resume"]) == 2
    assert "run: expected a run of mnist_mlp, got one of images" in said(capsys)


def test_fewer_steps_are_not_remembered(capsys):
    train(steps=7)
    assert go_on("--steps", 3) == 0
    assert json.loads(Path("run/config.json").read_text())["command"]["steps"] == 7


@pytest.mark.parametrize(
    "change",
    [{"command": 3}, {"model": 5}, {"command": {"recipe": "nope"}}, {"command": {"steps": "x"}}],
)
def test_a_damaged_config_is_said_in_one_line(capsys, change):
    train()
    path = Path("run/config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    capsys.readouterr()
    assert go_on() == 2
    assert "error: " in said(capsys)


def test_a_misspelt_option_is_guessed_in_short(capsys):
    with pytest.raises(SystemExit):
        train("--batchsize", 3)
    usage, line = capsys.readouterr().err.splitlines()
    assert line.endswith("unrecognized arguments: --batchsize 3; did you mean --batch-size?")
    assert usage == "usage: scratchgan train [options]" or "python -m scratchgan train" in usage
