"""A run's score: what it is made of, what it refuses, and the judge that is kept."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from scratchgan.__main__ import main
from scratchgan.data import DataError, Dataset
from scratchgan.metrics import predict
from scratchgan.runs import score, train

from ..gan.tiny import install, random_images, tiny_config


@pytest.fixture
def digits(monkeypatch, tmp_path):
    """Small digits in the place of MNIST, a short training, and a cache of one's own."""
    x, labels = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1).repeat(3, 1).repeat(3, 2)
    x = np.pad((x * 15.9).astype(np.uint8), ((0, 0), (2, 2), (2, 2), (0, 0)))  # (1797, 28, 28, 1)
    parts = {"train": slice(1200), "test": slice(1200, None)}
    labels = labels.astype(np.uint8)

    def mnist(data, split):
        return Dataset(x[parts[split]], labels[parts[split]], data or "mnist")

    fit = score.metrics.fit_classifier
    monkeypatch.setattr(score, "mnist", mnist)
    monkeypatch.setattr(score.metrics, "fit_classifier", lambda *a: fit(*a, epochs=3))
    monkeypatch.setattr(score, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(score, "SAMPLES", 300)
    return mnist


@pytest.fixture
def no_training(monkeypatch):
    """From here on, a judge that is trained is an error."""

    def refuse(*arguments):
        raise AssertionError("trained again")

    return lambda: monkeypatch.setattr(score.metrics, "fit_classifier", refuse)


def run_of(tmp_path, images, labels=None, **options):
    """The folder of a run of one step."""
    config = tiny_config(model="mlp-small", **options)
    train(config, images, tmp_path / "run", steps=1, backend="numpy", labels=labels)
    return tmp_path / "run"


def test_the_judge_is_trained_once_and_then_read(digits, tmp_path, no_training):
    first = score.digit_judge()
    no_training()
    second = score.digit_judge()
    np.testing.assert_array_equal(first.theta, second.theta)
    test = digits(None, "test")
    x = test.images / np.float32(127.5) - 1
    assert (predict(second, x) == test.labels).mean() > 0.85
    np.testing.assert_array_equal(predict(first, x), predict(second, x))  # statistics, too
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["digit_classifier.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "text", "version"])
def test_a_judge_that_does_not_fit_is_trained_again(digits, tmp_path, monkeypatch, damage):
    theta = score.digit_judge().theta
    path = tmp_path / "cache" / "digit_classifier.safetensors"
    whole = path.read_bytes()
    if damage == "version":
        monkeypatch.setattr(score, "JUDGE_VERSION", score.JUDGE_VERSION + 1)
    else:
        path.write_bytes(whole[:-9] if damage == "cut" else b"not a judge")
    np.testing.assert_array_equal(score.digit_judge().theta, theta)
    assert path.stat().st_size >= len(whole)


def test_real_digits_score_better_than_an_untrained_generator(digits, tmp_path, monkeypatch):
    run = run_of(tmp_path, digits(None, "train").images)
    judge = score.digit_judge()
    noise = score.score_run(run, judge=judge)
    monkeypatch.setattr(score, "generate", lambda *a: digits(None, "train").images[600:900])
    real = score.score_run(run, judge=judge)
    assert noise.floor == real.floor > 0
    assert noise.fid > 4 * noise.floor
    assert real.fid < 3 * real.floor
    assert noise.recall < 0.1 < real.recall
    assert real.precision > 0.5
    assert real.classes_kl < 0.02 < noise.classes_kl
    assert noise.accuracy is None


def test_of_a_conditional_run_the_judge_reads_what_was_asked_for(digits, tmp_path, monkeypatch):
    data = digits(None, "train")
    run = run_of(tmp_path, data.images, data.labels, condition="concat", classes=10)
    wanted = [data.images[data.labels == k][:30] for k in range(10)]  # 30 of each class
    images = np.stack(wanted, 1).reshape(300, 28, 28, 1)  # 0, 1, ..., 9, 0, 1, ...
    monkeypatch.setattr(score, "generate", lambda generator, z, labels: images)
    assert score.score_run(run, judge=score.digit_judge()).accuracy > 0.9


def test_the_command_prints_a_line_a_run(digits, tmp_path, capsys, monkeypatch):
    run = run_of(tmp_path, digits(None, "train").images)
    looked, embed = [], score.metrics.embed
    monkeypatch.setattr(score.metrics, "embed", lambda *a: (looked.append(a), embed(*a))[1])
    assert main(["score", str(run), str(run), "--backend", "numpy"]) == 0
    head, rule, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert len(looked) == 2 + 2  # at real digits once, for both
    assert {line.count("|") for line in (head, rule, *lines)} == {8}
    assert lines[0].startswith(f"| {run} | ")


def test_images_that_are_no_digits_are_refused(digits, tmp_path, monkeypatch, capsys):
    install(monkeypatch)
    train(tiny_config(), random_images(32), tmp_path / "run", steps=1, backend="numpy")
    assert main(["score", str(tmp_path / "run"), "--backend", "numpy"]) == 2
    assert "expected digits (28, 28, 1), got images (6, 6, 1)" in capsys.readouterr().err


def test_without_mnist_there_is_no_score(digits, tmp_path):
    with pytest.raises(DataError, match="expected MNIST, got digits: name its folder with --data"):
        score.digit_judge("digits")
