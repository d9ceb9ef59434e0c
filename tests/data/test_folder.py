import gc
import io
import os
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
import weakref
import zlib

import numpy as np
import pytest
from PIL import Image

from scratchgan.data import Batches, DataError, pictures, to_unit
from scratchgan.data import folder as module
from scratchgan.data.folder import ImageFolder

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
RNG = np.random.default_rng(0)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    """A PNG file that claims a size and has next to no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def webp_header(width, height, kind=b"VP8X"):
    if kind == b"VP8X":
        body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + (width - 1 | height - 1 << 14).to_bytes(4, "little") + bytes(5)
    else:
        body = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    payload = b"WEBP" + kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(payload)) + payload


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def broken_png():
    """A PNG file of a good header, half of whose pixels are missing."""
    noise = Image.fromarray(RNG.integers(0, 255, (32, 32, 3), np.uint8))
    whole = encoded(noise)
    return whole[: len(whole) // 2]


def plain(colour, size=(8, 8), mode="RGB"):
    return Image.new(mode, size, colour)


@pytest.fixture
def put(tmp_path):
    """Write files by name, of bytes or pictures, and give the folder."""

    def put(**files):
        for name, content in files.items():
            write(name.replace("__", "/").replace("_", "."), content)
        return tmp_path

    def write(name, content, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path, **options)
        return tmp_path

    put.write = write
    return put


@pytest.fixture
def decodes(monkeypatch):
    """The names of the files whose pixels were decoded, as it happens."""
    names, decode = [], module.decode

    def counting(path, *args):
        names.append(path.name)
        return decode(path, *args)

    monkeypatch.setattr(module, "decode", counting)
    return names


def numbered(put, count, size=(8, 8)):
    """Images whose red is their number."""
    for i in range(count):
        put.write(f"{i:03}.png", plain((i, 0, 0), size))
    return put()


def wait_until(true, seconds=5):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.002)


def mean(image):
    return np.rint(image.mean((0, 1))).tolist()


def test_it_is_like_an_array(put):
    folder = numbered(put, 7)
    data = ImageFolder(folder, size=8)
    every = data[:]
    assert every.dtype == data.dtype == np.uint8
    assert (len(data), data.shape, every.shape) == (7, (7, 8, 8, 3), (7, 8, 8, 3))
    assert every[:, 0, 0, 0].tolist() == list(range(7))
    for key in [
        np.array([3, 1, 3]), [6, 0], slice(None, None, -2), slice(1000), slice(5, 2), -1, 4,
        np.int64(2), np.zeros(0, int), [], np.arange(7) > 3, np.array([[0, 1], [2, -3]]),
    ]:  # fmt: skip
        got = data[key]
        np.testing.assert_array_equal(got, every[key])
        assert got.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(list(data)), every)
    for wrong in (7, [1, -8], (0, 0), (..., 0)):
        with pytest.raises(IndexError):
            data[wrong]
    with pytest.raises(IndexError):
        data.prefetch([7])


def test_what_it_gives_is_a_copy(put):
    data = ImageFolder(numbered(put, 2), size=8)
    data[:][:] = 77
    data[0][:] = 77
    assert data[:].max() == 1


def test_the_trainer_can_index_it(put):
    data = ImageFolder(numbered(put, 7), size=8)
    batches = Batches(data, 3, np.random.default_rng(0))
    x = to_unit(data[batches.next()])
    assert x.shape == (3, 8, 8, 3)
    assert data[:1000].shape == data.shape


@pytest.mark.parametrize("wrong", [{"size": 0}, {"channels": 2}, {"channels": 4}, {"workers": 0}])
def test_parameters_out_of_range(put, wrong):
    with pytest.raises(ValueError, match=r"wanted a size of at least 1, 1 or 3 channels"):
        ImageFolder(numbered(put, 1), **wrong)


# Which files


def test_order_is_that_of_relative_paths(put):
    names = [
        "b.png", "a/z.JPG", "a/b/c.WebP", "a.png", "Z.bmp", "a-b/x.jpeg", "é.png", "10.png",
        "9.png",
    ]  # fmt: skip
    for name in names:
        put.write(name, plain(RED))
    for name in (".hidden.png", ".cache/x.png", "a/.b/x.png", "notes.txt", "a/x.gif", "png"):
        (put() / name).parent.mkdir(parents=True, exist_ok=True)
        (put() / name).write_bytes(encoded(plain(RED)))
    data = ImageFolder(put())
    assert data.names == [
        "10.png", "9.png", "Z.bmp", "a-b/x.jpeg", "a.png", "a/b/c.WebP", "a/z.JPG", "b.png",
        "é.png",
    ]  # fmt: skip
    assert data.names == sorted(names)


def test_order_does_not_depend_on_the_file_system(put, monkeypatch):
    folder = numbered(put, 9)
    put(sub__a_png=plain(RED), sab__a_png=plain(RED))
    before = ImageFolder(folder, size=8)
    scandir = os.scandir

    class Backwards:
        def __init__(self, path):
            with scandir(path) as entries:
                self.entries = iter(list(entries)[::-1])

        def __iter__(self):
            return self.entries

        def __next__(self):
            return next(self.entries)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        close = __exit__

    monkeypatch.setattr(os, "scandir", Backwards)
    after = ImageFolder(folder, size=8)
    assert after.names == before.names
    assert after.fingerprint() == before.fingerprint()
    np.testing.assert_array_equal(after[:], before[:])


def test_links(put, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    plain(BLUE).save(elsewhere / "far.png")
    folder = put(a_png=plain(RED), sub__b_png=plain(GREEN))
    (folder / "linked").symlink_to(elsewhere)
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "self").symlink_to(folder / "sub" / "self")
    (folder / "twice").symlink_to(folder / "sub")
    (folder / "one.png").symlink_to(elsewhere / "far.png")
    assert ImageFolder(folder).names == ["a.png", "linked/far.png", "one.png", "sub/b.png"]


def test_no_folder_and_no_images(put, tmp_path):
    with pytest.raises(DataError, match=r"missing: no such folder; wanted a folder of images"):
        ImageFolder(tmp_path / "missing")
    put(a_png=plain(RED))
    with pytest.raises(DataError, match=r"a\.png: no such folder"):
        ImageFolder(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: wanted at least one image \(.*\.webp\).* none"):
        ImageFolder(tmp_path / "empty")


def test_a_folder_that_cannot_be_listed_is_named(put, monkeypatch, capsys):
    folder = put(a_png=plain(RED), sub__b_png=plain(RED))
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert ImageFolder(folder).names == ["a.png"]
    assert "'sub'" in capsys.readouterr().err


# What becomes of a picture


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (301, 2), (37, 53), (640, 333), (64, 64)])
def test_any_size_becomes_the_square(put, suffix, size):
    data = ImageFolder(put.write(f"a.{suffix}", plain((200, 100, 50), size)), size=16)
    image = data[0]
    assert image.shape == (16, 16, 3)
    assert np.abs(image.astype(int) - [200, 100, 50]).max() <= 4


@pytest.mark.parametrize(
    ("mode", "colour", "rgb", "grey"),
    [
        ("1", 1, [255, 255, 255], 255),
        ("L", 99, [99, 99, 99], 99),
        ("RGB", (200, 100, 50), [200, 100, 50], 124),
        # Over white.
        ("LA", (0, 255), [0, 0, 0], 0),
        ("LA", (0, 0), [255, 255, 255], 255),
        ("RGBA", (200, 100, 50, 255), [200, 100, 50], 124),
        ("RGBA", (200, 100, 50, 0), [255, 255, 255], 255),
        ("RGBA", (0, 0, 0, 51), [204, 204, 204], 204),
        ("I;16", 0, [0, 0, 0], 0),
        ("I;16", 65535, [255, 255, 255], 255),
        ("I;16", 100 * 257, [100, 100, 100], 100),
        ("I;16", 100 * 257 + 129, [101, 101, 101], 101),
    ],
)
def test_every_mode(put, mode, colour, rgb, grey):
    folder = put.write("a.png", Image.new(mode, (20, 12), colour))
    image = ImageFolder(folder, size=8)[0]
    np.testing.assert_array_equal(image, np.broadcast_to(np.uint8(rgb), (8, 8, 3)))
    image = ImageFolder(folder, size=8, channels=1)[0]
    np.testing.assert_array_equal(image, np.full((8, 8, 1), grey))


def test_palettes_and_their_transparency(put):
    # As grey the palette's own numbers, 0 and 1, would be black.
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (4, 0, 8, 8))
    put.write("a.png", picture)
    put.write("b.png", picture, transparency=1)
    put.write("c.png", picture, transparency=bytes([0, 255]))
    solid, blue_is_clear, red_is_clear = ImageFolder(put(), size=8)[:]
    left, right = (slice(None), 0), (slice(None), 7)
    assert (solid[left] == RED).all() and (solid[right] == BLUE).all()
    assert (blue_is_clear[left] == RED).all() and (blue_is_clear[right] == 255).all()
    assert (red_is_clear[left] == 255).all() and (red_is_clear[right] == BLUE).all()
    grey = ImageFolder(put(), size=8, channels=1)[0]
    assert (grey[left] == 76).all() and (grey[right] == 29).all()


def test_a_colour_that_is_declared_transparent(put):
    picture = plain(RED)
    picture.paste(BLUE, (4, 0, 8, 8))
    image = ImageFolder(put.write("a.png", picture, transparency=BLUE), size=8)[0]
    assert (image[:, :4] == RED).all() and (image[:, 4:] == 255).all()


def test_what_is_transparent_does_not_bleed(put):
    picture = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    picture.paste((*RED, 255), (0, 0, 32, 64))
    image = ImageFolder(put(a_png=picture), size=9)[0].astype(int)
    # Red to white: green never passes blue.
    assert np.abs(image[..., 1] - image[..., 2]).max() <= 1
    assert image[..., 0].min() >= 254


def test_cmyk(put):
    put.write("a.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0)), quality=100)
    image = ImageFolder(put(), size=8)[0]
    assert np.abs(image.astype(int) - RED).max() <= 3
    assert abs(int(ImageFolder(put(), size=8, channels=1)[0].mean()) - 76) <= 3


def test_16_bit_grey_keeps_its_shades(put):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    put(a_png=Image.fromarray(np.tile(ramp, (64, 1))))
    image = ImageFolder(put(), size=64, channels=1)[0]
    np.testing.assert_array_equal(image[5, :, 0], np.rint(ramp / 257))


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (91, 30), (30, 95), (30, 30)])
def test_the_crop_is_the_middle_exactly(put, size):
    side, left, top = 30, (size[0] - 30) // 2, (size[1] - 30) // 2
    picture = plain(RED, size)
    centre = RNG.integers(0, 255, (side, side, 3), np.uint8)
    picture.paste(Image.fromarray(centre), (left, top))
    folder = put(a_png=picture)
    np.testing.assert_array_equal(ImageFolder(folder, size=side)[0], centre)
    # Nor does anything of the outside enter when it is made smaller.
    picture.paste(BLUE, (left, top, left + side, top + side))
    picture.save(folder / "a.png")
    for other in (7, 10, 41):
        np.testing.assert_array_equal(mean(ImageFolder(folder, size=other)[0]), BLUE)
        assert (ImageFolder(folder, size=other)[0] == BLUE).all()


def test_resizing_is_pillows_lanczos(put):
    noise = Image.fromarray(RNG.integers(0, 255, (50, 50, 3), np.uint8))
    image = ImageFolder(put(a_png=noise), size=16)[0]
    wanted = noise.resize((16, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(image, np.asarray(wanted))


def test_a_big_jpeg_is_drafted(put, monkeypatch):
    x = np.linspace(0, 255, 1000)
    smooth = np.stack(np.broadcast_arrays(x, x[:800, None], 90), 2).astype(np.uint8)
    put.write("a.jpg", Image.fromarray(smooth), quality=95)
    image = ImageFolder(put(), size=32)[0].astype(int)
    sizes, load = [], Image.Image.crop

    def crop(picture, box):
        sizes.append(picture.size)
        return load(picture, box)

    monkeypatch.setattr(Image.Image, "crop", crop)
    ImageFolder(put(), size=32)[0]
    assert sizes == [(125, 100)]
    cut = Image.fromarray(smooth[:, 100:900]).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.abs(image - np.asarray(cut)).max() <= 5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_exif_orientation(put, orientation, suffix):
    upright = Image.fromarray(RNG.integers(0, 255, (30, 47, 3), np.uint8))
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    method = undo.get(orientation, pictures._UPRIGHT.get(orientation))
    stored = upright if method is None else upright.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(z_png=upright)
    put.write(f"a.{suffix}", stored, exif=exif, lossless=True)
    turned, wanted = ImageFolder(put(), size=16)[:]
    np.testing.assert_array_equal(turned, wanted)


def test_exif_of_a_big_jpeg(put):
    stored = plain(RED, (400, 300))
    stored.paste(BLUE, (0, 0, 200, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: the left becomes the top
    image = ImageFolder(put.write("a.jpg", stored, exif=exif, quality=95), size=16)[0]
    assert np.abs(image[:7].astype(int) - BLUE).max() <= 40
    assert np.abs(image[9:].astype(int) - RED).max() <= 40


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_data_leave_the_pixels(put):
    exif = b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense"
    put.write("a.jpg", plain(RED), exif=exif, quality=95)
    put.write("b.png", plain(RED), exif=exif)
    assert (ImageFolder(put(), size=8)[:].astype(int) - RED).max() <= 4


def test_the_content_and_not_the_suffix_says_what_it_is(put):
    put(a_jpg=encoded(plain(RED)), b_png=encoded(plain(RED), "WEBP", lossless=True))
    assert (ImageFolder(put(), size=8)[:] == RED).all()


def test_an_animation_gives_its_first_frame(put):
    frames = [plain(RED), plain(BLUE)]
    for name in ("a.webp", "b.png"):
        put.write(name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    assert (ImageFolder(put(), size=8)[:] == RED).all()


# Bad files


def test_unreadable_files_are_left_out_and_named_once(put, capsys):
    good = put(m_png=plain(RED), n_jpg=plain(RED))
    put(a_png=b"", b_jpg=b"hello, world", c_png=encoded(plain(RED))[:20])
    put(d_jpg=encoded(plain(RED), "JPEG")[:30], e_png=png_header(50_000, 50_000))
    put(f_webp=b"RIFF....WEBPVP8 ", g_bmp=b"BM", h_png=png_header(8001, 8000))
    put(i_png=png_header(0, 5), j_png=encoded(plain(RED), "GIF"))
    put(ka_png=png_header(9500, 9500))  # Pillow would warn of it only
    (good / "k.png").symlink_to(good / "nothing")
    os.mkfifo(good / "l.png")
    (good / "folder.png").mkdir()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        data = ImageFolder(good, size=8)
    assert not warned
    assert data.names == ["m.png", "n.jpg"]
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "left out 13 of 15 files" in err
    assert err.endswith("'a.png', 'b.jpg', 'c.png', 'd.jpg', 'e.png' and 8 more\n")
    assert data[:].shape == (2, 8, 8, 3)
    assert capsys.readouterr().err == ""


def test_odd_names_stay_in_one_line(put, capsys):
    folder = put(a_png=plain(RED))
    (folder / "x\n\x1b[2J.png").write_bytes(b"")
    assert len(ImageFolder(folder)) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


@pytest.mark.skipif(os.name != "posix", reason="names that are no Unicode")
def test_names_that_are_no_unicode(put, capfd):
    folder = put(a_png=plain(RED))
    try:
        (folder / "b\udcff.png").write_bytes(encoded(plain(RED)))
        (folder / "c\udcff.png").write_bytes(b"")
    except OSError:
        pytest.skip("the file system refuses them")
    data = ImageFolder(folder)
    assert len(data) == 2
    assert len(data.fingerprint()) == 16
    assert "udcff" in capfd.readouterr().err


def test_no_readable_image(put):
    with pytest.raises(DataError, match=r"wanted at least one image .* unreadable are 'a\.png'"):
        ImageFolder(put(a_png=b""))


@pytest.mark.parametrize("limit", [0, None], ids=["Pillow's limit", "no limit of Pillow's"])
@pytest.mark.parametrize(
    "bomb",
    [
        png_header(50_000, 50_000),
        png_header(64_000_001, 1),
        encoded(plain(RED), "BMP")[:18] + struct.pack("<ii", 30_000, 30_000) + bytes(60),
        webp_header(16_383, 16_383),
        webp_header(16_383, 16_383, b"VP8L"),
        webp_header(16_383, 16_383, b"VP8 "),
        # Below the size at which Pillow refuses by itself.
        png_header(9000, 9000),
        webp_header(9000, 9000),
    ],
    ids=["png", "long", "bmp", "vp8x", "vp8l", "vp8", "png below", "webp below"],
)
def test_bombs_are_refused_by_their_header(put, monkeypatch, capsys, decodes, bomb, limit):
    put(a_png=bomb, b_png=plain(RED))
    if limit is None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    tracemalloc.start()
    try:
        data = ImageFolder(put())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.names == ["b.png"]
    assert "'a.png'" in capsys.readouterr().err
    assert not decodes
    assert peak < 4 << 20


def test_webp_bombs_never_reach_the_decoder(put, monkeypatch):
    plugin = pytest.importorskip("PIL.WebPImagePlugin")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(plugin, "_webp", None)
    put(z_png=plain(RED))
    for i, kind in enumerate((b"VP8X", b"VP8L", b"VP8 ")):
        path = put.write(f"{i}.webp", webp_header(16_000, 16_000, kind)) / f"{i}.webp"
        with pytest.raises(DataError, match=r"says \(16000, 16000\)"), pictures._open(path):
            pass


def test_the_webp_sizes_are_those_of_real_files(put):
    for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}):
        picture = plain(RED, (123, 45))
        assert pictures._webp_size(encoded(picture, "WEBP", **options)[:30]) == (123, 45)


def test_the_limit_itself_is_allowed(put, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 12)
    put(a_png=plain(RED, (4, 3)), b_png=plain(RED, (13, 1)))
    put(c_png=png_header(6, 2), d_png=png_header(5, 3))
    assert ImageFolder(put()).names == ["a.png", "c.png"]


def test_a_file_that_became_a_bomb_later_is_not_decoded(put):
    data = ImageFolder(numbered(put, 3), size=8)
    put.write("001.png", png_header(9000, 7200))
    assert data[:][:, 0, 0, 0].tolist() == [0, 2, 2]


def test_broken_pixels_are_replaced_by_the_next_image_and_reported_once(put, capsys):
    folder = numbered(put, 6)
    for i in (1, 2, 5):
        put.write(f"{i:03}.png", broken_png())
    data = ImageFolder(folder, size=8)
    assert len(data) == 6
    assert capsys.readouterr().err == ""
    wanted = [0, 3, 3, 3, 4, 0]
    assert data[:][:, 0, 0, 0].tolist() == wanted
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.endswith("'001.png', '002.png', '005.png'\n")
    assert data[::-1][:, 0, 0, 0].tolist() == wanted[::-1]
    assert capsys.readouterr().err == ""
    # In whatever order they are met.
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(6)
        data = ImageFolder(folder, size=8, workers=3)
        data.prefetch(order[3:])
        got = np.concatenate([data[order[i : i + 2]] for i in (0, 2, 4)])
        assert got[:, 0, 0, 0].tolist() == np.array(wanted)[order].tolist()


def test_a_broken_file_is_not_tried_again(put, monkeypatch, decodes):
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    numbered(put, 3)
    data = ImageFolder(put.write("001.png", broken_png()), size=8)
    for _ in range(3):
        assert data[1][0, 0, 0] == 2
    assert decodes == ["001.png", "002.png", "002.png", "002.png"]


@pytest.mark.parametrize("cut", [0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_truncated_pixels_of_every_kind(put, capsys, kind, cut):
    noise = encoded(Image.fromarray(RNG.integers(0, 255, (64, 64, 3), np.uint8)), kind)
    put(a_png=noise[: int(len(noise) * cut)], b_png=plain(BLUE))
    assert (ImageFolder(put(), size=8)[0] == BLUE).all()
    assert "'a.png'" in capsys.readouterr().err


def test_a_file_that_vanished_is_replaced(put, capsys):
    data = ImageFolder(numbered(put, 3), size=8)
    (put() / "000.png").unlink()
    assert data[0][0, 0, 0] == 1
    assert "'000.png'" in capsys.readouterr().err


def test_no_image_left(put):
    put(a_png=broken_png(), b_png=broken_png())
    data = ImageFolder(put())
    data.prefetch([0, 1])
    for _ in range(2):  # and it does not hang the second time
        with pytest.raises(DataError, match=r"none of its 2 images can be decoded"):
            data[:]


def test_want_of_memory_is_not_the_files_fault(put, monkeypatch):
    data = ImageFolder(numbered(put, 2), size=8)

    def starved(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(module, "decode", starved)
        data.prefetch([0])
        with pytest.raises(MemoryError):
            data[[0, 1]]
    assert data[:][:, 0, 0, 0].tolist() == [0, 1]


def test_more_than_a_thousand_files_get_a_bar(put, capsys):
    one = encoded(plain(RED, (1, 1)))
    for i in range(1001):
        (put() / f"{i}.png").write_bytes(one)
    assert len(ImageFolder(put())) == 1001
    assert "1001" in capsys.readouterr().err
    (put() / "0.png").unlink()
    assert len(ImageFolder(put())) == 1000
    assert capsys.readouterr().err == ""


# When they are decoded


def test_the_headers_alone_are_read_at_first(put, decodes):
    ImageFolder(numbered(put, 3)).fingerprint()
    assert decodes == []


def test_each_image_is_decoded_once(put, decodes):
    data = ImageFolder(numbered(put, 20), size=8)
    for _ in range(3):
        assert data[[3, 3, 3, 5]][:, 0, 0, 0].tolist() == [3, 3, 3, 5]
        assert data[:][:, 0, 0, 0].tolist() == list(range(20))
    assert sorted(decodes) == data.names


def test_what_was_prefetched_is_not_decoded_again(put, decodes):
    data = ImageFolder(numbered(put, 20), size=8)
    for _ in range(3):
        data.prefetch(np.arange(5, 15))
    wait_until(lambda: len(data._kept) == 10)
    assert sorted(decodes) == data.names[5:15]
    data.prefetch(slice(5, 15))
    assert data[np.arange(5, 15)][:, 0, 0, 0].tolist() == list(range(5, 15))
    assert len(decodes) == 10
    assert not data._ahead


def test_prefetch_does_not_wait_and_nothing_waits_behind_it(put, monkeypatch):
    """The threads are held up; the one who asks helps itself."""
    data = ImageFolder(numbered(put, 20), size=8)
    gate, decode, main = threading.Event(), module.decode, threading.get_ident()

    def held(*args):
        if threading.get_ident() != main:
            assert gate.wait(5)
        return decode(*args)

    monkeypatch.setattr(module, "decode", held)
    data.prefetch([0, 1])
    wait_until(lambda: sum(job.running() for job in data._ahead.values()) == 2)
    data.prefetch(np.arange(10))
    assert data[4:20][:, 0, 0, 0].tolist() == list(range(4, 20))
    gate.set()
    assert data[:][:, 0, 0, 0].tolist() == list(range(20))


@pytest.mark.parametrize("limit", [0, 5 * 192], ids=["nothing kept", "five kept"])
def test_beyond_the_memory_limit_images_are_decoded_again(put, monkeypatch, decodes, limit):
    monkeypatch.setattr(module, "MEMORY_BYTES", limit)
    data = ImageFolder(numbered(put, 12), size=8)
    kept = limit // 192
    assert data[:][:, 0, 0, 0].tolist() == list(range(12))
    assert (len(decodes), len(data._kept)) == (12, kept)
    assert data[:][:, 0, 0, 0].tolist() == list(range(12))
    assert (len(decodes), len(data._kept)) == (24 - kept, kept)
    # What is prefetched waits for the one who asks, once.
    rest = np.array([i for i in range(12) if i not in data._kept])
    data.prefetch(rest)
    wait_until(lambda: all(job.done() for job in data._ahead.values()))
    data.prefetch(rest)
    before = len(decodes)
    assert before == 24 - kept + len(rest)
    assert data[rest][:, 0, 0, 0].tolist() == rest.tolist()
    assert len(decodes) == before
    assert not data._ahead
    assert data[rest[:1]][0, 0, 0, 0] == rest[0]
    assert len(decodes) == before + 1


def test_what_is_prefetched_and_never_asked_for_is_bounded(put, monkeypatch):
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    monkeypatch.setattr(module, "_AHEAD_BYTES", 4 * 192)
    data = ImageFolder(numbered(put, 20), size=8)
    data.prefetch(slice(None))
    assert list(data._ahead) == [0, 1, 2, 3]
    data.prefetch([7, 8, 9])
    assert list(data._ahead) == [3, 7, 8, 9]
    assert data[:][:, 0, 0, 0].tolist() == list(range(20))


def test_more_than_a_chunk_at_a_time(put, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 3)
    data = ImageFolder(numbered(put, 10), size=8)
    order = [9, 1, 1, 9, 0, 4, 4, 4]
    assert data[order][:, 0, 0, 0].tolist() == order


@pytest.mark.parametrize("limit", [2 << 30, 7 * 192])
def test_many_threads_at_once(put, monkeypatch, limit):
    monkeypatch.setattr(module, "MEMORY_BYTES", limit)
    monkeypatch.setattr(module, "_AHEAD_BYTES", 9 * 192)
    folder = numbered(put, 24)
    put.write("010.png", broken_png())
    data = ImageFolder(folder, size=8, workers=3)
    values = np.array([11 if i == 10 else i for i in range(24)])
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        try:
            for _ in range(25):
                data.prefetch(rng.integers(0, 24, 9))
                indices = rng.integers(0, 24, 7)
                if (data[indices][:, 0, 0, 0] != values[indices]).any():
                    wrong.append(indices)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not wrong
    assert len(data._kept) <= limit // 192
    assert len(data._broken) == 1


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_the_threads_end_with_the_folder(put, busy):
    def ours():
        return {t for t in threading.enumerate() if t.name == "ImageFolder"}

    gc.collect()
    before = ours()
    data = ImageFolder(numbered(put, 30), size=8, workers=3)
    mine = ours() - before
    assert len(mine) == 3
    assert all(thread.daemon for thread in mine)
    data[:3]
    if busy:
        data.prefetch(slice(None))
    else:
        data[:]
    gone = weakref.ref(data)
    del data
    for thread in mine:
        thread.join(5)
        assert not thread.is_alive()
    assert gone() is None


def test_what_is_being_decoded_does_not_hold_up_the_exit(put):
    code = """
