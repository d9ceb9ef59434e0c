"""Pictures of any kind become one array, which is decoded once and kept in a cache."""

import errno
import io
import os
import shutil
import struct
import threading
import tracemalloc
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from scratchgan.data import Batches, DataError, cache_dir, load_folder, pictures, to_unit
from scratchgan.data import folder as module

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


def gif_header(screen, frame, disposal=0):
    """A GIF file that claims sizes of its screen and of its first frame."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0)
    head += b"!\xf9\x04" + bytes([disposal << 2, 0, 0, 0, 0])
    return head + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\0;"


def tiff(size, data=b"", compression=1, tile=None, bits=8, kind=1, zero=1):
    """A TIFF file of one grey strip or tile, written by hand."""
    tags = {256: size[0], 257: size[1], 258: bits, 259: compression, 262: zero, 277: 1, 339: kind}
    data = zlib.compress(data or bytes(1000)) if compression == 8 else data
    places = (324, 325) if tile else (273, 279)
    tags |= {322: tile[0], 323: tile[1]} if tile else {278: size[1]}
    tags |= {places[0]: 8 + 2 + 12 * (len(tags) + 2) + 4, places[1]: len(data)}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + b"".join(entries) + bytes(4) + data


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


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch):
    """The folder of the cached arrays; no test sees the user's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return cache_dir() / "folders"


@pytest.fixture
def decodes(monkeypatch):
    """The names of the files whose pixels were decoded, as it happens."""
    names, decode = [], module.decode

    def counting(path, *args):
        names.append(path.name)
        return decode(path, *args)

    monkeypatch.setattr(module, "decode", counting)
    return names


def load(*args, **options):
    return load_folder(*args, **options).images


def numbered(put, count, size=(8, 8)):
    """Images whose red is their number."""
    for i in range(count):
        put.write(f"{i:03}.png", plain((i, 0, 0), size))
    return put()


def numbers(folder, **options):
    return load(folder, size=8, **options)[:, 0, 0, 0].tolist()


def mean(image):
    return np.rint(image.mean((0, 1))).tolist()


def test_it_is_an_array_that_cannot_be_changed(put):
    folder = numbered(put, 7)
    data = load_folder(folder, size=8)
    images, labels, name = data
    assert isinstance(images, np.memmap)
    assert (images.dtype, images.shape) == (np.uint8, (7, 8, 8, 3))
    assert images[:, 0, 0, 0].tolist() == list(range(7))
    assert (labels, name, len(data.digest)) == (None, folder.name, 16)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 77
    taken = images[[3, 1, 3]]
    taken[:] = 77
    assert images.max() == 6


def test_the_trainer_can_index_it(put):
    data = load(numbered(put, 7), size=8)
    batches = Batches(data, 3, np.random.default_rng(0))
    x = to_unit(data[batches.next()])
    assert x.shape == (3, 8, 8, 3)
    assert data[:1000].shape == data.shape


@pytest.mark.parametrize("wrong", [{"size": 0}, {"channels": 2}, {"channels": 4}, {"workers": 0}])
def test_parameters_out_of_range(put, wrong):
    with pytest.raises(ValueError, match=r"expected size and workers >= 1, channels 1 or 3"):
        load_folder(numbered(put, 1), **wrong)


# Which files


def test_order_is_that_of_relative_paths(put):
    names = [
        "b.png", "a/z.JPG", "a/b/c.WebP", "a.png", "Z.bmp", "a-b/x.jpeg", "é.png", "10.png",
        "9.png",
    ]  # fmt: skip
    others = ["a/x.heic", "notes.txt", "png"]
    for name in names:
        put.write(name, plain((20 * sorted(names).index(name), 0, 0)))
    for name in (".hidden.png", ".cache/x.png", "a/.b/x.png", *others):
        (put() / name).parent.mkdir(parents=True, exist_ok=True)
        (put() / name).write_bytes(encoded(plain(GREEN)))
    reds = load(put(), size=8)[:, 0, 0, 0].astype(int)
    assert abs(reds - 20 * np.arange(9)).max() <= 3  # JPEG's colours are not exact
    found = pictures.find_pictures(put())
    assert found[1] == others
    assert found[0] == sorted(names) == [
        "10.png", "9.png", "Z.bmp", "a-b/x.jpeg", "a.png", "a/b/c.WebP", "a/z.JPG", "b.png",
        "é.png",
    ]  # fmt: skip


def test_order_does_not_depend_on_the_file_system(put, monkeypatch, decodes):
    folder = numbered(put, 9)
    put(sub__a_png=plain(RED), sab__a_png=plain(RED))
    before = load_folder(folder, size=8)
    scandir = os.scandir

    class Backwards(list):
        def __init__(self, path):
            with scandir(path) as entries:
                super().__init__(entries)

        def __next__(self):
            if not self:
                raise StopIteration
            return self.pop()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Backwards)
    after = load_folder(folder, size=8, cache=folder / "other")
    assert len(decodes) == 22
    assert after.digest == before.digest
    np.testing.assert_array_equal(after.images, before.images)


def test_links(put, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    plain(BLUE).save(elsewhere / "far.png")
    folder = put(a_png=plain(RED), sub__b_png=plain(GREEN))
    (folder / "linked").symlink_to(elsewhere)
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "self").symlink_to(folder / "sub" / "self")
    (folder / "twice").symlink_to(folder / "sub")
    (folder / "one.png").symlink_to(elsewhere / "far.png")
    # a.png, linked/far.png, one.png, sub/b.png
    assert load(folder, size=1).reshape(-1, 3).tolist() == [[*RED], [*BLUE], [*BLUE], [*GREEN]]


