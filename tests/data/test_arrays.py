import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgan.data import DataError, as_dataset, load_images

REAL = os.environ.get("SCRATCHGAN_DATA")
RGB = np.arange(4 * 5 * 6 * 3).reshape(4, 5, 6, 3).astype(np.uint8)
LABELS = np.array([0, 7, 255, 3])


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array))
    return buffer.getvalue()


def header(text, version=(1, 0)):
    """A .npy file's beginning, with whatever text for its header."""
    text = text.encode()
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text


def shaped(shape, descr="'|u1'"):
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n")


@pytest.fixture
def save(tmp_path):
    """Save bytes or an array as .npy, or arrays by name as .npz."""

    def save(content=None, **arrays):
        path = tmp_path / ("some.npz" if arrays else "some.npy")
        if arrays:
            np.savez_compressed(path, **arrays)
        else:
            path.write_bytes(content if isinstance(content, bytes) else npy(content))
        return path

    return save


def refuses(path, wanted):
    with pytest.raises(DataError, match=wanted) as caught:
        load_images(path)
    assert path.name in str(caught.value)


def peak_of_refusing(path, wanted):
    tracemalloc.start()
    try:
        refuses(path, wanted)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bytes_come_as_they_are(save, channels):
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5, channels), np.uint8)
    data = load_images(save(array))
    assert data.name == "some"
    assert data.labels is None
    assert data.images.dtype == np.uint8
    np.testing.assert_array_equal(data.images, array)


def test_grey_images_get_a_channel(save):
    assert load_images(save(RGB[..., 0])).images.shape == (4, 5, 6, 1)


@pytest.mark.parametrize("name", ["images", "x"])
def test_npz_with_labels(save, name):
    data = load_images(save(**{name: RGB, "labels": LABELS}))
    np.testing.assert_array_equal(data.images, RGB)
    np.testing.assert_array_equal(data.labels, LABELS)
    assert data.labels.dtype == np.uint8


def test_npz_takes_images_among_others(save):
    np.testing.assert_array_equal(load_images(save(other=LABELS, images=RGB)).images, RGB)


def test_the_home_folder_may_be_a_tilde(save, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.testing.assert_array_equal(load_images("~/" + save(RGB).name).images, RGB)
    with pytest.raises(DataError, match=r"^~nobody-of-this-name/x\.npy: no such file"):
        as_dataset("~nobody-of-this-name/x.npy")


def test_stored_npz(tmp_path):
    np.savez(tmp_path / "stored.npz", RGB)
    np.testing.assert_array_equal(load_images(tmp_path / "stored.npz").images, RGB)


def test_the_content_and_not_the_suffix_says_what_it_is(save):
    path = save(images=RGB).rename(save(RGB))
    np.testing.assert_array_equal(load_images(path).images, RGB)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8", np.longdouble])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_become_the_nearest_bytes(save, dtype, order):
    every = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    for floats in (every / 255, every / 127.5 - 1):
        images = load_images(save(np.asarray(floats, dtype, order=order))).images
        np.testing.assert_array_equal(images[..., 0], every)
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous


def test_fortran_order(save):
    images = load_images(save(np.asfortranarray(RGB))).images
    np.testing.assert_array_equal(images, RGB)
    assert images.flags.c_contiguous


def test_version_2_header(tmp_path):
    with open(tmp_path / "v2.npy", "wb") as file:
        np.lib.format.write_array(file, RGB, version=(2, 0))
    np.testing.assert_array_equal(load_images(tmp_path / "v2.npy").images, RGB)


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (RGB[0, 0], "expected images .*shape"),
        (RGB[..., None], "expected numbers of 1 to 4 dimensions"),
        (RGB.reshape(4, 1, 5, 18, 1)[:, 0].repeat(5, 3), r"C from 1 to 4, got .* \(4, 5, 18, 5\)"),
        (RGB[:0], "at least 1"),
        (RGB[:, :0], "at least 1"),
        (np.uint8(3), "expected numbers of 1 to 4 dimensions"),
        (RGB.astype(np.int64) + 1, "expected the bytes 0 to 255.*got int64 from 1 to 256"),
        (RGB + np.float32(0.5), r"expected .*\[0, 1\].*got float32 from 0.5 to 255.5"),
        (np.where(RGB == 9, np.nan, 0), "from nan to nan"),
        (np.where(RGB == 9, np.inf, 0), "from 0.0 to inf"),
        (np.where(RGB == 9, -1.01, 0), "from -1.01 to 0.0"),
        (RGB.astype(complex), "expected numbers .*complex128 of shape"),
        (RGB.astype("S3"), "expected numbers"),
        (np.zeros((4, 5, 6), [("r", "u1"), ("g", "u1")]), "expected numbers"),
    ],
)
def test_what_is_no_image_is_named(save, array, wanted):
    refuses(save(array), wanted)


def test_objects_are_never_unpickled(save):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    array = np.array([Bomb()], object)
    refuses(save(array), "got Python objects, which only pickle reads")
    refuses(save(images=array), r"some.npz\[images\].*pickle")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "header of a .npy"),
        (b"GIF89a", "header of a .npy"),
        (npy(RGB)[:9], "header of a .npy"),
        (npy(RGB)[:50], "header of a .npy"),
        (npy(RGB)[:-1], "expected 360 bytes .*got only 359"),
        (npy(RGB) + b"!", "expected 360 bytes .*got more"),
        (npy(RGB) + bytes(1 << 20), "expected 360 bytes .*got more"),
        (header("{}", (3, 0)), "header of a .npy"),
        (header("{[]: 1}"), "header of a .npy"),
        (header("(" * 5000), "header of a .npy"),
        (shaped((2, -2, -2)), "at least 1"),
        (shaped((2**62, 2**62, 2**62)), "at most 4294967296 bytes"),
        (shaped(f"(0x{'f' * 6000}, 1, 1)"), "header of a .npy"),
        (shaped((1, 1, 1), "('|u1', (2,))"), "expected numbers"),
    ],
)
def test_damage_is_named(save, content, wanted):
    refuses(save(content), wanted)


