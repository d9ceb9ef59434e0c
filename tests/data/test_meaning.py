"""Each array has one meaning, the same from Python as from a file, or an error with the cure."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import scratchgan.data
from scratchgan.data import DataError, Dataset, as_dataset, as_images, as_labels, to_uint8
from scratchgan.data import meaning as module

GREY = np.arange(4 * 8 * 8).reshape(4, 8, 8).astype(np.uint8)
RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 7, 3), np.uint8)
ALL = GREY[..., None]  # every byte once


def from_python(array, tmp_path):
    return as_images(array)


def from_a_file(array, tmp_path):
    np.save(tmp_path / "some.npy", array)
    return as_dataset(tmp_path / "some.npy").images


@pytest.fixture(params=[from_python, from_a_file])
def read(request, tmp_path):
    return lambda array: request.param(array, tmp_path)


INTEGERS = ["u2", ">u2", "i2", "i4", "u4", "i8", "u8"]
FLOATS = ["f2", "f4", ">f4", "f8", "g"]


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
def test_whole_numbers_up_to_255_are_the_bytes(read, dtype):
    np.testing.assert_array_equal(read(GREY.astype(dtype)), ALL)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_of_0_to_1_and_of_minus_1_to_1(read, dtype):
    np.testing.assert_array_equal(read((GREY / 255).astype(dtype)), ALL)
    np.testing.assert_array_equal(read((GREY / 127.5 - 1).astype(dtype)), ALL)
    ends = np.array([0, 1, 1, 0] * 4, dtype).reshape(1, 4, 4)
    np.testing.assert_array_equal(read(ends)[..., 0], 255 * ends.astype(np.uint8))


def test_booleans_are_black_and_white(read):
    np.testing.assert_array_equal(read(GREY > 99), np.where(ALL > 99, 255, 0))


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4", "bool"])
def test_nothing_but_zeros_is_black(read, dtype):
    images = read(np.zeros((2, 3, 3), dtype))
    assert images.dtype == np.uint8 and images.shape == (2, 3, 3, 1) and not images.any()


def test_many_images_are_converted_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 150)
    np.testing.assert_array_equal(as_images(GREY / 255), ALL)
    np.testing.assert_array_equal(as_images(GREY.astype(int)), ALL)
    assert as_images(ALL) is ALL
    with pytest.raises(DataError, match=r"images / 255\.0 if 255\.0 is white"):
        as_images(np.concatenate([GREY.astype(float), GREY[:1] + 0.5 * (GREY[:1] < 99)]))


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (GREY > 99, None),
        ((GREY > 99).astype(np.uint8), "images / 1 if 1 is white"),
        ((GREY > 99).astype(int), "got int64 from 0 to 1; images / 1 if 1 is white"),
        (GREY.astype(int) // 16, "got int64 from 0 to 15; images / 15 if 15 is white"),
        (GREY / 16 // 1, "from 0.0 to 15.0; images / 15.0 if 15.0 is white"),
        (GREY / 255 - 0.5, r"from -0\.5 to 0\.5; .* if 0 is black, .*\+ 0\.5, 0, 1\) if -0\.5 is"),
        ((GREY - 128.0) / 255, r"images / 2 \+ 0\.5, 0, 1\) if -1 is"),
        (np.maximum(GREY / 127.5 - 1, -0.89), r"images / 2 \+ 0\.5, 0, 1\) if -1 is"),
        (GREY / 255 - 0.95, r"from -0\.95 to 0\.05.*; .*\+ 0\.5, 0, 1\) if -0\.5 is"),
        (GREY / 255 - 1, r"from -1\.0 to 0\.0; "),
        (GREY / 255 - 1e-7, r"np\.clip\(images, 0, 1\) if 0 is black"),
        (GREY / 125 - 1.02, r"from -1\.02 to 1\.02; .* if -1 is"),
        (GREY / 255 * 1.001, r"np\.clip\(images, 0, 1\) if 1 is white, images / 1\.00.* if"),
        (GREY / 255 * 1.5, r"images / 1\.5 if 1\.5 is white, images / 255 if 255 is$"),
        (GREY * 0.999, r"images / 254\.7.* if 254\.7.* is white, images / 255 if 255 is$"),
        ((GREY / 255 - 0.1307) / 0.3081, r"from -0.42.* to 2.82.*; .*\(x - x\.min\(\)\) / np\.ptp"),
        (GREY.astype(np.uint16) * 257, "uint16 from 0 to 65535; images / 65535 if 65535 is white$"),
        (GREY.astype(int) * 16, "from 0 to 4080; images / 4080 if .*, images / 65535 if 65535 is$"),
        (GREY.astype(int) * 1000, "from 0 to 255000; images / 255000 if 255000 is white$"),
        (GREY // 16, "got uint8 from 0 to 15; images / 15 if 15 is white, images / 255 if 255 is$"),
        (GREY // 15 // 17 * 16, "got uint8 from 0 to 16; images / 16 if 16 is white"),
        ((GREY > 99).astype(int) * 2 - 1, r"images\.astype\(float\) if -1 is black"),
        ((GREY.astype(int) - 128).astype("i1"), r"int8 from -128 .*images\.astype\(int\) \+ 128"),
        (GREY.astype(np.int16) - 128, r"int16 from -128 to 127; images\.astype\(int\) \+ 128"),
        (GREY.astype(np.int16) * 257, r"int16 from -.*\(x - x\.min\(\)\) / np\.ptp\(x\)"),
        (GREY.astype(float) - 128, "scale them"),
        (np.where(GREY == 7, np.nan, GREY / 255), "NaN and infinity are no colours"),
        (np.where(GREY == 7, np.inf, GREY / 255), "from 0.0 to inf; NaN and infinity"),
        (np.where(GREY == 7, -np.inf, GREY / 255), "NaN and infinity are no colours"),
        (GREY.astype(complex), "numbers, got complex128"),
        (GREY.astype("M8[s]"), "numbers, got datetime64"),
        (GREY.astype("U3"), "numbers, got <U3"),
        (GREY.astype(object), "numbers, got object"),
    ],
)
def test_numbers_of_two_meanings_or_none_are_refused_with_the_cure(array, wanted):
    if wanted is None:
        assert as_images(array).max() == 255
        return
    with pytest.raises(DataError, match="^images: expected .*" + wanted):
        as_images(array)


@pytest.mark.parametrize(
    "images",
    [
        GREY // 16, GREY // 16 / 1, GREY.astype(int) // 16, (GREY > 99).astype("u1"), GREY * 0.999,
        GREY / 255 - 0.5, GREY / 255 - 0.87, GREY / 127 - 1.02, GREY / 255 - 1e-7, GREY / 250,
        GREY / 170, (GREY / 170).astype("f4"), (GREY / 255 - 0.13) / 0.31, GREY.astype("u2") * 257,
        GREY.astype(int) * 16, (GREY > 99) * 2 - 1, (GREY.astype(int) - 128).astype("i1"),
        (GREY.astype(int) * 257 - 32768).astype("i2"), GREY.astype("f2") - 128,
        ((GREY / 255 - 0.13) / 0.31).astype("f2"),
    ],
)  # fmt: skip
def test_every_cure_in_a_message_can_be_typed(images):
    with pytest.raises(DataError) as caught:
        as_images(images)
    cure = str(caught.value).rpartition("; ")[2]
    scope = {"np": np, "images": images, "x": images.astype(float)}
    typed = re.findall(r"(?:^|, |: )((?:np\.clip\(|images|\(x).*?)(?= if |, where )", cure)
    assert typed and len(typed) == cure.count(" if ") + cure.count(", where ")
    brightest = 0
    for expression in typed:
        found = as_images(eval(expression, scope))
        assert found.flat[images.argmin()] == found.min()
        assert found.flat[images.argmax()] == found.max()
        brightest = max(brightest, found.max())
    assert brightest > 150


def test_floats_in_minus_1_to_1_may_miss_the_ends(read):
    for low, high in ((0, 130), (12, 255), (5, 200)):
        clipped = GREY.clip(low, high)
        np.testing.assert_array_equal(read(clipped / 127.5 - 1), clipped[..., None])
    for low, high in ((13, 255), (0, 127), (60, 200)):
        clipped = GREY.clip(low, high)
        images = clipped / 127.5 - 1
        with pytest.raises(DataError, match=r"np\.clip\(images / 2 \+ 0\.5, 0, 1\) if -1 is$"):
            read(images)
        cured = np.clip(images / 2 + 0.5, 0, 1)
        np.testing.assert_array_equal(read(cured), clipped[..., None])


def test_every_cure_cures():
    bits = (GREY > 99).astype(np.uint8)
    np.testing.assert_array_equal(as_images(bits / 1), np.where(ALL > 99, 255, 0))
    fours = GREY.astype(int) // 16
    np.testing.assert_array_equal(as_images(fours / 15)[..., 0], 17 * fours)
    halves = GREY / 255 - 0.5
    np.testing.assert_array_equal(as_images(halves + 0.5), ALL)
    np.testing.assert_array_equal(as_images(np.clip(GREY / 255 - 1e-7, 0, 1)), ALL)
    np.testing.assert_array_equal(as_images(GREY.astype(np.uint16) * 257 / 65535), ALL)
    colours = RGB[:, :6, :6].transpose(0, 3, 1, 2).reshape(4, -1)
    np.testing.assert_array_equal(as_images(colours.reshape(-1, 3, 6, 6)), RGB[:, :6, :6])
    assert as_images(RGB[0][None]).shape == (1, 6, 7, 3)
    names = np.array(["cat", "dog", "ant", "dog"])
    codes = np.unique(names, return_inverse=True)[1]
    np.testing.assert_array_equal(as_labels(codes, 4), [1, 2, 0, 2])


# Shapes


@pytest.mark.parametrize("C", [1, 2, 3, 4])
def test_the_channels_of_other_libraries_come_first(read, C):
    images = np.random.default_rng(C).integers(0, 256, (3, 6, 7, C), np.uint8)
    for other in (images, images.transpose(0, 3, 1, 2), images.transpose(0, 3, 1, 2).copy()):
        found = read(other)
        np.testing.assert_array_equal(found, images)
        assert found.flags.c_contiguous
    found = read(images.transpose(0, 3, 1, 2) / 127.5 - 1)
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("side", [2, 3, 8, 28, 32])
def test_rows_of_a_square_are_grey_images(read, side):
    images = np.random.default_rng(0).integers(0, 256, (5, side, side, 1), np.uint8)
    np.testing.assert_array_equal(read(images.reshape(5, -1)), images)
    np.testing.assert_array_equal(read(images.reshape(5, -1) / 255), images)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((784,), r"shape \(784,\)"),
        ((9, 2), r"shape \(9, 2\)"),  # points
        ((5, 1), r"shape \(5, 1\)"),
        ((5, 785), r"shape \(5, 785\)"),  # a column of labels among the pixels
        ((64, 64), r"shape \(64, 64\); images\[None\] if it is one image"),
        ((28, 28), r"images\[None\]"),
        ((28, 28, 1), r"images\[None\]"),
        ((64, 48, 3), r"images\[None\]"),
        ((64, 48, 4), r"images\[None\]"),
        ((5, 3072), r"reshape\(-1, 32, 32, 3\) if .* neighbours, \(-1, 3, 32, 32\) if not"),
        ((5, 8, 8, 8), "C from 1 to 4"),
        ((5, 1, 8, 8, 1), r"\(5, 1, 8, 8, 1\)"),
        ((0, 28, 28), r"shape \(0, 28, 28\)"),
        ((0, 784), r"shape \(0, 784\)"),
        ((5, 0, 8, 3), r"shape \(5, 0, 8, 3\)"),
        ((0,), r"shape \(0,\)"),
    ],
)
def test_shapes_of_two_meanings_or_none_are_refused_with_the_cure(shape, wanted):
    with pytest.raises(DataError, match=r"^images: expected images \(N, H, W\).*" + wanted):
        as_images(np.full(shape, 99, np.uint8))


# The same memory


def test_bytes_are_not_copied(tmp_path):
    flat = GREY.reshape(4, 64)
    for array in (ALL, GREY, flat):
        assert np.shares_memory(as_images(array), array)
    read_only = GREY.copy()
    read_only.flags.writeable = False
    assert np.shares_memory(as_images(read_only), read_only)
    strided = np.repeat(ALL, 2, axis=1)[:, ::2]
    found = as_images(strided)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, ALL)
    np.testing.assert_array_equal(as_images(np.asfortranarray(RGB)), RGB)


@pytest.mark.parametrize("array", [GREY, ALL, RGB, GREY.reshape(4, 64)])
def test_a_memory_map_stays_one(tmp_path, array):
    np.save(tmp_path / "big.npy", array)
    data = as_dataset(np.load(tmp_path / "big.npy", mmap_mode="r"))
    assert isinstance(data.images, np.memmap)
    np.testing.assert_array_equal(data.images, array.reshape(data.images.shape))


def test_bytes_are_hardly_read(monkeypatch):
    """The first part with a shade above 16 is enough, for arrays may be larger than the memory."""
    monkeypatch.setattr(module, "AT_ONCE", 1)
    parts = []
    real = module._parts
    monkeypatch.setattr(
        module, "_parts", lambda array: (parts.append(part) or part for part in real(array))
    )
    as_images(np.full((50, 4, 4), 70, np.uint8))
    assert len(parts) == 1


# What is no array


class Tensor:
    """An array of another library, on a device or not."""

    mode = len  # some have methods of such names

    def __init__(self, array, error=None):
        self.array, self.error = array, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return self.array


def test_whatever_numpy_can_read_is_taken():
    np.testing.assert_array_equal(as_images(Tensor(GREY)), ALL)
    np.testing.assert_array_equal(as_images([Tensor(x) for x in GREY]), ALL)
    np.testing.assert_array_equal(as_images(list(GREY)), ALL)
    np.testing.assert_array_equal(as_images(GREY.tolist()), ALL)
    for pictures, wanted in ((GREY, ALL), (RGB, RGB)):
        np.testing.assert_array_equal(as_images([Image.fromarray(x) for x in pictures]), wanted)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(RGB.transpose(0, 3, 1, 2).copy())
    np.testing.assert_array_equal(as_images(tensor), RGB)
    np.testing.assert_array_equal(as_images(tensor / 127.5 - 1), RGB)
    np.testing.assert_array_equal(as_images(list(tensor)), RGB)
    np.testing.assert_array_equal(as_labels(torch.tensor([1, 0, 2]), 3), [1, 0, 2])
    with pytest.raises(DataError, match=r"images: .*detach"):
        as_images((tensor / 255).requires_grad_())


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Tensor(GREY, TypeError("use .get()")), r"expected arrays .*can read: use \.get\(\)"),
        ([GREY[0], GREY[0, 1:]], "expected arrays of one shape"),
        ([[1, 2], [3]], "expected arrays of one shape"),
        ([], r".*got float64 of shape \(0,\)"),
        ((x for x in GREY), "expected an array or a list, got generator"),
        (None, "expected an array or a list, got NoneType"),
        (7, "expected an array or a list, got int"),
        ({1, 2}, "expected an array or a list, got set"),
        (SimpleNamespace(data=GREY), "expected an array or a list, got SimpleNamespace"),
        (b"bytes", "expected numbers, got"),
        ([Image.new("P", (8, 8))] * 3, r".*got mode \{'P'\}; use picture\.convert\('RGB'\)"),
        ([Image.new("CMYK", (8, 8))] * 3, ".*got mode {'CMYK'}"),
        ([Image.new("RGB", (8, 8)), Image.new("L", (8, 8))], "expected arrays of one shape"),
    ],
)
def test_what_is_no_array_is_named(value, wanted):
    with pytest.raises(DataError, match=f"^images: {wanted}"):
        as_dataset(value)


# Labels


@pytest.mark.parametrize("dtype", ["u1", "bool", *INTEGERS, *FLOATS])
def test_labels_of_every_type(dtype):
    labels = as_labels(np.array([0, 1, 1, 0]).astype(dtype), 4)
    assert labels.dtype == np.uint8 and labels.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([3, 1, 2], [3, 1, 2]),
        ((3, 1, 2), [3, 1, 2]),
        (range(3), [0, 1, 2]),
        ([[3], [1], [2]], [3, 1, 2]),  # as Keras's cifar10.load_data gives them
        ([3.0, 1.0, 2.0], [3, 1, 2]),
        (np.eye(4)[[3, 1, 2]], [3, 1, 2]),
        (np.eye(4, dtype=int)[[3, 1, 2]], [3, 1, 2]),
        (np.eye(4, dtype=bool)[[3, 1, 2]], [3, 1, 2]),
        (np.eye(3), [0, 1, 2]),
        ([1000, 0, 65535], [1000, 0, 65535]),
        (np.eye(300)[[299, 0, 1]], [299, 0, 1]),
    ],
)
def test_labels_of_every_kind(labels, wanted):
    found = as_labels(labels, 3)
    assert found.tolist() == wanted
    assert found.dtype == (np.uint16 if max(wanted) > 255 else np.uint8)


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([0, 1], r"3 labels.*got int64 of shape \(2,\)$"),
        ([0, 1, 2, 3], r"shape \(4,\)"),
        ([0, -1, 2], "from -1 to 2"),
        ([0, 1, 65536], "from 0 to 65536"),
        ([0, 0.5, 1], "from 0.0 to 1.0"),
        ([0, np.nan, 1], "from nan to nan"),
        ([0, np.inf, 1], "to inf"),
        ([[0.2, 0.8], [1, 0], [0, 1]], r"shape \(3, 2\)"),  # probabilities
        ([[1, 1], [1, 0], [0, 1]], r"shape \(3, 2\)"),  # several at once
        ([[0, 0], [1, 0], [0, 1]], r"shape \(3, 2\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros((3, 1, 1)), r"shape \(3, 1, 1\)"),
        (5, "an array or a list, got int"),
        (np.int64(5), r"shape \(\)"),
        (["a", "b", "a"], r"np\.unique\(labels, return_inverse=True\)\[1\] numbers names"),
        (np.array(["a", "b", "a"], object), r"np\.unique"),
        ([1 + 1j, 0, 0], "complex128"),
    ],
)
def test_what_is_no_labels_is_refused(labels, wanted):
    with pytest.raises(DataError, match="^labels: expected .*" + wanted):
        as_labels(labels, 3)


# Whatever holds the images


def test_an_array_with_labels_and_a_name():
    data = as_dataset(GREY / 255, np.eye(4), "mine")
    assert isinstance(data, Dataset)
    np.testing.assert_array_equal(data.images, ALL)
    assert (data.labels.tolist(), data.name, data.digest, data.classes) == (
        [0, 1, 2, 3], "mine", None, None,
    )  # fmt: skip
    assert as_dataset(GREY).name == "array" and as_dataset(GREY).labels is None


def test_tuples_are_data_sets():
    for given in ((GREY, [3, 2, 1, 0]), (GREY, [3, 2, 1, 0], "named")):
        data = as_dataset(given, name="other")
        np.testing.assert_array_equal(data.images, ALL)
        assert data.labels.tolist() == [3, 2, 1, 0]
        assert data.name == ("named" if len(given) == 3 else "other")
    assert as_dataset((GREY, None)).labels is None
    with pytest.raises(DataError, match=r"^labels: expected 4 labels"):
        as_dataset((GREY, [1]))


def test_of_several_pairs_the_first_is_the_training_set():
    train, test = (GREY, [3, 2, 1, 0]), (GREY[:2], [3, 2])
    for pairs in ((train, test), (train, test, test)):  # Keras; and MNIST as a pickle
        data = as_dataset(pairs, name="mnist")
        np.testing.assert_array_equal(data.images, ALL)
        assert (data.labels.tolist(), data.name) == ([3, 2, 1, 0], "mnist")
        assert as_dataset(pairs, [0, 0, 1, 1]).labels.tolist() == [0, 0, 1, 1]
    two = as_dataset(((GREY[0], GREY[1]), (5, 6)))  # a tuple of two images, and their labels
    assert two.images.shape == (2, 8, 8, 1) and two.labels.tolist() == [5, 6]


def test_a_mask_is_not_lost():
    masked = np.ma.masked_less(GREY, 50)
    for images in (masked, list(masked), (masked, None)):
        with pytest.raises(DataError, match=r"^images: .*without masked .*images\.filled\(0\)"):
            as_dataset(images)
    with pytest.raises(DataError, match=r"^labels: .*without masked"):
        as_dataset(GREY, np.ma.masked_equal([0, 1, 2, 2], 2))
    np.testing.assert_array_equal(as_images(masked.filled(0)), np.where(ALL < 50, 0, ALL))
    np.testing.assert_array_equal(as_images(np.ma.array(GREY)), ALL)  # nothing is masked


def test_pictures_of_a_folder_may_be_dark(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "night").mkdir()
    Image.fromarray(GREY[0] // 5).save(tmp_path / "night" / "1.png")
    data = as_dataset(tmp_path / "night", size=8, channels=1)
    np.testing.assert_array_equal(data.images[0, ..., 0], GREY[0] // 5)
    np.save(tmp_path / "night.npy", data.images / 255)
    np.testing.assert_array_equal(as_dataset(tmp_path / "night.npy").images, data.images)
    assert as_images(data.images, dark=True) is data.images


def test_a_data_set_keeps_its_digest_and_classes():
    given = Dataset(ALL, np.arange(4), "named")
    given.digest, given.classes = "0123", list("abcd")
    data = as_dataset(given, name="other")
    assert data.images is ALL
    assert (data.name, data.digest, data.classes) == ("named", "0123", list("abcd"))
    other = as_dataset(given, labels=[0, 0, 1, 1])
    assert (other.labels.tolist(), other.digest, other.classes) == ([0, 0, 1, 1], "0123", None)


def test_files_and_folders_by_their_path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "some.NPZ", x_train=GREY, y_train=np.arange(4))
    (tmp_path / "some.NPZ.npz").rename(tmp_path / "some.NPZ")
    for path in (tmp_path / "some.NPZ", str(tmp_path / "some.NPZ"), "~/some.NPZ"):
        data = as_dataset(path)
        assert (data.name, data.labels.tolist()) == ("some", [0, 1, 2, 3])
    for i, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(RGB[i]).save(tmp_path / "pets" / name / "1.png")
    data = as_dataset(tmp_path / "pets")
    assert data.images.shape == (2, 64, 64, 3) and isinstance(data.images, np.memmap)
    assert (data.labels.tolist(), data.classes) == ([0, 1], ["cat", "dog"])
    data = as_dataset("~/pets", [5, 7], size=8, channels=1)
    assert data.images.shape == (2, 8, 8, 1) and data.digest
    assert (data.labels.tolist(), data.classes) == ([5, 7], None)
    with pytest.raises(ValueError, match="got size 0"):
        as_dataset(tmp_path / "pets", size=0)
    with pytest.raises(DataError, match=r"1\.png: expected a folder of pictures, got a pic"):
        as_dataset(tmp_path / "pets" / "cat" / "1.png")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        as_dataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"nowhere\.npz: no such file"):
        as_dataset(tmp_path / "nowhere.npz")


def test_an_open_npz_file(tmp_path):
    np.savez(tmp_path / "some.npz", x=GREY, y=np.arange(4))
    with np.load(tmp_path / "some.npz") as file:
        assert as_dataset(file).labels.tolist() == [0, 1, 2, 3]
    np.savez(tmp_path / "some.npz", x=GREY)
    with np.load(tmp_path / "some.npz") as file:
        assert as_dataset(file).labels is None


def test_size_and_channels_of_an_array_are_checked():
    assert as_dataset(RGB[:, :6, :6], size=6, channels=3).images.shape == (4, 6, 6, 3)
    for options in ({"size": 6}, {"size": 7}, {"channels": 1}):
        with pytest.raises(DataError, match=r"images: expected images of shape .*got \(6, 7, 3\)"):
            as_dataset(RGB, **options)


def test_the_cures_name_what_is_public():
    assert scratchgan.data.to_uint8 is to_uint8
    assert "torch" not in vars(sys.modules["scratchgan.data.meaning"])