def test_no_folder_and_no_images(put, tmp_path, capsys, caches):
    with pytest.raises(DataError, match=r"missing: no such folder; expected a folder of images"):
        load_folder(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: expected at least one image \(.*\.webp .* none"):
        load_folder(tmp_path / "empty")
    put.write("empty/.hidden", b"")
    with pytest.raises(DataError, match=r"got none$"):
        load_folder(tmp_path / "empty")
    for name in ("a.HEIC", "b.heic", "sub/c.heic", "notes.txt", "Makefile"):
        put.write(f"empty/{name}", b"")
    wanted = r"got none; other files: \.heic \(3\), no suffix \(1\), \.txt \(1\)$"
    with pytest.raises(DataError, match=wanted):
        load_folder(tmp_path / "empty")
    assert not any(capsys.readouterr())
    assert not list(caches.glob("*"))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "picture"), ("a.HEIC", "picture"), ("a.npy", "file")]
)
def test_a_file_in_place_of_a_folder(put, tmp_path, name, kind):
    put.write(name, encoded(plain(RED)))
    cure = "put pictures into a folder, and name that"
    wanted = rf"{name}: expected a folder of pictures, got a {kind}; {cure}$"
    with pytest.raises(DataError, match=wanted):
        load_folder(tmp_path / name)


def test_the_home_folder_may_be_a_tilde(put, tmp_path, monkeypatch):
    put.write("mine/a.png", encoded(plain(RED)))
    monkeypatch.setenv("HOME", str(tmp_path))
    data = load_folder("~/mine", size=8, cache="~/caches")
    assert data.images.shape == (1, 8, 8, 3) and data.name == "mine"
    assert list((tmp_path / "caches").glob("*.u8"))
    monkeypatch.setenv("XDG_CACHE_HOME", "~/other")
    load_folder("~/mine", size=8)
    assert list((tmp_path / "other/scratchgan/folders").glob("*.u8"))
    with pytest.raises(DataError, match=r"^~nobody-of-this-name/x: no such folder"):
        load_folder("~nobody-of-this-name/x")


def test_pictures_of_other_kinds_are_named_and_counted(put, capsys):
    folder = put(a_png=plain(RED), b_txt=b"", c_HEIC=b"", d_avif=b"", sub__e_ppm=b"", _f_heic=b"")
    for decoding in (1, 0):
        data = load_folder(folder, size=8)
        assert len(data.images) == 1 and data.labels is None
        err = capsys.readouterr().err
        assert err.count("\n") == 1 + decoding
        assert "skipped 3 pictures of other kinds than .bmp, .gif, " in err
        assert err.endswith(": 'c.HEIC', 'd.avif', 'sub/e.ppm'\n")
    digest = data.digest
    (folder / "c.HEIC").unlink()
    assert load_folder(folder, size=8).digest == digest


# Classes


def test_subfolders_are_classes(put, capsys):
    names = [
        "dog/1.png",
        "cat/2.png",
        "cat/sub/3.png",
        "dog/0.png",
        "ant-eater/9.png",
        "Zebra/1.png",
    ]
    for i, name in enumerate(names):
        put.write(name, plain((i, 0, 0)))
    put.write("empty/notes.txt", b"")
    put.write(".hidden/1.png", plain(RED))
    data = load_folder(put(), size=8)
    assert data.classes == ["Zebra", "ant-eater", "cat", "dog"]
    assert data.images[:, 0, 0, 0].tolist() == [5, 4, 1, 2, 3, 0]
    assert data.labels.tolist() == [0, 1, 2, 2, 3, 3]
    assert data.labels.dtype == np.uint8
    assert len(data) == 3 and data[1] is data.labels
    assert capsys.readouterr().err.count("\n") == 1
    again = load_folder(put(), size=8)
    assert again.labels.tolist() == data.labels.tolist() and again.classes == data.classes


def test_classes_are_sorted_by_their_own_names(put):
    """The paths sort otherwise: "a-b/1.png" comes before "a/1.png"."""
    data = load_folder(put(a__1_png=plain(RED)), size=8)
    assert data.labels is None
    put.write("a-b/1.png", plain(BLUE))
    data = load_folder(put(), size=8)
    assert data.classes == ["a", "a-b"]
    assert (data.images[0, 0, 0] == BLUE).all() and data.labels.tolist() == [1, 0]


def test_one_subfolder_is_no_label(put, capsys):
    for _ in range(2):
        data = load_folder(put(cat__1_png=plain(RED), cat__sub__2_png=plain(BLUE)), size=8)
        assert (data.labels, data.classes) == (None, None)
        put(a_png=plain(RED))
    assert "labels" not in capsys.readouterr().err


def test_pictures_outside_of_the_classes_mean_no_labels(put, capsys):
    folder = put(cat__1_png=plain(RED), dog__1_png=plain(BLUE), b_png=plain(RED), a_png=plain(RED))
    for decoding in (1, 0):
        data = load_folder(folder, size=8)
        assert (data.labels, data.classes) == (None, None)
        err = capsys.readouterr().err
        assert err.count("\n") == 1 + decoding
        said = "no labels, for 2 pictures lie outside of the 2 subfolders: 'a.png', 'b.png'"
        assert err.endswith(f"{said}\n")


