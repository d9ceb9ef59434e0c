import gzip
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import load_digits

from scratchgan.data import DataError, cache_dir, mnist, read_idx, write_idx

REAL = os.environ.get("SCRATCHGAN_DATA")
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
IMAGES = np.arange(5 * 28 * 28).reshape(5, 28, 28).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 9], np.uint8)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No test sees the user's own data, cache or network."""
    monkeypatch.delenv("SCRATCHGAN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fetching(monkeypatch, AssertionError("nobody should fetch"))


def fetching(monkeypatch, answer):
    """Make scikit-learn's download give or raise `answer`; return the calls' arguments."""
    calls = []

    def fetch_openml(name, **options):
        calls.append({"name": name, "timeout": socket.getdefaulttimeout(), **options})
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    return calls


def put(folder, split="train", images=IMAGES, labels=LABELS, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(FILES[split], (images, labels), strict=True):
        write_idx(folder / f"{name}{suffix}", array)


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_home_folder_may_be_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "mine")
    assert len(mnist("~/mine").images) == len(IMAGES)
    monkeypatch.setenv("SCRATCHGAN_DATA", "~/mine")
    assert len(mnist().images) == len(IMAGES)


def test_both_splits_of_a_folder(tmp_path):
    put(tmp_path)
    put(tmp_path, "test", IMAGES[:2], LABELS[:2])
    train, test = mnist(tmp_path), mnist(str(tmp_path), split="test")
    assert train.name == test.name == "mnist"
    assert train.images.dtype == train.labels.dtype == np.uint8
    np.testing.assert_array_equal(train.images, IMAGES[..., None])
    np.testing.assert_array_equal(train.labels, LABELS)
    assert test.images.shape == (2, 28, 28, 1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("mark", ["-idx", ".idx"])
@pytest.mark.parametrize("inside", ["", "mnist"])
def test_every_usual_name_is_found(tmp_path, suffix, mark, inside):
    put(tmp_path / inside, suffix="")
    for path in (tmp_path / inside).glob("*-ubyte"):
        plain = gzip.decompress(path.read_bytes())
        path.unlink()
        other = path.with_name(path.name.replace("-idx", mark) + suffix)
        other.write_bytes(gzip.compress(plain) if suffix else plain)
    assert len(mnist(tmp_path).images) == 5


def test_path_goes_before_environment_before_cache(tmp_path, monkeypatch):
    put(cache_dir() / "mnist", images=IMAGES[:1], labels=LABELS[:1])
    assert len(mnist().images) == 1
    put(tmp_path / "environment" / "mnist", images=IMAGES[:2], labels=LABELS[:2])
    monkeypatch.setenv("SCRATCHGAN_DATA", str(tmp_path / "environment"))
    assert len(mnist().images) == 2
    put(tmp_path / "path", images=IMAGES[:3], labels=LABELS[:3])
    assert len(mnist(tmp_path / "path").images) == 3
    monkeypatch.setenv("SCRATCHGAN_DATA", "")
    assert len(mnist().images) == 1


def test_a_named_folder_without_mnist_is_an_error_and_no_fallback(tmp_path, monkeypatch):
    wanted = "expected t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz, here or in mnist/"
    put(tmp_path / "named")
    with pytest.raises(DataError, match=f"named: {wanted} .*it holds no MNIST"):
        mnist(tmp_path / "named", split="test")
    monkeypatch.setenv("SCRATCHGAN_DATA", str(tmp_path / "absent"))
    with pytest.raises(DataError, match=f"absent: {wanted} .*it holds no MNIST"):
        mnist(split="test")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:4], r"train-labels.*expected 5 labels .*train-images.*\(4,\)"),
        (IMAGES, LABELS + 1, r"train-labels.*expected 5 labels of 0 to 9.*up to 10"),
        (IMAGES, IMAGES, r"train-labels.*expected 5 labels.*\(5, 28, 28\)"),
        (IMAGES[:, :27], LABELS, r"train-images.*expected shape \(N, 28, 28\), got \(5, 27, 28\)"),
        (LABELS, LABELS, r"train-images.*expected shape \(N, 28, 28\), got \(5,\)"),
    ],
)
def test_files_that_are_not_mnist_are_named(tmp_path, images, labels, message):
    put(tmp_path, images=images, labels=labels)
    with pytest.raises(DataError, match=message):
        mnist(tmp_path)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split: expected 'train' or 'test', got 'valid'"):
        mnist(split="valid")


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_dir() == Path("/somewhere/scratchgan")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "scratchgan"


