"""``scratchgan score``: one command for a run, pictures or an array; four forms of its result."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from scratchgan.__main__ import main
from scratchgan.cli.score import LEGEND
from scratchgan.runs import score as module
from scratchgan.runs import train
from scratchgan.runs.score import score

from ..gan.tiny import install, random_images, tiny_config

ALWAYS = ["FID", "x real", "KID", "precision", "recall", "density", "coverage", "memorised"]


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Two files of samples and one of real images, where the command is run."""
    monkeypatch.chdir(tmp_path)
    real, a = random_images(300, seed=1), random_images(100, seed=2)
    b = (random_images(100, seed=3) // 2).astype(np.uint8)
    for name, images in (("real", real), ("a", a), ("b", b)):
        np.save(f"{name}.npy", images)
    return ["score", "a.npy", "b.npy", "--real", "real.npy", "--judge", "random"]


def test_the_table_has_a_column_a_target_and_a_legend(sets, capsys):
    assert main(sets) == 0
    out, err = capsys.readouterr()
    assert err.count("untrained network") == 1  # the real images are judged once, for both
    about, table, legend = out.strip().split("\n\n")
    assert about.splitlines()[0] == "100 samples against 150 images of real"
    assert "judge: RANDOM FEATURES, a rough guide only, 32 features" in about
    head, *lines = table.splitlines()
    assert re.split(" {2,}", head.strip()) == ["a.npy", "b.npy", "real images"]
    rows = [re.split(" {2,}", line) for line in lines]
    assert [row[0] for row in rows] == ALWAYS
    assert {len(line) for line in (head, *lines)} == {len(head)}  # aligned
    for target, column in (("a.npy", 1), ("b.npy", 2)):
        found = score(target, "real.npy", "random").measures
        for name, *cells in rows:
            numbers = [
                float(x.rstrip("%")) for x in re.findall(r"-?[\d.e+-]+%?", cells[column - 1])
            ]
            percent = 100 if "%" in cells[column - 1] else 1
            assert np.array(numbers) == pytest.approx(
                percent * np.array(found[name][:3]), rel=0.03, abs=0.051
            )
            floor = percent * found[name].floor
            assert float(cells[2].rstrip("%")) == pytest.approx(floor, rel=0.03, abs=0.051)
    *lines, last = legend.splitlines()
    assert [re.split(" {2,}", line)[0] for line in lines] == ALWAYS
    assert all(re.search(r"(less|more) is better|as good as real", line) for line in lines)
    assert "95 of 100" in last and max(map(len, legend.splitlines())) <= 100


def test_every_measure_says_which_direction_is_good():
    assert all(
        re.search(r"(less|more|as good as real|evenly)", text) for _, text in LEGEND.values()
    )


def test_many_targets_are_put_into_tables_that_fit(sets, capsys):
    names = ["a.npy", "b.npy"] * 3
    assert main(["score", *names, *sets[3:]]) == 0
    out = capsys.readouterr().out
    heads = [line.split() for line in out.splitlines() if line.endswith("real images")]
    assert [head[:-2] for head in heads] == [names[:3], names[3:]]
    assert max(map(len, out.splitlines())) <= 120


def test_markdown_has_a_row_a_target_and_one_for_real_images(sets, capsys):
    assert main([*sets, "--format", "markdown"]) == 0
    rows = [line[2:-2].split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 5 and rows[0] == ["", *ALWAYS]
    assert [row[0] for row in rows[2:]][:2] == ["a.npy", "b.npy"]
    assert rows[4][0].startswith("100 real, to 150 images of real (judge: RANDOM")
    assert rows[4][2] == "1.0" and {len(row) for row in rows} == {9}


def test_csv_and_json_hold_the_same_numbers(sets, capsys):
    assert main([*sets, "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert main([*sets, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["target"] for each in found] == ["a.npy", "b.npy"]
    assert [each["samples"] for each in found] == [100, 100]
    flat = [
        (each["target"], name, *m.values())
        for each in found
        for name, m in each["measures"].items()
    ]
    fields = ("value", "low", "high", "floor")
    assert flat == [
        (line["target"], line["measure"], *(float(line[f]) for f in fields)) for line in lines
    ]
    assert [name for target, name, *_ in flat if target == "a.npy"] == ALWAYS


def test_a_folder_of_own_pictures_is_scored_by_one_command(tmp_path, monkeypatch, capsys):
    """Also from another folder than the one where it was trained."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "own").mkdir()
    for i in range(80):
        Image.fromarray(rng.integers(0, 256, (18, 20, 3), np.uint8)).save(f"own/{i}.png")
    train = ["train", "images", "--images", "own", "--size", "16", "--width", "4", "--steps", "2"]
    assert main([*train, "--batch-size", "16", "--backend", "numpy", "--out", "runs/images"]) == 0
    capsys.readouterr()
    monkeypatch.chdir(tmp_path / "cache")
    run = str(tmp_path / "runs" / "images")
    assert main(["score", run, "--backend", "numpy", "--picture", "pairs.png"]) == 0
    out, err = capsys.readouterr()
    assert "40 samples against 40 images of own" in out and "untrained network" in err
    values = dict(re.findall(r"^(\S+(?: real)?) +(\S+) \[", out, flags=re.M))
    assert list(values) == ALWAYS and float(values["x real"]) > 2
    # 32 pairs of 16 x 16, four in a row, with margins of 2, at least twice as large
    width, height = Image.open("pairs.png").size
    assert (width % (8 * 18 + 2), height % (8 * 18 + 2)) == (0, 0)
    # The same as images of a folder, and as an array
    folder = tmp_path / "generated"
    folder.mkdir()
    assert main(["sample", run, "--n", "40", "--out", "generated.npz", "--backend", "numpy"]) == 0
    for i, image in enumerate(np.load("generated.npz")["images"]):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    capsys.readouterr()
    real = ["--real", str(tmp_path / "own"), "--format", "csv"]
    assert main(["score", str(folder), *real, "--judge", "random"]) == 0  # at 64 x 64
    assert "generated,40,40 images of own" in capsys.readouterr().out
    assert main(["score", "generated.npz", *real]) == 0
    array = capsys.readouterr().out
    assert main(["score", run, *real, "--backend", "numpy"]) == 0
    of_run = capsys.readouterr().out
    numbers = [
        {line["measure"]: line["value"] for line in csv.DictReader(io.StringIO(text))}
        for text in (array, of_run)
    ]
    assert {k: float(v) for k, v in numbers[0].items()} == pytest.approx(
        {k: float(v) for k, v in numbers[1].items()}, rel=1e-6
    )


def test_a_target_that_cannot_be_measured_does_not_lose_the_others(sets, capsys, monkeypatch):
    install(monkeypatch)
    train(tiny_config(), random_images(32), "run", steps=1, backend="numpy")
    np.save("same.npy", np.repeat(random_images(5), 20, 0))
    capsys.readouterr()
    names = ["none", "a.npy", "same.npy", "real.npy", "run"]
    assert main(["score", *names, *sets[3:], "--format", "csv", "--backend", "numpy"]) == 2
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "none/checkpoint.safetensors: no such checkpoint" in errors[0]
    assert "same.npy: expected images that differ, got 5 different ones of 100" in errors[1]
    assert "real.npy: expected samples, got the real images" in errors[2] and len(errors) == 3
    assert "other real ones as --real" in errors[2]
    assert {line.split(",")[0] for line in out.splitlines()[1:]} == {"a.npy", "run"}


def test_nothing_is_loaded_or_trained_before_the_targets_are_read(tmp_path, monkeypatch, capsys):
    """Not even MNIST, which might be downloaded."""

    def refuse(*arguments, **options):
        raise AssertionError("too early")

    monkeypatch.setattr(module, "mnist", refuse)
    assert main(["score", str(tmp_path / "a"), str(tmp_path / "b"), "--backend", "numpy"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("error: ") == err.count("\n") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a.npy", "--seed", "-1"], "--seed: expected 0 or more, got -1"),
        (["a.npy", "b.npy", "--picture", "p.png"], "--picture: expected one TARGET, got 2"),
        (["a.npy"], r"a.npy: expected real images .* \(6, 6, 1\); name them: --real PATH"),
        (["."], r"a folder of pictures; name them: --real PATH"),
        (["a.npy", "--real", "real.npy", "--judge", "x"], "mnist, labels, random or a FILE.onnx"),
        (["a.npy", "--real", "real.npy", "--judge", "mnist"], "--judge mnist: expected digits"),
        (["a.npy", "--real", "none.npy"], "none.npy: no such file"),
    ],
)
def test_wrong_options_say_what_was_expected(sets, capsys, options, message):
    assert main(["score", *options]) == 2
    assert re.search(message, capsys.readouterr().err)