def test_files_that_are_left_out_have_no_label(put, capsys):
    folder = put(ant__1_png=b"", cat__1_png=plain(RED), cat__2_png=b"", dog__1_png=plain(BLUE))
    put(z_png=b"")  # unreadable, hence not outside of the classes
    data = load_folder(folder, size=8)
    assert data.classes == ["cat", "dog"] and data.labels.tolist() == [0, 1]
    assert "no labels" not in capsys.readouterr().err


def test_more_than_256_classes(put):
    for i in range(300):
        put.write(f"{i:03}/a.png", plain(RED, (1, 1)))
    data = load_folder(put(), size=1)
    assert data.labels.dtype == np.uint16 and data.labels.tolist() == list(range(300))


def test_classes_whose_names_are_no_unicode(put):
    try:
        for name in (b"b\xff", b"a\xff"):
            place = os.path.join(os.fsencode(put()), name)
            os.mkdir(place)
            with open(os.path.join(place, b"1.png"), "wb") as file:
                file.write(encoded(plain(RED)))
    except OSError:
        pytest.skip("the file system refuses them")
    data = load_folder(put(), size=8)
    assert data.labels.tolist() == [0, 1] and data.classes == ["a\udcff", "b\udcff"]


def test_a_folder_that_cannot_be_listed_is_named(put, monkeypatch, capsys):
    folder = put(a_png=plain(RED), sub__b_png=plain(RED))
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        assert len(load(folder)) == 1
    assert "left out 1 of 2 files" in (err := capsys.readouterr().err) and "'sub'" in err
    assert len(load(folder)) == 2


# What becomes of a picture


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "gif", "tif", "TIFF", "jfif"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (301, 2), (37, 53), (640, 333), (64, 64)])
def test_any_size_becomes_the_square(put, suffix, size):
    data = load(put.write(f"a.{suffix}", plain((200, 100, 50), size)), size=16)
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
    image = load(folder, size=8)[0]
    np.testing.assert_array_equal(image, np.broadcast_to(np.uint8(rgb), (8, 8, 3)))
    image = load(folder, size=8, channels=1)[0]
    np.testing.assert_array_equal(image, np.full((8, 8, 1), grey))


def test_palettes_and_their_transparency(put):
    # As grey the palette's own numbers, 0 and 1, would be black.
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (4, 0, 8, 8))
    put.write("a.png", picture)
    put.write("b.png", picture, transparency=1)
    put.write("c.png", picture, transparency=bytes([0, 255]))
    solid, blue_is_clear, red_is_clear = load(put(), size=8)
    left, right = (slice(None), 0), (slice(None), 7)
    assert (solid[left] == RED).all() and (solid[right] == BLUE).all()
    assert (blue_is_clear[left] == RED).all() and (blue_is_clear[right] == 255).all()
    assert (red_is_clear[left] == 255).all() and (red_is_clear[right] == BLUE).all()
    grey = load(put(), size=8, channels=1)[0]
    assert (grey[left] == 76).all() and (grey[right] == 29).all()


def test_a_colour_that_is_declared_transparent(put):
    picture = plain(RED)
    picture.paste(BLUE, (4, 0, 8, 8))
    image = load(put.write("a.png", picture, transparency=BLUE), size=8)[0]
    assert (image[:, :4] == RED).all() and (image[:, 4:] == 255).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("depth", "colour", "shown", "clear"),
    [
        (1, [], 1, 0), (1, [], 0, 1), (2, [], 2, 1), (4, [], 10, 5), (8, [], 170, 85),
        (16, [], 0xAAAA, 0x2034), (16, [], 0x2035, 0x2034), (8, [7, 9], 170, 85),
        (16, [0x708, 0x90A], 0xAAAA, 0x2034),
    ],
)  # fmt: skip
def test_a_png_names_its_transparent_colour_at_any_depth(
    put, depth, colour, shown, clear, channels
):
    """Left half: a colour; right half: the one that tRNS declares transparent."""
    pixels = [[value, *colour] for value in 16 * [shown] + 16 * [clear]]
    bits = "".join(f"{value:0{depth}b}" for pixel in pixels for value in pixel)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", 32, 32, depth, 2 if colour else 0, 0, 0, 0)
    tail = chunk(b"IDAT", zlib.compress(32 * row)) + chunk(b"IEND", b"")
    trns = chunk(b"tRNS", b"".join(value.to_bytes(2, "big") for value in (clear, *colour)))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    opaque, image = load(put(a_png=png + tail, b_png=png + trns + tail), 32, channels)
    np.testing.assert_array_equal(image[:, :14], opaque[:, :14])
    assert (opaque[:, 18:] < 255).any() or (depth, clear) == (1, 1)
    assert (image[:, 18:] == 255).all()


