import os
import stat

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from scratchgan.files import read_arrays, write_arrays, write_atomically


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a.bin"
    for content in (b"old and long", b"new", b""):
        write_atomically(path, lambda file, content=content: file.write(content))
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


def test_a_path_may_be_a_string_and_have_any_name(tmp_path):
    for name in (".hidden", "no suffix", "a.tar.gz", "ü.png"):
        write_atomically(str(tmp_path / name), lambda file: file.write(b"x"))
    assert len(list(tmp_path.iterdir())) == 4


def test_others_may_read_the_file_as_they_may_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a")}
    assert len(modes) == 1


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_half_way_leaves_what_was_there(tmp_path, exists, error):
    path = tmp_path / "a.bin"
    if exists:
        path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the new")
        file.flush()
        assert not exists or path.read_bytes() == b"old"  # a reader in the meantime
        raise error("in the middle")

    with pytest.raises(error, match="in the middle"):
        write_atomically(path, write)
    assert list(tmp_path.iterdir()) == ([path] if exists else [])
    assert not exists or path.read_bytes() == b"old"


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failing_disk_leaves_what_was_there(tmp_path, monkeypatch, function):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError("disk")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="disk"):
        write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_disk_before_the_name_is(tmp_path, monkeypatch):
    """After a power cut the new name must not stand for an empty file."""
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append("fsync") or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("replace") or replace(a, b))
    write_atomically(tmp_path / "a", lambda file: file.write(b"x"))
    assert calls[:2] == ["fsync", "replace"]


def test_a_folder_that_does_not_exist_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_atomically(tmp_path / "nowhere" / "a", lambda file: file.write(b"x"))


def test_an_error_names_the_file_that_was_wanted(tmp_path):
    path = tmp_path / "nowhere" / "a.bin"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(path, lambda file: None)
    assert str(caught.value).endswith(f"No such file or directory: '{path}'")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / "folder", lambda file: None)
    assert str(caught.value).endswith(f": '{tmp_path / 'folder'}'")


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="other'"):
        write_atomically(tmp_path / "a", lambda file: (tmp_path / "other").read_bytes())


# ---- arrays ----------------------------------------------------------------------------------

ARRAYS = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "order": np.arange(4)[::2],
    "none": np.zeros((0, 2)),
    "t": np.array(3),
}


def test_arrays_are_read_as_they_were_written(tmp_path):
    write_arrays(tmp_path / "a", {k: np.ascontiguousarray(a) for k, a in ARRAYS.items()}, "ü")
    arrays, about = read_arrays(tmp_path / "a")
    assert about == "ü" and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name].reshape(array.shape), array)


def test_no_bit_can_change_unseen(tmp_path):
    path = tmp_path / "a"
    given = {"w": ARRAYS["w"], "v": np.ones(2, np.float32), "none": np.zeros((0, 2))}
    write_arrays(path, given, "about 12")
    whole = path.read_bytes()
    read_arrays(path)
    for place in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            arrays, about = read_arrays(path)
        except (OSError, SafetensorError, ValueError):
            continue
        if about is None:  # it is no file of ours any more, which is seen, too
            continue
        # The name of the checksum itself: then it is one array more, which is nobody's.
        assert b'"crc32"' not in changed and len(arrays) == 4, place
        assert about == "about 12" and np.array_equal(arrays["w"], ARRAYS["w"]), place


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">i8"])
def test_the_order_of_bytes_is_nobodys_concern(tmp_path, dtype):
    write_arrays(tmp_path / "a", {"w": np.arange(3, dtype=dtype)}, "x")
    assert np.array_equal(read_arrays(tmp_path / "a")[0]["w"], np.arange(3))


def test_a_file_without_a_checksum_is_read(tmp_path):
    """As they were written before there was one."""
    save_file({"w": ARRAYS["w"]}, tmp_path / "a", {"scratchgan": "about"})
    arrays, about = read_arrays(tmp_path / "a")
    assert about == "about" and np.array_equal(arrays["w"], ARRAYS["w"])


def test_of_a_file_of_others_nothing_is_read(tmp_path):
    """NumPy has no name for some types that it may hold."""
    header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert read_arrays(tmp_path / "a") == ({}, None)