def test_what_is_no_file_is_named(tmp_path):
    refuses(tmp_path / "missing.npy", "no such file")
    refuses(tmp_path, "no such file")


@pytest.mark.parametrize("arrays", [{"a": RGB, "b": RGB}, {"labels": LABELS}])
def test_a_missing_key_names_those_found(save, arrays):
    refuses(save(**arrays), rf"expected an array 'images', got \{sorted(arrays)}")


@pytest.mark.parametrize("labels", [LABELS[:3], LABELS - 1, LABELS / 2, RGB])
def test_labels_that_do_not_fit_are_named(save, labels):
    refuses(save(images=RGB, labels=labels), "expected 4 labels, whole numbers of 0 to 65535.*got")


@pytest.mark.parametrize(
    ("images", "labels", "more"),
    [
        ("x_train", "y_train", ["x_test", "y_test"]),  # Keras's mnist.npz
        ("X_train", "y_train", ["X_test", "y_test"]),
        ("train_images", "train_labels", ["val_images", "val_labels", "test_images"]),  # MedMNIST
        ("x", "y", []),
        ("X", "y", []),
        ("data", "target", ["mean"]),
        ("data", "labels", []),
        ("images", "target", ["data"]),  # scikit-learn's digits
        ("arr_0", "arr_1", []),  # np.savez(file, images, labels)
        ("images", "labels", ["x", "y", "z"]),
        ("faces", "y", []),
    ],
)
def test_the_names_that_others_give(save, images, labels, more):
    arrays = {images: RGB, labels: LABELS} | {name: RGB[:1] for name in more}
    for order in (arrays, dict(reversed(arrays.items()))):
        data = load_images(save(**order))
        np.testing.assert_array_equal(data.images, RGB)
        np.testing.assert_array_equal(data.labels, LABELS)
        data = as_dataset(order)
        np.testing.assert_array_equal(data.images, RGB)
        np.testing.assert_array_equal(data.labels, LABELS)


@pytest.mark.parametrize(
    "names",
    [("x_train", "x"), ("a", "b", "y"), ("images", "y", "target"), ("arr_0", "arr_1", "arr_2"), ()],
)
def test_names_that_could_mean_several_things_are_listed(names):
    arrays = dict.fromkeys(names, RGB)
    wanted = rf"expected an array 'images', got \[{', '.join(map(repr, sorted(names)))}\]"
    with pytest.raises(DataError, match=wanted):
        as_dataset(arrays)


def test_damaged_zip_is_named(save):
    path = save(images=RGB)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    refuses(path, "cannot be read")
    path.write_bytes(whole.replace(whole[60:64], b"\xff\xff\xff\xff"))
    refuses(path, "cannot be read|header of a .npy")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_inflate_without_bound_are_refused(tmp_path, method):
    path = tmp_path / "some.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("images.npy", npy(RGB))
    refuses(path, r"\[images\].*stored or deflated")


@pytest.mark.parametrize(
    "start",
    [
        shaped((2**16, 2**8, 2**8)),
        shaped((2**16, 2**8, 2**5), "'<f8'"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    ],
)
def test_a_header_alone_allocates_nothing(save, start):
    assert peak_of_refusing(save(start + bytes(100)), "expected") < 8 << 20


def test_an_npz_of_nothing_is_named(tmp_path):
    np.savez(tmp_path / "some.npz")
    refuses(tmp_path / "some.npz", r"some.npz: expected an array 'images', got \[\]")


def test_a_zip_bomb_is_not_inflated(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("images.npy", npy(RGB) + bytes(100 << 20))
    assert peak_of_refusing(path, "expected 360 .*got more") < 8 << 20


def test_a_lying_zip_entry_allocates_nothing(tmp_path):
    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", shaped((2**16, 2**8, 2**8)) + bytes(100))
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02") + 24
    path.write_bytes(content[:place] + struct.pack("<I", 0xFFFFFFF0) + content[place + 4 :])
    assert peak_of_refusing(path, "expected") < 8 << 20


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["npy", "stored", "deflated"]), st.data())
def test_corruption_ends_in_images_or_a_data_error(tmp_path_factory, kind, data):
    buffer = io.BytesIO()
    if kind == "npy":
        buffer.write(npy(RGB))
    else:
        save = np.savez if kind == "stored" else np.savez_compressed
        save(buffer, images=RGB, labels=LABELS)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.getbasetemp() / "corrupted"
    path.write_bytes(content)
    try:
        assert load_images(path).images.dtype == np.uint8
    except DataError as error:
        assert "corrupted" in str(error)


@pytest.mark.skipif(
    not REAL or not Path(REAL, "cifar10/cifar10-10k.npz").is_file(),
    reason="needs SCRATCHGAN_DATA, the folder that holds cifar10/",
)
def test_real_cifar():
    data = load_images(Path(REAL, "cifar10/cifar10-10k.npz"))
    assert data.images.shape == (10_000, 32, 32, 3)
    assert set(data.labels) == set(range(10))
