import numpy as np
import pytest
from PIL import Image

from scratchgan.plots import field_frame

from .running import ROOT, in_process

TOY = ROOT / "examples" / "toy_2d.py"


@pytest.mark.parametrize("data", ["ring", "grid", "swiss_roll", "two_moons"])
def test_a_short_run_leaves_an_animation(data, monkeypatch, capsys, tmp_path):
    arguments = ["--data", data, "--steps", 4, "--frames", 2, "--out", tmp_path / "run"]
    assert in_process(monkeypatch, TOY, *arguments) == 0
    said = capsys.readouterr().out
    assert "toy.gif" in said
    assert ("modes" in said) == (data in ("ring", "grid"))
    assert len(list((tmp_path / "run" / "frames").glob("*.png"))) == 3
    with Image.open(tmp_path / "run" / "toy.gif") as animation:
        assert animation.n_frames == 3


@pytest.mark.parametrize("preset", ["wgan-gp", "gan", "sngan-hinge"])
def test_other_games(preset, monkeypatch, tmp_path):
    arguments = ["--preset", preset, "--steps", 2, "--frames", 1, "--out", tmp_path / "run"]
    assert in_process(monkeypatch, TOY, *arguments) == 0


def test_a_frame_shows_field_points_and_arrows(tmp_path):
    rng = np.random.default_rng(0)
    points, field = rng.uniform(-1, 1, (50, 2)), np.linspace(-1, 1, 400).reshape(20, 20)
    pictures = []
    for name, arrows in (("with", np.ones((20, 2))), ("without", np.zeros((0, 2)))):
        field_frame(tmp_path / f"{name}.png", points, points, field, arrows, 1.5, "title")
        with Image.open(tmp_path / f"{name}.png") as image:
            pictures.append(np.asarray(image.convert("RGB")))
    assert pictures[0].shape == pictures[1].shape and pictures[0].std() > 20
    assert (pictures[0] != pictures[1]).any()