import sys, threading, time
from scratchgan.data import folder

begun = threading.Event()
folder.decode = lambda *_: (begun.set(), time.sleep(60))
data = folder.ImageFolder(sys.argv[1])
data.prefetch(slice(None))
begun.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, numbered(put, 9)], capture_output=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")


# Which data it is


def test_the_fingerprint_tells_the_data(put):
    folder = numbered(put, 3)
    first = ImageFolder(folder, size=8).fingerprint()
    assert first == ImageFolder(folder, size=8, workers=1).fingerprint()
    int(first, 16)
    assert len(first) == 16
    others = [
        ImageFolder(folder, size=9).fingerprint(),
        ImageFolder(folder, size=8, channels=1).fingerprint(),
    ]
    put(bad_png=b"", notes_txt=b"left out")
    assert ImageFolder(folder, size=8).fingerprint() == first
    put.write("more.png", plain(RED))
    others.append(ImageFolder(folder, size=8).fingerprint())
    (folder / "more.png").rename(folder / "most.png")
    others.append(ImageFolder(folder, size=8).fingerprint())
    put.write("most.png", plain(RED, (300, 200)))
    others.append(ImageFolder(folder, size=8).fingerprint())
    (folder / "most.png").unlink()
    assert ImageFolder(folder, size=8).fingerprint() == first
    (folder / "000.png").unlink()
    others.append(ImageFolder(folder, size=8).fingerprint())
    assert len({first, *others}) == 7


def test_the_fingerprint_does_not_depend_on_where_the_folder_is(put, tmp_path):
    names = ("one", "two")
    for name in names:
        put.write(f"{name}/a/b.png", plain(RED))
    one, two = (ImageFolder(tmp_path / name).fingerprint() for name in names)
    assert one == two


def test_a_relative_path_survives_a_change_of_folder(put, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(put(sub__a_png=plain(RED)))
    data = ImageFolder("sub", size=8)
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    assert (data[0] == RED).all()
