import errno
import os
import stat
from contextlib import contextmanager

import numpy as np
import pytest
from safetensors.numpy import save_file

from scratchgan import plots
from scratchgan.files import read_arrays, remove_leftovers, write_arrays, write_atomically


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


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere/a.bin", "No such file or directory; nothing was written"),
        ("folder", "Is a directory; nothing was written"),
        ("file/a.bin", "Not a directory; nothing was written"),
        ("n" * 300, "File name too long; nothing was written"),
    ],
)
def test_an_error_names_the_file_that_was_wanted(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / name, lambda file: None)
    assert str(caught.value) == f"{tmp_path / name}: cannot be written: {reason}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    """The user who runs the tests may be allowed to write anywhere."""

    def refuse(path, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError) as caught:
        write_atomically(tmp_path / "a", lambda file: None)
    said = "cannot be written: Permission denied; the older file is kept as it was"
    assert str(caught.value) == f"{tmp_path / 'a'}: {said}"


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path):
    for name in ("n" * 255, "ü" * 127):
        write_atomically(tmp_path / name, lambda file: file.write(b"x"))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_half_written_file_of_any_name_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.unlink", lambda self: None)  # the process is killed
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / ("n" * 255), interrupt)
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def interrupt(file):
    raise KeyboardInterrupt


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="other'"):
        write_atomically(tmp_path / "a", lambda file: (tmp_path / "other").read_bytes())


# ---- a disk that is full ---------------------------------------------------------------------

NOISE = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 3), np.uint8)
CURVES = {name: np.arange(50.0) for name in ("step", "d_loss", "g_loss", "d_real", "d_fake")}
FIELD = {"real": np.zeros((9, 2)), "fake": np.ones((9, 2)), "arrows": np.ones((4, 2))}
WRITERS = {
    "text": lambda path, old: write_atomically(path, lambda file: file.write(b"1,2\n" * 9999)),
    "safetensors": lambda path, old: write_arrays(path, {"w": np.zeros(9999)}, "about"),
    "npz": lambda path, old: write_atomically(path, lambda f: np.savez_compressed(f, a=NOISE)),
    "png": lambda path, old: plots.save_image(plots.sample_grid(NOISE), path),
    "gif": lambda path, old: plots.save_animation([old, old], path),
    "curves": lambda path, old: plots.loss_curves(CURVES, path),
    "field": lambda path, old: plots.field_frame(
        path, field=np.eye(9), limit=1.0, title="t", **FIELD
    ),
}


@contextmanager
def room_for(size):
    """No file can grow beyond this size: the system itself refuses to write more."""
    resource = pytest.importorskip("resource", reason="the system has no such limit")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def full(monkeypatch):
    """The last bytes find no room: the system says so when it must write them."""

    def fsync(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        yield


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("kind", WRITERS)
def test_every_writer_names_its_file_and_says_what_is_there(tmp_path, monkeypatch, kind, older):
    old, path = tmp_path / "old.png", tmp_path / "new"
    plots.save_image(plots.sample_grid(NOISE), old)
    if older:
        path.write_bytes(b"older")
    kept = "the older file is kept as it was" if older else "nothing was written"
    for disk, reason in [
        (room_for(2000), os.strerror(errno.EFBIG)),
        (full(monkeypatch), os.strerror(errno.ENOSPC)),
    ]:
        with disk, pytest.raises(OSError) as caught:
            WRITERS[kind](path, old)
        assert str(caught.value) == f"{path}: cannot be written: {reason}; {kept}"
        assert sorted(tmp_path.iterdir()) == ([path] if older else []) + [old]
        assert not older or path.read_bytes() == b"older"
    WRITERS[kind](path, old)
    assert path.stat().st_size > 2000


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


def test_a_file_that_is_none_is_an_error_of_python(tmp_path):
    """So that whoever catches it need not know the library that reads such files."""
    for content in (b"", b"not a file of arrays", b"\xff" * 64):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(ValueError):
            read_arrays(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "b")


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
        except (OSError, ValueError):
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
