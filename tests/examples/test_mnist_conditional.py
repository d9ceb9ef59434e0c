import numpy as np
import pytest
from PIL import Image

from scratchgan.__main__ import main

from .running import ROOT, in_process

EXAMPLE = ROOT / "examples" / "mnist_conditional.py"


@pytest.fixture
def labelled(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 28, 28), np.uint8)
    np.savez(tmp_path / "some.npz", images=images, labels=np.arange(60) % 10)
    return tmp_path / "some.npz"


@pytest.mark.parametrize("condition", ["concat", "projection", "classifier"])
def test_a_row_a_digit_and_samples_on_request(condition, labelled, monkeypatch, tmp_path):
    out = tmp_path / "run"
    arguments = ["--data", labelled, "--condition", condition, "--steps", 2, "--batch-size", 8]
    assert in_process(monkeypatch, EXAMPLE, *arguments, "--out", out, "--backend", "numpy") == 0
    with Image.open(out / "samples" / "00000002.png") as grid:
        assert grid.size == (2 * (10 * 30 + 2), 2 * (10 * 30 + 2))
    for label in (["--label", "7"], []):
        file = str(tmp_path / "digits.npz")
        assert main(["sample", str(out), "--n", "20", "--out", file, *label]) == 0
        with np.load(file) as found:
            assert found["images"].shape == (20, 28, 28)
            wanted = [7] * 20 if label else [*range(10)] * 2
            assert found["labels"].tolist() == wanted
    assert main(["sample", str(out), "--out", file, "--label", "10"]) == 2


def test_images_without_labels_are_refused(monkeypatch, capsys, tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((20, 28, 28), np.uint8))
    arguments = ["--data", tmp_path / "none.npy", "--steps", 2, "--batch-size", 8]
    assert in_process(monkeypatch, EXAMPLE, *arguments, "--out", tmp_path / "run") == 2
    assert "expected labels for 'concat', got none" in capsys.readouterr().err


def test_a_label_of_a_run_without_labels_is_refused(labelled, monkeypatch, capsys, tmp_path):
    mlp, out = ROOT / "examples" / "mnist_mlp.py", tmp_path / "run"
    arguments = ["--data", labelled, "--steps", 1, "--batch-size", 8, "--out", out]
    assert in_process(monkeypatch, mlp, *arguments) == 0
    assert main(["sample", str(out), "--label", "3", "--out", str(tmp_path / "x.png")]) == 2
    assert f"--label: {out} was trained without labels" in capsys.readouterr().err
