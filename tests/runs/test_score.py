"""A run's score: what it is made of, what it refuses, and the judge that is kept."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_digits

from scratchgan.__main__ import main
from scratchgan.data import DataError, Dataset
from scratchgan.metrics import predict
from scratchgan.runs import score, train, trained

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


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def judged(digits, shared_cache, monkeypatch):
    """As `digits`, with a judge that only the first test trains."""
    monkeypatch.setattr(score, "cache_dir", lambda: shared_cache)
    return digits


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


@pytest.fixture
def short_training(digits, monkeypatch):
    """Three batches."""
    fit = score.metrics.fit_classifier
    monkeypatch.setattr(
        score.metrics,
        "fit_classifier",
        lambda net, x, labels, rng: fit(net, x[:128], labels[:128], rng),
    )


def test_the_training_of_the_judge_is_announced_with_a_bar(short_training, tmp_path, capsys):
    score.digit_judge()
    first, *bar = capsys.readouterr().err.splitlines()
    assert first.startswith("scratchgan: training the judge of digits, once: ")
    assert str(tmp_path / "cache" / "digit_classifier.safetensors") in first
    assert "100%" in bar[-1]
    score.digit_judge()
    assert capsys.readouterr().err == ""  # it is only read


def test_a_judge_that_cannot_be_kept_is_used_all_the_same(short_training, tmp_path, capsys):
    theta = score.digit_judge().theta
    (tmp_path / "cache" / "digit_classifier.safetensors").unlink()
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").write_text("a file in the place of the folder")
    capsys.readouterr()
    np.testing.assert_array_equal(score.digit_judge().theta, theta)
    said = capsys.readouterr().err
    assert "the judge is used now, but not kept: " in said and "File exists" in said


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


def test_real_digits_score_better_than_an_untrained_generator(judged, tmp_path, monkeypatch):
    run = run_of(tmp_path, judged(None, "train").images)
    judge = score.digit_judge()
    noise = score.score_run(run, judge=judge)
    monkeypatch.setattr(trained, "generate", lambda *a: judged(None, "train").images[600:900])
    real = score.score_run(run, judge=judge)
    assert noise.floor == real.floor > 0
    assert noise.fid > 4 * noise.floor
    assert real.fid < 3 * real.floor
    assert noise.recall < 0.1 < real.recall
    assert real.precision > 0.5
    assert real.classes_kl < 0.02 < noise.classes_kl
    assert noise.accuracy is None


def test_of_a_conditional_run_the_judge_reads_what_was_asked_for(judged, tmp_path, monkeypatch):
    data = judged(None, "train")
    run = run_of(tmp_path, data.images, data.labels, condition="concat", classes=10)
    wanted = [data.images[data.labels == k][:30] for k in range(10)]  # 30 of each class
    images = np.stack(wanted, 1).reshape(300, 28, 28, 1)  # 0, 1, ..., 9, 0, 1, ...
    monkeypatch.setattr(trained, "generate", lambda generator, z, labels: images)
    assert score.score_run(run, judge=score.digit_judge()).accuracy > 0.9


def test_the_command_prints_a_line_a_run(judged, tmp_path, capsys, monkeypatch):
    run = run_of(tmp_path, judged(None, "train").images)
    looked, embed = [], score.metrics.embed
    monkeypatch.setattr(score.metrics, "embed", lambda *a: (looked.append(a), embed(*a))[1])
    assert main(["score", str(run), str(run), "--backend", "numpy"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    table, legend = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert len(table) == 2 and table[0] == table[1]
    assert len(looked) == 2 + 2  # at real judged once, for both
    columns = re.split(" {2,}", head)
    assert columns == ["run", "FID", "x real", "precision", "recall", "KL"]
    assert {len(line) for line in (head, *table)} == {len(head)}  # aligned
    found = score.score_run(run)
    name, *numbers = table[0].split()
    assert name == str(run)
    wanted = [found.fid, found.fid / found.floor, found.precision, found.recall, found.classes_kl]
    assert np.allclose([float(text) for text in numbers], wanted, atol=0.051)
    # Each column has a line that says what it is, and which direction is good.
    assert [re.split(" {2,}", line)[0] for line in legend] == columns[1:]
    assert f"{found.floor:.2f}" in legend[1]
    assert all(re.search(r"(less|more|as good as real|evenly)", line) for line in legend)
    assert max(map(len, legend)) <= 100


def test_a_conditional_run_has_a_column_of_its_own(judged, tmp_path, capsys):
    data = judged(None, "train")
    plain = run_of(tmp_path / "plain", data.images)
    asked = run_of(tmp_path / "asked", data.images, data.labels, condition="concat", classes=10)
    assert main(["score", str(plain), str(asked), "--backend", "numpy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("as asked") and lines[-1].startswith("as asked ")
    assert lines[1].endswith(" -") and lines[2].endswith("%")


def test_a_run_that_cannot_be_read_does_not_lose_the_others(judged, tmp_path, monkeypatch, capsys):
    good = run_of(tmp_path, judged(None, "train").images)
    install(monkeypatch)
    train(tiny_config(), random_images(32), tmp_path / "small", steps=1, backend="numpy")
    names = [str(path) for path in (tmp_path / "none", good, tmp_path / "small", good)]
    capsys.readouterr()
    assert main(["score", *names, "--backend", "numpy"]) == 2
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and "none/checkpoint.safetensors: no such checkpoint" in errors[0]
    assert "small: expected digits (28, 28, 1), got images (6, 6, 1)" in errors[1]
    assert [line.split()[0] for line in out.splitlines()[1:3]] == [str(good)] * 2


def test_nothing_is_loaded_or_trained_before_the_runs_are_read(tmp_path, monkeypatch, capsys):
    """Not even MNIST, which might be downloaded."""

    def refuse(*arguments, **options):
        raise AssertionError("too early")

    monkeypatch.setattr(score, "mnist", refuse)
    assert main(["score", str(tmp_path / "a"), str(tmp_path / "b"), "--backend", "numpy"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("error: ") == err.count("\n") == 2


def test_a_run_of_other_images_is_refused_after_one_image(digits, tmp_path, monkeypatch):
    install(monkeypatch)
    train(tiny_config(), random_images(32), tmp_path / "run", steps=1, backend="numpy")
    made, generate = [], trained.generate
    monkeypatch.setattr(
        trained, "generate", lambda g, z, *a: (made.append(len(z)), generate(g, z, *a))[1]
    )
    with pytest.raises(ValueError, match="expected digits"):
        score.draw_digits(tmp_path / "run", backend="numpy")
    assert made == [1]


def test_a_negative_seed_is_refused(tmp_path, capsys):
    assert main(["score", str(tmp_path), "--seed", "-1"]) == 2
    assert "--seed: expected 0 or more, got -1" in capsys.readouterr().err


def test_images_that_are_no_digits_are_refused(digits, tmp_path, monkeypatch, capsys):
    install(monkeypatch)
    train(tiny_config(), random_images(32), tmp_path / "run", steps=1, backend="numpy")
    assert main(["score", str(tmp_path / "run"), "--backend", "numpy"]) == 2
    assert "expected digits (28, 28, 1), got images (6, 6, 1)" in capsys.readouterr().err


def test_without_mnist_there_is_no_score(digits, tmp_path):
    with pytest.raises(DataError, match="expected MNIST, got digits: name its folder with `data=`"):
        score.digit_judge("digits")
