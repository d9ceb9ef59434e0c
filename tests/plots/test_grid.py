import numpy as np
import pytest
from PIL import Image

from scratchgan.plots import sample_grid, save_animation, save_image

GREY = 128


def images_of(n, height, width, channels):
    rng = np.random.default_rng(n)
    return rng.integers(0, 256, (n, height, width, channels), np.uint8)


def drawn(images, columns, margin, zoom):
    """The grid, pixel by pixel."""
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    size = [margin + rows * (height + margin), margin + columns * (width + margin)]
    canvas = np.full((*size, channels), GREY, np.uint8)
    canvas[..., 3:] = 255
    for i, image in enumerate(images):
        top = margin + i // columns * (height + margin)
        left = margin + i % columns * (width + margin)
        canvas[top : top + height, left : left + width] = image
    return np.kron(canvas, np.ones((zoom, zoom, 1), np.uint8))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("n", "columns"), [(1, 1), (2, 2), (3, 2), (5, 3), (9, 3), (10, 4), (16, 4), (17, 5), (64, 8)]
)
def test_a_grid_is_as_square_as_can_be_and_every_image_in_its_place(n, columns, channels):
    images = images_of(n, 5, 3, channels)
    grid = sample_grid(images)
    assert grid.mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    found = np.asarray(grid).reshape(*grid.size[::-1], channels)
    assert np.array_equal(found, drawn(images, columns, margin=2, zoom=2))


@pytest.mark.parametrize("columns", [1, 3, 7, 9])
@pytest.mark.parametrize(("margin", "zoom"), [(0, 1), (1, 1), (3, 4)])
def test_columns_margin_and_zoom_are_as_asked(columns, margin, zoom):
    images = images_of(7, 4, 6, 3)
    grid = np.asarray(sample_grid(images, columns, margin, zoom))
    assert np.array_equal(grid, drawn(images, columns, margin, zoom))


def test_the_images_are_only_read():
    images = images_of(4, 5, 3, 1)
    before = images.copy()
    sample_grid(images)
    images.flags.writeable = False
    sample_grid(images)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("channels", [2, 5, 7])
def test_channels_that_are_no_colours_stand_side_by_side(channels):
    images = images_of(3, 4, 6, channels)
    wanted = np.concatenate([images[..., [k]] for k in range(channels)], axis=2)
    grid = np.asarray(sample_grid(images))
    assert np.array_equal(grid, drawn(wanted, 2, margin=2, zoom=2)[..., 0])


def test_grey_images_need_no_axis_of_channels():
    images = images_of(5, 6, 7, 1)
    assert sample_grid(images[..., 0]).tobytes() == sample_grid(images).tobytes()


@pytest.mark.parametrize(
    ("n", "height", "width", "columns", "zoom"),
    [
        (1, 28, 28, None, 8),  # 32 pixels
        (4, 28, 28, None, 5),  # 62
        (64, 28, 28, None, 2),  # 242
        (64, 64, 64, None, 2),  # 530
        (8, 28, 28, 1, 2),  # 32 x 242: the longer side counts
        (1, 1, 1, None, 52),  # 5
        (1, 9, 124, None, 2),  # 13 x 128: a half of 256
        (1, 9, 123, None, 3),
    ],
)
def test_a_small_grid_can_be_enlarged_until_one_can_look_at_it(n, height, width, columns, zoom):
    images = images_of(n, height, width, 1)
    found = sample_grid(images, columns, zoom=None)
    assert found.tobytes() == sample_grid(images, columns, zoom=zoom).tobytes()
    assert max(found.size) >= 256


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 5, 3, 1)),
        np.zeros((4, 5, 3, 1), np.int64),
        np.zeros((4, 5, 3), np.uint8),
        np.zeros((5, 3), np.uint8),
        np.zeros((5, 0, 3, 1), np.uint8),
        np.zeros((5, 4, 3, 0), np.uint8),
        np.zeros((1, 4, 5, 3, 1), np.uint8),
    ],
    ids=lambda images: f"{images.dtype}{images.shape}",
)
def test_other_arrays_are_refused_with_what_was_expected_and_got(images):
    with pytest.raises(ValueError) as caught:
        sample_grid(images)
    message = str(caught.value)
    assert str(images.shape) in message and str(images.dtype) in message
    assert "expected uint8 (N, H, W, C) or (N, H, W), got" in message
    assert ("of one image, give `image[None]`" in message) == (images.ndim < 4)


@pytest.mark.parametrize(
    ("name", "value"), [("columns", 0), ("columns", -1), ("margin", -1), ("zoom", 0), ("zoom", -2)]
)
def test_numbers_that_are_too_small_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}: expected . or more, got {value}"):
        sample_grid(images_of(2, 4, 4, 1), **{name: value})


def test_a_picture_too_large_to_be_opened_is_refused():
    image = np.zeros((1, 2, 2, 1), np.uint8)
    with pytest.raises(ValueError, match="pixels or fewer, got 12000 x 12000 pixels for 1 images"):
        sample_grid(image, zoom=2000)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match=r"\(0, 5, 3, 1\)"):
        sample_grid(np.zeros((0, 5, 3, 1), np.uint8))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_saved_image_is_the_same_to_the_last_bit(tmp_path, channels):
    grid = sample_grid(images_of(6, 5, 3, channels))
    save_image(grid, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as read:
        assert read.format == "PNG" and read.mode == grid.mode
        assert np.array_equal(np.asarray(read), np.asarray(grid))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


# ---- animation -------------------------------------------------------------------------------


def frames(folder, count, channels=1):
    """PNG files that all differ."""
    paths = []
    for i in range(count):
        images = np.full((4, 3, 3, channels), 40 + i, np.uint8)
        images[0] = 255 - i
        paths.append(folder / f"{i:03}.png")
        save_image(sample_grid(images), paths[-1])
    return paths


def durations(path):
    """Milliseconds of each frame of a GIF."""
    with Image.open(path) as image:
        found = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            found.append(image.info.get("duration"))
        return found


@pytest.mark.parametrize(("count", "each"), [(2, 4000), (4, 2000), (5, 1600), (40, 200)])
def test_an_animation_shows_every_frame_in_eight_seconds_and_rests(tmp_path, count, each):
    save_animation(frames(tmp_path, count), tmp_path / "a.gif")
    assert durations(tmp_path / "a.gif") == [each] * (count - 1) + [2000]


def test_no_frame_is_shorter_than_can_be_seen(tmp_path):
    save_animation(frames(tmp_path, 10), tmp_path / "a.gif", seconds=0.1)
    assert durations(tmp_path / "a.gif") == [40] * 9 + [2000]


def test_an_animation_loops_for_ever(tmp_path):
    save_animation(frames(tmp_path, 3), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.format == "GIF" and image.info["loop"] == 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_frames_look_as_the_files_do(tmp_path, channels):
    paths = frames(tmp_path, 3, channels)
    save_animation(paths, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        for i, path in enumerate(paths):
            image.seek(i)
            found = np.asarray(image.convert("RGB")).astype(int)
            wanted = np.asarray(Image.open(path).convert("RGB")).astype(int)
            # A palette has 256 colours: enough for grey, an approximation for others.
            assert np.abs(found - wanted).max() <= (0 if channels < 3 else 51)


def test_one_frame_is_a_still(tmp_path):
    save_animation(frames(tmp_path, 1), tmp_path / "a.gif")
    assert len(durations(tmp_path / "a.gif")) == 1


def test_no_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.gif: expected at least one frame, got none"):
        save_animation([], tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())
