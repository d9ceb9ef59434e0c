"""A run's score: what it is made of, what it refuses, and the judge that is kept."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from scratchgan.data import DataError, Dataset
from scratchgan.metrics import predict
from scratchgan.runs import judges, score, train, trained

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
    monkeypatch.setattr(
        score.metrics, "fit_classifier", lambda *a, **o: fit(*a, **o | {"epochs": 3})
    )
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

    def refuse(*arguments, **options):
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
        lambda net, x, labels, rng, **o: fit(net, x[:128], labels[:128], rng, **o),
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


def test_without_mnist_there_is_no_score(digits, tmp_path):
    with pytest.raises(DataError, match="expected MNIST, got digits: name its folder with `data=`"):
        score.digit_judge("digits")


def test_of_digits_the_long_score_has_the_numbers_of_the_short_one(judged, tmp_path):
    data = judged(None, "train")
    run = run_of(tmp_path, data.images, data.labels, condition="concat", classes=10)
    long, short = score.score(run), score.score_run(run)
    assert long.samples == 300 and long.against == "300 test images of mnist"
    found = long.measures
    pairs = zip(
        ("FID", "precision", "recall", "KL", "as asked"), [short.fid, *short[2:]], strict=True
    )
    for name, value in pairs:
        assert found[name].value == pytest.approx(value)
    assert found["FID"].floor == pytest.approx(short.floor)
    assert found["x real"].value == pytest.approx(short.fid / short.floor)
    assert 0.8 < found["as asked"].floor == found["as asked"].floor < 1
    assert found["CAS"].value < 0.5 < found["CAS"].floor  # of noise nothing can be learned
    for name, m in found.items():
        assert m.low <= m.value <= m.high or name == "KID"


def test_real_digits_reach_the_floor_and_are_known_for_copies(judged, tmp_path):
    """They are training images, so each of them is a copy."""
    data = judged(None, "train")
    found = score.score(Dataset(data.images[300:600], data.labels[300:600], "x"), made=(made := {}))
    m = found.measures
    assert m["x real"].value == pytest.approx(1, abs=0.3)
    assert m["memorised"].value == 1 and m["memorised"].floor == 0.01
    assert m["CAS"].value == pytest.approx(m["CAS"].floor, abs=0.12)
    np.testing.assert_array_equal(found.nearest, np.arange(300, 600))
    np.testing.assert_array_equal(found.pairs[::2], found.pairs[1::2])
    again = score.score(data.images[300:600], made=made)
    assert len(made) == 1 and again.measures["FID"] == m["FID"]


def test_the_reference_itself_is_no_sample(judged):
    images = judged(None, "test").images[:300]
    with pytest.raises(ValueError, match="array: expected samples, got the real images themselves"):
        score.score(images)


@pytest.fixture
def pictures():
    """Bright squares on the left or the right, in colours, and which side it is."""

    def make(n, seed, side=16):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, n)
        images = rng.integers(0, 60, (n, side, side, 3), np.uint8)
        for image, label, (a, b) in zip(images, labels, rng.integers(2, 5, (n, 2)), strict=True):
            image[a : a + 6, b + 5 * label :][:, :6] += rng.integers(80, 190, 3).astype(np.uint8)
        return Dataset(images, labels.astype(np.uint8), "squares")

    return make


@pytest.mark.parametrize("judge", ["labels", "random"])
def test_more_noise_is_worse_in_every_measure(pictures, judge, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(judges, "STEPS", 60)
    real, good, made = pictures(400, 0), pictures(200, 1), {}
    rng, found = np.random.default_rng(0), []
    for level in (0, 25, 80):
        noisy = good.images + rng.normal(0, level or 1e-9, good.images.shape)
        images = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        found.append(score.score(images, real, judge, made=made).measures)
    for name in ("FID", "x real", "KID"):
        assert found[0][name].value < found[1][name].value < found[2][name].value, name
    for name in ("precision", "density", "coverage"):
        assert found[0][name].value > found[2][name].value, name
    assert found[0]["x real"].low < 1.5 and found[2]["x real"].low > 2
    assert abs(found[0]["KID"].value) < 2 * (found[0]["KID"].high - found[0]["KID"].value)
    assert len(made) == 1


def test_the_halves_of_real_images_are_within_two_standard_errors(pictures, capsys):
    """KID's floor is of one half of the real images against the other."""
    for seed in range(6):
        fake, real = pictures(100, 50 + seed).images, pictures(300, seed).images
        m = score.score(fake, real, "random").measures["KID"]
        error = (m.high - m.low) / 2 / 1.96
        assert abs(m.floor) < 3 * error and abs(m.value) < 3 * error
    assert "untrained network" in capsys.readouterr().err


def test_copies_of_training_images_are_found_and_others_are_not(pictures):
    real, other = pictures(2000, 0).images, pictures(600, 1).images
    mixed = np.concatenate([other, real[100:300]])
    assert score.score(other, real, "random").measures["memorised"].value < 0.03
    found = score.score(mixed, real, "random")
    assert found.measures["memorised"].value == pytest.approx(0.25, abs=0.03)
    assert set(range(100, 300)) <= set(found.nearest)
    np.testing.assert_array_equal(found.pairs[0], found.pairs[1])  # the nearest come first