def openml(**changes):
    """What fetch_openml gives: rows of pixels, and labels as strings."""
    pixels = np.zeros((70_000, 784), np.uint8)
    pixels[:, 0] = np.arange(70_000) % 251
    target = (np.arange(70_000) % 10).astype(str).astype(object)
    return SimpleNamespace(**{"data": pixels, "target": target} | changes)


def test_a_download_is_cached_and_never_repeated(monkeypatch, capsys):
    calls = fetching(monkeypatch, openml())
    train, test = mnist(), mnist(split="test")
    assert len(calls) == 1
    assert calls[0]["name"] == "mnist_784"
    assert calls[0]["timeout"] <= 5
    assert socket.getdefaulttimeout() is None
    assert train.name == test.name == "mnist"
    assert train.images.shape == (60_000, 28, 28, 1)
    np.testing.assert_array_equal(train.images[:, 0, 0, 0], np.arange(60_000) % 251)
    np.testing.assert_array_equal(test.images[:, 0, 0, 0], np.arange(60_000, 70_000) % 251)
    np.testing.assert_array_equal(test.labels, np.arange(10_000) % 10)
    names = sorted(f"mnist/{name}.gz" for split in FILES.values() for name in split)
    assert everything_in(cache_dir()) == ["mnist", *names]
    assert not any(capsys.readouterr())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (URLError("no route"), "no route"),
        (TimeoutError("too slow"), "too slow"),
        (ValueError("md5 differs"), "md5 differs"),
        (openml(data=np.zeros((3, 784))), r"(3, 784)"),
        (openml(data=np.full((70_000, 784), 256, np.int16)), "0 to 255"),
        (openml(target=np.zeros(70_000, int)), "0 to 9"),
        (openml(target=np.full(70_000, "seven", object)), "seven"),
    ],
)
def test_without_a_download_the_digits_stand_in(monkeypatch, capsys, answer, reason):
    fetching(monkeypatch, answer)
    data = mnist()
    assert data.name == "digits"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert reason in said
    assert "openml.org" in said
    assert "set SCRATCHGAN_DATA to the folder" in said
    assert everything_in(cache_dir()) == []
    assert socket.getdefaulttimeout() is None


def test_a_cache_that_cannot_be_written_ends_in_the_digits(tmp_path, monkeypatch, capsys):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert mnist().name == "digits"
    assert str(cache_dir()) in capsys.readouterr().err


def test_an_interrupted_download_leaves_nothing(monkeypatch):
    fetching(monkeypatch, openml())
    written = []

    def interrupt(*_):
        written.append(None)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        mnist()
    assert everything_in(cache_dir()) == []


def test_the_digits_look_like_mnist(capsys):
    train, test = mnist(download=False), mnist(split="test", download=False)
    assert "no MNIST (none in" in capsys.readouterr().err
    assert not cache_dir().exists()
    assert train.images.shape == (1500, 28, 28, 1)
    assert test.images.shape == (297, 28, 28, 1)
    assert train.images.dtype == train.labels.dtype == np.uint8
    assert set(train.labels) == set(test.labels) == set(range(10))
    images = np.concatenate([train.images, test.images])
    assert images.max() == 255
    assert images[:, 4:24, 4:24].sum(dtype=int) == images.sum(dtype=int)
    small = load_digits()
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), small.target)
    blocks = images[:, 4:24, 4:24, 0].reshape(-1, 4, 5, 4, 5).mean((2, 4))
    coarse = small.images.reshape(-1, 4, 2, 4, 2).mean((2, 4)) * (255 / 16)
    assert np.corrcoef(blocks.ravel(), coarse.ravel())[0, 1] > 0.99


@pytest.mark.skipif(not REAL, reason="needs SCRATCHGAN_DATA, the folder that holds mnist/")
def test_the_real_files(monkeypatch):
    monkeypatch.setenv("SCRATCHGAN_DATA", REAL)
    train, test = mnist(), mnist(split="test")
    assert train.images.shape == (60_000, 28, 28, 1)
    assert test.images.shape == (10_000, 28, 28, 1)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
    ]  # fmt: skip
    assert abs(train.images.mean() / 255 - 0.1307) < 1e-4
    path = next(Path(REAL).rglob("t10k-labels*"))
    np.testing.assert_array_equal(read_idx(path), test.labels)
