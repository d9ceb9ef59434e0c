import numpy as np
import pytest
from PIL import Image

from scratchgan.plots import loss_curves
from scratchgan.plots.curves import BLUE, ORANGE

NAMES = ("d_loss", "g_loss", "d_real", "d_fake")


def metrics(rows):
    """Random ones; the two curves of a panel do not cover each other."""
    rng = np.random.default_rng(rows)
    columns = {name: 0.4 * rng.random(rows) + 0.5 * (i % 2) for i, name in enumerate(NAMES)}
    return {"step": np.arange(1, rows + 1) * 10} | columns


def rgb(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def pixels_like(image, colour):
    """A mask of those near a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.abs(image - wanted).max(-1) < 30


@pytest.mark.parametrize("rows", [2, 3, 49, 50, 51, 1000])
def test_both_players_are_drawn_in_both_panels(tmp_path, rows):
    path = tmp_path / "losses.png"
    loss_curves(metrics(rows), path)
    image = rgb(path)
    half = len(image) // 2
    for panel in (image[:half], image[half:]):
        for colour in (BLUE, ORANGE):
            mask = pixels_like(panel, colour)
            # More than the legend's short line: the curve crosses the panel.
            assert mask.any(0).sum() > image.shape[1] / 2
    assert [p.name for p in tmp_path.iterdir()] == ["losses.png"]


def test_the_values_are_what_is_drawn(tmp_path):
    """A generator's loss far above the discriminator's stands above it in the picture."""
    columns = metrics(200)
    columns |= {"d_loss": np.full(200, 0.5), "g_loss": np.full(200, 5.0)}
    columns |= {"d_real": np.full(200, 0.9), "d_fake": np.full(200, 0.1)}
    loss_curves(columns, tmp_path / "a.png")
    image = rgb(tmp_path / "a.png")
    half = len(image) // 2

    def height(panel, colour):  # of the row with most of the colour, which is the flat curve
        return pixels_like(panel, colour).sum(1).argmax()

    losses, beliefs = image[:half], image[half:]
    assert height(losses, ORANGE) < height(losses, BLUE)
    assert height(beliefs, BLUE) < height(beliefs, ORANGE)


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.filterwarnings("error")
def test_a_run_too_short_for_a_curve_has_a_picture_all_the_same(tmp_path, rows):
    loss_curves(metrics(rows), tmp_path / "a.png")
    assert rgb(tmp_path / "a.png").std() > 1


def test_a_loss_that_is_not_finite_is_no_error(tmp_path):
    columns = metrics(100)
    columns["g_loss"][60] = np.nan
    loss_curves(columns, tmp_path / "a.png")
    image = rgb(tmp_path / "a.png")
    assert pixels_like(image[: len(image) // 2], ORANGE).any(0).sum() > image.shape[1] / 3
