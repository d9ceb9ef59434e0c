import gzip
import os
import re
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchgan.data import DataError, read_idx, write_idx

ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=7))
SAMPLE = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def encode(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def refuses(path, wanted):
    with pytest.raises(DataError, match=wanted) as caught:
        read_idx(path)
    assert path.name in str(caught.value)


@pytest.fixture
def file(tmp_path):
    def write(content, name="some-file"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@settings(max_examples=50, deadline=None)
@given(ARRAYS)
def test_what_is_written_is_read_back(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "round-trip.gz"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == np.uint8
    assert back.flags.writeable
    np.testing.assert_array_equal(back, array)
    assert gzip.decompress(path.read_bytes()) == encode(array)


def test_the_content_and_not_the_suffix_says_whether_it_is_gzipped(file):
    np.testing.assert_array_equal(read_idx(file(encode(SAMPLE), "plain.gz")), SAMPLE)
    np.testing.assert_array_equal(read_idx(file(gzip.compress(encode(SAMPLE)), "packed")), SAMPLE)


def test_a_view_is_written_in_its_own_order(tmp_path):
    view = SAMPLE[:, ::-1].transpose(2, 0, 1)
    write_idx(tmp_path / "view", view)
    np.testing.assert_array_equal(read_idx(tmp_path / "view"), view)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "magic number"),
        (b"\0\0\x08", "magic number"),
        (b"PK\x03\x04rest", "magic number.*got '504b0304'"),
        (b"\0\0\x0d\x03" + bytes(12), "unsigned bytes"),
        (b"\0\0\x08\x00" + bytes(12), "magic number"),
        (b"\0\0\x08\x04" + bytes(16), "magic number"),
        (b"\0\0\x08\x03" + bytes(11), "expected 3 dimensions"),
        (encode(SAMPLE)[:-1], "expected 24 bytes .*got only 23"),
        (encode(SAMPLE) + b"!", "expected 24 bytes .*got more"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 28, 28), "at least 1"),
        (struct.pack(">4B3I", 0, 0, 8, 3, *3 * [2**32 - 1]), "at most 4294967296 bytes"),
        (struct.pack(">4B2I", 0, 0, 8, 2, 2**16, 2**16 + 1), "at most 4294967296 bytes"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_damage_is_named(file, content, wanted, pack):
    refuses(file(pack(content)), wanted)


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-9], lambda b: b[:-8] + bytes(8), lambda b: b[:12] + b"\xff" + b[13:]]
)
def test_damaged_gzip_is_named(file, spoil):
    refuses(file(spoil(gzip.compress(encode(SAMPLE)))), "expected an IDX file, cannot be read")


def test_a_gzip_member_that_is_not_one_is_named(file):
    refuses(file(gzip.compress(encode(SAMPLE)) + b"junk"), "expected an IDX file")


def test_what_is_no_file_is_named(tmp_path):
    refuses(tmp_path / "missing", "no such file")
    refuses(tmp_path, "no such file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refuses(tmp_path / "pipe", "no such file")


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.data())
def test_corruption_ends_in_an_array_or_a_data_error(tmp_path_factory, packed, data):
    content = bytearray(encode(SAMPLE))
    if packed:
        content = bytearray(gzip.compress(content))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.getbasetemp() / "corrupted"
    path.write_bytes(content)
    try:
        assert read_idx(path).size
    except DataError as error:
        assert "corrupted" in str(error)


def peak_of_refusing(path, wanted):
    tracemalloc.start()
    try:
        refuses(path, wanted)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_alone_allocates_nothing(file, pack):
    path = file(pack(struct.pack(">4B2I", 0, 0, 8, 2, 2**16, 2**16) + bytes(100)))
    assert peak_of_refusing(path, "expected 4294967296 .*got only 100") < 8 << 20


def test_a_gzip_bomb_is_not_inflated(file):
    bomb = gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, 1000) + bytes(100 << 20), compresslevel=1)
    assert peak_of_refusing(file(bomb), "expected 1000 .*got more") < 8 << 20


@pytest.mark.parametrize(
    "array",
    [np.zeros(3), np.uint8(1)[...], np.zeros((1, 1, 1, 1), np.uint8), np.zeros((0, 2), np.uint8)],
)
def test_only_what_can_be_read_is_written(tmp_path, array):
    got = re.escape(f"got {array.dtype} of shape {array.shape}")
    with pytest.raises(DataError, match=f"out.gz: expected a uint8 array.*{got}"):
        write_idx(tmp_path / "out.gz", array)
    assert not list(tmp_path.iterdir())


def test_the_same_array_gives_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    write_idx(tmp_path / "a.gz", SAMPLE)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_idx(tmp_path / "b.gz", SAMPLE)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("interruption", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch, step, interruption):
    write_idx(tmp_path / "kept.gz", SAMPLE)

    def interrupt(*_):
        raise interruption

    monkeypatch.setattr(os, step, interrupt)
    for name in ("kept.gz", "new.gz"):
        with pytest.raises(interruption):
            write_idx(tmp_path / name, SAMPLE + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.gz"]
    np.testing.assert_array_equal(read_idx(tmp_path / "kept.gz"), SAMPLE)