def png_pixels(colour_type, depth, left, right, palette=b"", trns=b""):
    """A PNG file whose left half is one pixel value, and its right half another."""
    bits = "".join(f"{value:0{depth}b}" for pixel in 16 * [left] + 16 * [right] for value in pixel)
    row = b"\0" + int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, depth, colour_type, 0, 0, 0))
    parts = chunk(b"PLTE", palette) if palette else b""
    parts += chunk(b"tRNS", trns) if trns else b""
    parts += chunk(b"IDAT", zlib.compress(32 * row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + parts


CLEAR_PALETTE = {"palette": bytes([1, 2, 3, 40, 50, 60]), "trns": b"\0"}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("colour_type", "depth", "clear", "opaque", "rgb", "more"),
    [
        *((3, depth, [0], [1], (40, 50, 60), CLEAR_PALETTE) for depth in (1, 2, 4, 8)),
        (4, 8, [7, 0], [50, 255], (50, 50, 50), {}),
        (4, 16, [7 * 257, 0], [50 * 257, 65535], (50, 50, 50), {}),
        (6, 8, [7, 8, 9, 0], [40, 50, 60, 255], (40, 50, 60), {}),
        (6, 16, [7, 8, 9, 0], [40 * 257, 50 * 257, 60 * 257, 65535], (40, 50, 60), {}),
        (2, 8, [7, 8, 9], [40, 50, 60], (40, 50, 60), {"trns": b"\0\7\0\x08\0\x09"}),
        (2, 16, [1799] * 3, [40 * 257, 50 * 257, 60 * 257], (40, 50, 60), {"trns": b"\7" * 6}),
        (0, 1, [1], [0], (0, 0, 0), {"trns": b"\0\1"}),
        (0, 2, [0], [1], (85, 85, 85), {"trns": b"\0\0"}),
        (0, 4, [0], [3], (51, 51, 51), {"trns": b"\0\0"}),
        (0, 8, [0], [50], (50, 50, 50), {"trns": b"\0\0"}),
        (0, 16, [0x2000], [0x8000], (128, 128, 128), {"trns": b"\x20\0"}),
    ],
)
def test_every_way_to_say_transparent(put, colour_type, depth, clear, opaque, rgb, more, channels):
    image = load(put(a_png=png_pixels(colour_type, depth, opaque, clear, **more)), 32, channels)[0]
    grey = np.asarray(Image.new("RGB", (1, 1), rgb).convert("L"))[0, 0]
    assert (image[:, :13] == (rgb if channels == 3 else grey)).all()
    assert (image[:, 19:] == 255).all()


def test_a_gif_is_transparent_where_it_says_so(put):
    for i, mode in enumerate("PL"):  # colours; and a palette of all greys, which Pillow reads as L
        picture = Image.new(mode, (32, 32), 0)
        if mode == "P":
            picture.putpalette([*RED, *BLUE])
        picture.paste(1, (16, 0, 32, 32))
        put.write(f"{i}.gif", picture, transparency=1, optimize=False)
        put.write(f"{i + 2}.gif", picture, optimize=False)
    first, second, third, fourth = load(put(), size=32)
    assert (first[:, :14] == RED).all() and (first[:, 18:] == 255).all()
    assert (second[:, :14] == 0).all() and (second[:, 18:] == 255).all()
    assert (third[:, :14] == RED).all() and (third[:, 18:] == BLUE).all()
    assert (fourth[:, :14] == 0).all() and (fourth[:, 18:] == 1).all()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize(
    ("mode", "colour", "rgb"),
    [
        ("1", 1, [255, 255, 255]),
        ("L", 99, [99, 99, 99]),
        ("RGB", (200, 100, 50), [200, 100, 50]),
        ("RGBA", (200, 100, 50, 0), [255, 255, 255]),
        ("RGBA", (0, 0, 0, 51), [204, 204, 204]),
        ("LA", (0, 0), [255, 255, 255]),
        ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
        ("I;16", 100 * 257, [100, 100, 100]),
    ],
)
def test_every_mode_of_tiff(put, mode, colour, rgb, compression):
    put.write("a.tif", Image.new(mode, (20, 12), colour), compression=compression)
    np.testing.assert_array_equal(load(put(), size=8)[0], np.broadcast_to(rgb, (8, 8, 3)))


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("zero", [0, 1], ids=["white is zero", "black is zero"])
@pytest.mark.parametrize("bits", [8, 16])
def test_both_zeros_of_tiff(put, bits, zero, compression):
    value = (50 if zero else 205) * (257 if bits == 16 else 1)
    data = value.to_bytes(bits // 8, "little") * 64
    put(a_tif=tiff([8, 8], data, compression, bits=bits, zero=zero))
    assert (load(put(), size=8) == 50).all()


@pytest.mark.parametrize("tile", [None, [16, 16]])
def test_numbers_without_a_fixed_range_are_left_out(put, capsys, tile):
    floats = struct.pack("<f", 0.5) * 256
    for name, kind, data in (
        ("b.tif", 3, floats),
        ("c.tif", 1, struct.pack("<I", 1 << 20) * 256),
        ("d.tif", 2, struct.pack("<i", -5) * 256),
    ):
        put.write(name, tiff([16, 16], data, tile=tile, bits=32, kind=kind))
    put(a_png=plain(RED))
    assert (load(put(), size=8) == RED).all()
    assert "left out 3 of 4 files, unreadable, or of more than" in capsys.readouterr().err


def test_what_is_transparent_does_not_bleed(put):
    picture = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    picture.paste((*RED, 255), (0, 0, 32, 64))
    image = load(put(a_png=picture), size=9)[0].astype(int)
    # Red to white: green never passes blue.
    assert np.abs(image[..., 1] - image[..., 2]).max() <= 1
    assert image[..., 0].min() >= 254


def test_cmyk(put):
    put.write("a.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0)), quality=100)
    image = load(put(), size=8)[0]
    assert np.abs(image.astype(int) - RED).max() <= 3
    assert abs(int(load(put(), size=8, channels=1)[0].mean()) - 76) <= 3


def test_16_bit_grey_keeps_its_shades(put):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    put(a_png=Image.fromarray(np.tile(ramp, (64, 1))))
    image = load(put(), size=64, channels=1)[0]
    np.testing.assert_array_equal(image[5, :, 0], np.rint(ramp / 257))


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (91, 30), (30, 95), (30, 30)])
def test_the_crop_is_the_middle_exactly(put, size):
    side, left, top = 30, (size[0] - 30) // 2, (size[1] - 30) // 2
    picture = plain(RED, size)
    centre = RNG.integers(0, 255, (side, side, 3), np.uint8)
    picture.paste(Image.fromarray(centre), (left, top))
    folder = put(a_png=picture)
    np.testing.assert_array_equal(load(folder, size=side)[0], centre)
    # Nor does anything of the outside enter when it is made smaller.
    picture.paste(BLUE, (left, top, left + side, top + side))
    picture.save(folder / "a.png")
    for other in (7, 10, 41):
        np.testing.assert_array_equal(mean(load(folder, size=other)[0]), BLUE)
        assert (load(folder, size=other)[0] == BLUE).all()


def test_resizing_is_pillows_lanczos(put):
    noise = Image.fromarray(RNG.integers(0, 255, (50, 50, 3), np.uint8))
    image = load(put(a_png=noise), size=16)[0]
    wanted = noise.resize((16, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(image, np.asarray(wanted))


def test_a_big_jpeg_is_drafted(put, monkeypatch):
    x = np.linspace(0, 255, 1000)
    smooth = np.stack(np.broadcast_arrays(x, x[:800, None], 90), 2).astype(np.uint8)
    put.write("a.jpg", Image.fromarray(smooth), quality=95)
    sizes, crop = [], Image.Image.crop
    monkeypatch.setattr(
        Image.Image, "crop", lambda picture, box: sizes.append(picture.size) or crop(picture, box)
    )
    image = load(put(), size=32)[0].astype(int)
    assert sizes == [(125, 100)]
    cut = Image.fromarray(smooth[:, 100:900]).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.abs(image - np.asarray(cut)).max() <= 5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_exif_orientation(put, orientation, suffix):
    upright = Image.fromarray(RNG.integers(0, 255, (30, 47, 3), np.uint8))
    turns = Image.Transpose
    methods = [  # how an upright picture is stored, from orientation 2 on
        turns.FLIP_LEFT_RIGHT, turns.ROTATE_180, turns.FLIP_TOP_BOTTOM, turns.TRANSPOSE,
        turns.ROTATE_90, turns.TRANSVERSE, turns.ROTATE_270,
    ]  # fmt: skip
    stored = upright if orientation == 1 else upright.transpose(methods[orientation - 2])
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(z_png=upright)
    options = {"tiffinfo": {0x0112: orientation}} if suffix == "tif" else {"exif": exif}
    put.write(f"a.{suffix}", stored, lossless=True, **options)
    turned, wanted = load(put(), size=16)
    np.testing.assert_array_equal(turned, wanted)


def test_exif_of_a_big_jpeg(put):
    stored = plain(RED, (400, 300))
    stored.paste(BLUE, (0, 0, 200, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: the left becomes the top
    image = load(put.write("a.jpg", stored, exif=exif, quality=95), size=16)[0]
    assert np.abs(image[:7].astype(int) - BLUE).max() <= 40
    assert np.abs(image[9:].astype(int) - RED).max() <= 40


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_data_leave_the_pixels(put):
    exif = b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense"
    put.write("a.jpg", plain(RED), exif=exif, quality=95)
    put.write("b.png", plain(RED), exif=exif)
    assert (load(put(), size=8).astype(int) - RED).max() <= 4


def test_the_content_and_not_the_suffix_says_what_it_is(put):
    put(a_jpg=encoded(plain(RED)), b_png=encoded(plain(RED), "WEBP", lossless=True))
    assert (load(put(), size=8) == RED).all()


def test_an_animation_gives_its_first_frame(put):
    frames = [plain(RED), plain(BLUE)]
    for name in ("a.webp", "b.png", "c.gif", "d.tif"):
        put.write(name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    assert (load(put(), size=8) == RED).all()


# Bad files


def test_unreadable_files_are_left_out_and_named_once(put, capsys):
    good = put(m_png=plain(RED), n_jpg=plain(RED))
    put(a_png=b"", b_jpg=b"hello, world", c_png=encoded(plain(RED))[:20])
    put(d_jpg=encoded(plain(RED), "JPEG")[:30], e_png=png_header(50_000, 50_000))
    put(f_webp=b"RIFF....WEBPVP8 ", g_bmp=b"BM", h_png=png_header(8001, 8000))
    put(i_png=png_header(0, 5), j_png=encoded(plain(RED), "TGA"))
    put(ka_png=png_header(9500, 9500))  # Pillow would warn of it only
    (good / "k.png").symlink_to(good / "nothing")
    os.mkfifo(good / "l.png")
    (good / "folder.png").mkdir()
    for decoding in (1, 0):  # the cache knows them, too
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert load(good, size=8).shape == (2, 8, 8, 3)
        assert not warned
        err = capsys.readouterr().err
        assert err.count("\n") == 1 + decoding
        assert "left out 13 of 15 files" in err
        assert err.endswith("'a.png', 'b.jpg', 'c.png', 'd.jpg', 'e.png' and 8 more\n")


def test_odd_names_stay_in_one_line(put, capsys):
    folder = put(a_png=plain(RED))
    (folder / "x\n\x1b[2J.png").write_bytes(b"")
    assert len(load(folder)) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 2  # with the one about the decoding
    assert "\x1b" not in err


@pytest.mark.skipif(os.name != "posix", reason="names that are no Unicode")
def test_names_that_are_no_unicode(put, capfd):
    folder = put(a_png=plain(RED))
    try:
        (folder / "b\udcff.png").write_bytes(encoded(plain(RED)))
        (folder / "c\udcff.png").write_bytes(b"")
    except OSError:
        pytest.skip("the file system refuses them")
    for _ in range(2):
        data = load_folder(folder)
        assert len(data.images) == 2
        assert len(data.digest) == 16
        assert "udcff" in capfd.readouterr().err


def test_no_readable_image(put, caches):
    put(a_png=b"", b_png=broken_png())
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"expected at least one image .*unreadable files: 'a\.png', 'b\.png'$"
        ):
            load_folder(put())
    assert not list(caches.iterdir())


@pytest.mark.parametrize("limit", [0, None], ids=["Pillow's limit", "no limit of Pillow's"])
@pytest.mark.parametrize(
    "bomb",
    [
        png_header(50_000, 50_000),
        png_header(64_000_001, 1),
        encoded(plain(RED), "BMP")[:18]
        + struct.pack("<ii", 30_000, 30_000)
        + encoded(plain(RED), "BMP")[26:],
        webp_header(16_383, 16_383),
        webp_header(16_383, 16_383, b"VP8L"),
        webp_header(16_383, 16_383, b"VP8 "),
        # Below the size at which Pillow refuses by itself.
        png_header(9000, 9000),
        webp_header(9000, 9000),
        gif_header((65_535, 65_535), (1, 1)),
        gif_header((1, 1), (65_535, 65_535)),
        gif_header((9000, 1), (1, 9000), disposal=2),
        tiff([50_000, 50_000]),
        tiff([9000, 9000]),
        tiff([9000, 9000], compression=8),
        tiff([8, 8], compression=8, tile=[40_000, 40_000]),
        tiff([8, 8], compression=8, tile=[8, 8_000_001]),
    ],
    ids=[
        *("png", "long", "bmp", "vp8x", "vp8l", "vp8", "png below", "webp below", "gif screen"),
        *("gif frame", "gif corner", "tiff", "tiff below", "tiff deflated", "tile", "long tile"),
    ],
)
def test_bombs_are_refused_by_their_header(put, monkeypatch, capsys, bomb, limit):
    put(a_png=bomb, b_png=plain(RED, (9, 7)))
    if limit is None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    loaded, real = [], Image.Image.load
    monkeypatch.setattr(
        Image.Image, "load", lambda picture: loaded.append(picture.size) or real(picture)
    )
    tracemalloc.start()
    try:
        images = load(put(), size=8)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (images == RED).all() and len(images) == 1
    assert "'a.png'" in capsys.readouterr().err
    assert max(max(size) for size in loaded) <= 9
    assert peak < 4 << 20
    with pytest.raises(DataError, match=r"the header says \(" if limit is None else "a.png"):
        pictures.decode(put() / "a.png", 8, 3)


def test_webp_bombs_never_reach_the_decoder(put, monkeypatch):
    plugin = pytest.importorskip("PIL.WebPImagePlugin")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(plugin, "_webp", None)
    for i, kind in enumerate((b"VP8X", b"VP8L", b"VP8 ")):
        path = put.write(f"{i}.webp", webp_header(16_000, 16_000, kind)) / f"{i}.webp"
        with pytest.raises(DataError, match=r"says \(16000, 16000\)"):
            pictures.decode(path, 8, 3)


def test_the_webp_sizes_are_those_of_real_files(put):
    for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}):
        picture = plain(RED, (123, 45))
        assert pictures._webp_size(encoded(picture, "WEBP", **options)[:30]) == (123, 45)


def test_the_limit_itself_is_allowed(put, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 12)
    put(a_png=plain(RED, (4, 3)), b_png=plain(GREEN, (13, 1)))
    put(c_png=plain(BLUE, (6, 2)), d_png=plain(GREEN, (5, 3)))
    assert load(put(), size=1).reshape(-1, 3).tolist() == [[*RED], [*BLUE]]


def test_broken_pixels_are_left_out_and_named(put, capsys):
    folder = numbered(put, 6)
    for i in (1, 2, 5):
        put.write(f"{i:03}.png", broken_png())
    assert numbers(folder, workers=3) == [0, 3, 4]
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert "left out 3 of 6 files" in err
    assert err.endswith("'001.png', '002.png', '005.png'\n")


@pytest.mark.parametrize("cut", [0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"])
def test_truncated_pixels_of_every_kind(put, capsys, kind, cut):
    noise = encoded(Image.fromarray(RNG.integers(0, 255, (64, 64, 3), np.uint8)), kind)
    put(a_png=noise[: int(len(noise) * cut)], b_png=plain(BLUE))
    images = load(put(), size=8)
    assert len(images) == 1 and (images == BLUE).all()
    assert "'a.png'" in capsys.readouterr().err


def test_a_file_that_vanishes_is_left_out(put, monkeypatch, capsys):
    folder, find = numbered(put, 3), module.find_pictures

    def vanishing(place):
        names = find(place)
        (folder / "000.png").unlink()
        return names

    monkeypatch.setattr(module, "find_pictures", vanishing)
    assert numbers(folder) == [1, 2]
    assert "'000.png'" in capsys.readouterr().err


# The cache


def test_each_image_is_decoded_once(put, caches, decodes, monkeypatch, capsys):
    folder = numbered(put, 20)
    first = load_folder(folder, size=8)
    said = capsys.readouterr().err
    assert sorted(decodes) == [f"{i:03}.png" for i in range(20)]
    (file,) = caches.glob("*.u8")
    assert str(file) in said and f"{20 * 8 * 8 * 3:,} bytes" in said
    np.testing.assert_array_equal(np.fromfile(file, np.uint8), first.images.ravel())
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened again"))
    for path in (folder, os.path.relpath(folder)):
        again = load_folder(path, size=8, workers=1)
        np.testing.assert_array_equal(again.images, first.images)
        assert again.digest == first.digest
    assert len(decodes) == 20
    assert not any(capsys.readouterr())


def test_the_size_is_said_before(put, monkeypatch, capsys):
    said = []

    def decode(path, size, channels):
        said.append(capsys.readouterr().err)
        return np.zeros((size, size, channels), np.uint8)

    monkeypatch.setattr(module, "decode", decode)
    load_folder(numbered(put, 3), size=100, workers=1)
    assert "90,000 bytes" in said[0]


def test_the_cache_can_be_named(put, caches, tmp_path_factory, decodes):
    folder = numbered(put, 3)
    place = tmp_path_factory.mktemp("run") / "deep" / "images"
    for _ in range(2):
        assert numbers(folder, cache=str(place)) == [0, 1, 2]
    assert len(decodes) == 3
    assert len(list(place.glob("*.u8"))) == 1
    assert not caches.exists()


def test_a_change_is_noticed(put, decodes):
    folder = numbered(put, 3)
    digest = load_folder(folder, size=8).digest

    def decoded(**options):
        decodes.clear()
        data = load_folder(folder, **{"size": 8, **options})
        return len(decodes), data.images[:, 0, 0, 0].tolist(), data.digest == digest

    assert decoded(size=9) == (3, [0, 1, 2], False)
    assert decoded(channels=1)[0::2] == (3, False)
    put.write("003.png", plain((9, 0, 0)))
    assert decoded() == (4, [0, 1, 2, 9], False)
    (folder / "003.png").unlink()
    assert decoded() == (3, [0, 1, 2], True)
    assert decoded() == (0, [0, 1, 2], True)
    # A file of the same length: the digest is that of before, the pixels are not.
    path = folder / "001.png"
    length, time = path.stat().st_size, path.stat().st_mtime_ns
    put.write("001.png", plain((77, 0, 0)))
    os.utime(path, ns=(time + 1, time + 1))
    assert path.stat().st_size == length
    assert decoded() == (3, [0, 77, 2], True)
    put.write("001.png", png_header(9000, 7200))  # it becomes a bomb
    assert decoded()[:2] == (3, [0, 2])


def test_the_array_of_a_changed_folder_is_replaced(put, caches):
    folder = numbered(put, 3)
    for k in range(3):
        os.utime(folder / "001.png", (k, k))
        assert numbers(folder) == [0, 1, 2]
    assert len(list(caches.glob("*.u8"))) == len(list(caches.glob("*.json"))) == 1


def test_old_leftovers_of_a_killed_process_are_deleted(put, caches):
    caches.mkdir(parents=True)
    old, new = caches / ".a.u8.0123abcd.tmp", caches / ".b.u8.0123abcd.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    load_folder(numbered(put, 1), size=8)
    assert new.exists() and not old.exists()


def test_an_error_that_may_pass_is_not_kept(put, caches, monkeypatch):
    folder = numbered(put, 3)
    decode = module.decode

    def failing(path, *args):
        if path.name == "001.png":
            raise DataError(f"{path}: Input/output error") from OSError(errno.EIO, "I/O")
        return decode(path, *args)

    with monkeypatch.context() as patch, pytest.raises(DataError, match=r"001\.png: Input/output"):
        patch.setattr(module, "decode", failing)
        load_folder(folder, size=8)
    assert numbers(folder) == [0, 1, 2]
    assert len(list(caches.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(b"nonsense"),
        lambda file: file.with_suffix(".json").unlink(),
        lambda file: file.with_suffix(".json").write_bytes(b"[\xff"),
        *(
            lambda file, text=text: file.with_suffix(".json").write_text(text)
            for text in ("null", "[]", '{"a": 1}', '{"key": "", "bad": []}', '{"bad": 1}')
        ),
        lambda file: file.write_bytes(file.read_bytes() + b"0"),
    ],
)
def test_a_damaged_cache_is_made_anew(put, caches, decodes, damage):
    folder = numbered(put, 3)
    assert numbers(folder) == [0, 1, 2]
    (file,) = caches.glob("*.u8")
    damage(file)
    assert numbers(folder) == [0, 1, 2]
    assert len(decodes) == 6
    assert sorted(caches.iterdir()) == [file.with_suffix(".json"), file]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_nothing_half_written_stays(put, monkeypatch, caches, error):
    """Ctrl-C; and want of memory, which is not the file's fault."""
    folder, decode = numbered(put, 5), module.decode

    def failing(path, *args):
        if path.name == "003.png":
            raise error
        return decode(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(module, "decode", failing)
        with pytest.raises(error):
            load_folder(folder, size=8)
    assert not list(caches.iterdir())
    assert numbers(folder) == [0, 1, 2, 3, 4]


def test_an_interruption_does_not_wait_for_the_files_that_are_left(put, monkeypatch, decodes):
    folder, decode = numbered(put, 60), module.decode

    def failing(path, *args):
        if path.name == "001.png":
            raise KeyboardInterrupt
        threading.Event().wait(0.01)
        return decode(path, *args)

    monkeypatch.setattr(module, "decode", failing)
    with pytest.raises(KeyboardInterrupt):
        load_folder(folder, size=8, workers=2)
    assert len(decodes) < 30


def test_a_disk_that_is_too_small(put, monkeypatch, caches, decodes):
    folder, usage = numbered(put, 3), SimpleNamespace(free=3 * 8 * 8 * 3 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    wanted = rf"{caches}: .*{folder.name} needs 576 bytes, and 575 are free; .*smaller.*cache="
    with pytest.raises(DataError, match=wanted):
        load_folder(folder, size=8)
    assert not decodes
    usage.free += 1
    assert numbers(folder) == [0, 1, 2]


def test_a_cache_that_cannot_be_written(put, tmp_path_factory):
    place = tmp_path_factory.mktemp("x") / "file"
    place.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=str(place)):
        load_folder(numbered(put, 1), cache=place)


@pytest.mark.parametrize("when", ["pixels", "flush", "json"])
def test_a_disk_that_fills_up_leaves_nothing_half_written(put, caches, monkeypatch, when):
    folder = numbered(put, 3)
    load_folder(folder, size=8)
    put.write("003.png", plain((3, 0, 0)))  # an older array is there
    real, full = os.fsync, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    calls = []

    def fsync(number):
        calls.append(number)
        if when == "flush" or (when == "json" and len(calls) == 2):
            raise full
        real(number)

    class Full:
        def __init__(self, *_):
            raise full

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        if when == "pixels":
            patch.setattr(module, "ThreadPoolExecutor", Full)
        wanted = r"No space left on device; nothing of the decoded pictures is kept; .*cache=.*\.u8"
        with pytest.raises(OSError, match=wanted) as caught:
            load_folder(folder, size=8)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename.startswith(str(caches))
    assert not [path for path in caches.iterdir() if path.suffix != ".json"]
    assert numbers(folder) == [0, 1, 2, 3]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(put, tmp_path_factory):
    place = tmp_path_factory.mktemp("locked")
    place.chmod(0o500)
    with pytest.raises(PermissionError, match=rf"{place}.*"):
        load_folder(numbered(put, 1), cache=place)
    assert not list(place.iterdir())


def test_more_files_than_are_decoded_at_once(put, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 3)
    folder = numbered(put, 10)
    put.write("004.png", broken_png())
    assert numbers(folder, workers=2) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_what_takes_long_gets_a_bar(put, monkeypatch, capsys):
    folder = numbered(put, 11)
    load_folder(folder, size=8)
    assert "11/11" not in (err := capsys.readouterr().err) and err.count("\n") == 1
    monkeypatch.setattr(module, "BAR_AFTER", 0)
    load_folder(folder, size=9)
    assert "0/11" in capsys.readouterr().err


def test_no_thread_is_left(put):
    before = threading.enumerate()
    load_folder(numbered(put, 30), size=8, workers=3)
    assert threading.enumerate() == before


# Which data it is


def test_the_digest_tells_the_data(put):
    folder = numbered(put, 3)
    first = load_folder(folder, size=8).digest
    int(first, 16)
    assert len(first) == 16
    others = [load_folder(folder, size=9).digest, load_folder(folder, size=8, channels=1).digest]
    put(bad_png=b"", notes_txt=b"left out")
    assert load_folder(folder, size=8).digest == first
    put.write("more.png", plain(RED))
    others.append(load_folder(folder, size=8).digest)
    (folder / "more.png").rename(folder / "most.png")
    others.append(load_folder(folder, size=8).digest)
    put.write("most.png", plain(RED, (300, 200)))
    others.append(load_folder(folder, size=8).digest)
    (folder / "most.png").unlink()
    assert load_folder(folder, size=8).digest == first
    (folder / "000.png").unlink()
    others.append(load_folder(folder, size=8).digest)
    assert len({first, *others}) == 7


def test_the_digest_does_not_depend_on_where_the_folder_is(put, tmp_path):
    for name in ("one", "two"):
        put.write(f"{name}/a/b.png", plain(RED))
    one, two = (load_folder(tmp_path / name).digest for name in ("one", "two"))
    assert one == two


def test_the_digest_is_that_of_earlier_versions(put):
    """So that their runs can be resumed."""
    put(b_bmp=plain(RED), sub__a_bmp=plain(BLUE, (5, 4)), bad_png=b"")  # 246 and 118 bytes
    assert load_folder(put(), 16).digest == "9bf12b1c6ea2ca5b"
    assert load_folder(put(), 8, channels=1).digest == "6c7fd2b27927b4ec"


def test_a_relative_path_survives_a_change_of_folder(put, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(put(sub__a_png=plain(RED)))
    data = load_folder("sub", size=8)
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    assert (data.images[0] == RED).all()