def test_a_conditional_run_of_own_images_is_read_by_a_classifier_of_them(
    pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(judges, "STEPS", 60)
    real, good = pictures(400, 0), pictures(200, 1)
    m = score.score(good, real).measures
    assert "training a judge of the 2 classes of squares" in capsys.readouterr().err
    assert m["as asked"].value > 0.95 and m["CAS"].value > 0.95 and m["CAS"].floor > 0.95
    assert m["as asked"].floor > 0.95
    assert 0.3 < m["fewest"].value <= 0.5 <= m["most"].value < 0.7
    swapped = Dataset(good.images, 1 - good.labels, "swapped")
    m = score.score(swapped, real).measures
    assert m["as asked"].value < 0.05 and m["CAS"].value < 0.05
    assert "training" not in capsys.readouterr().err.replace("classifier", "")
    one = pictures(400, 2)
    one = Dataset(one.images[one.labels == 1][:150], None, "right only")
    m = score.score(one, real).measures
    assert m["KL"].value > 0.5 and m["fewest"].value < 0.05 and m["most"].value > 0.95
    assert m["recall"].value < 0.8 * m["recall"].floor  # and the other half is not covered
    assert m["coverage"].value < 0.7 * m["coverage"].floor < 0.8 * m["precision"].value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda make: make(200, 0).images, "expected samples, got the real images themselves"),
        (lambda make: make(50, 1).images.repeat(2, 0), "got 50 different ones of 100: .*collapsed"),
        (
            lambda make: make(12, 1).images,
            "fake: expected at least 17 rows, got 12: the covariance",
        ),
        (lambda make: make(50, 1, 20).images, r"expected images of shape \(20, 20, 3\), got \(16"),
        (lambda make: make(50, 1).images / 0.0, "NaN and infinity are no colours"),
    ],
)
def test_samples_whose_score_would_mean_nothing_are_refused(pictures, make, message):
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        score.score(make(pictures), pictures(200, 0), "random")


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ("mnist", r"`judge=mnist`: expected digits \(28, 28, 1\), got images \(16, 16, 3\)"),
        ("labels", "expected labels of the real images, got none; name them"),
        ("inception", "judge: expected mnist, labels, random or a FILE.onnx, got 'inception'"),
        ("none.onnx", "none.onnx: no such file"),
    ],
)
def test_judges_that_cannot_judge_are_refused(pictures, judge, message):
    pytest.importorskip("onnxruntime")
    real = Dataset(pictures(200, 0).images, None, "plain")
    with pytest.raises(ValueError, match=message):
        score.score(pictures(100, 1), real, judge)


def test_labels_count_only_if_their_names_are_those_of_the_real_ones(
    pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr(judges, "STEPS", 20)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    real, good = pictures(200, 0), pictures(100, 1)
    for names, has in ((["left", "right"], True), (["a", "b"], False)):
        real.classes, good.classes = ["left", "right"], names
        assert ("as asked" in score.score(good, real).measures) == has


def test_too_few_samples_are_refused_before_a_classifier_learns(pictures, monkeypatch):
    real, few = pictures(200, 0), pictures(12, 1)
    made = {}
    with pytest.raises(ValueError, match="at least 17 rows"):
        score.score(few, real, "random", made=made)
    (yardstick,) = made.values()
    assert yardstick._floors == {}


def test_a_few_repeated_images_are_no_reason(pictures):
    images = pictures(200, 1).images
    images[:5] = images[5:10]
    assert score.score(images, pictures(400, 0), "random").samples == 200


def test_repeated_real_images_and_too_few_are_refused(pictures):
    real = pictures(100, 0)
    twice = Dataset(np.concatenate([real.images, real.images]), None, "twice")
    with pytest.raises(ValueError, match="100 different ones of 200: files of twice are repeated"):
        score.score(pictures(50, 1), twice, "random")
    with pytest.raises(ValueError, match="squares: expected 32 real images or more, got 31"):
        score.score(pictures(50, 1), pictures(31, 0), "random")


def test_fewer_samples_than_the_reference_have_a_floor_of_as_many(pictures):
    real, made = pictures(600, 0).images, {}
    sets = pictures(100, 1).images, pictures(300, 1).images
    few, many = (score.score(images, real, "random", made=made) for images in sets)
    assert few.samples == 100 and many.samples == 300
    assert few.measures["FID"].floor > 1.3 * many.measures["FID"].floor


def test_a_run_of_own_images_asks_for_them_unless_it_names_them(tmp_path, monkeypatch):
    install(monkeypatch)
    images = random_images(200)
    train(tiny_config(), images, tmp_path / "a", steps=1, backend="numpy")
    with pytest.raises(ValueError, match=r"expected real images .* name them: `real=PATH`"):
        score.score(tmp_path / "a")
    np.save(tmp_path / "own.npy", images)
    named = {"images": str(tmp_path / "own.npy")}
    train(tiny_config(), images, tmp_path / "b", steps=1, backend="numpy", command=named)
    asked = score.score(tmp_path / "a", tmp_path / "own.npy")
    found = score.score(tmp_path / "b")
    assert found.against == "100 images of own" and found.samples == 100
    assert found.measures == asked.measures
