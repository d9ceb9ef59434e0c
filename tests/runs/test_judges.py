"""Judges: networks in ONNX files, classifiers of the user's labels, untrained ones."""

import sys

import numpy as np
import pytest

from scratchgan.data import Dataset
from scratchgan.runs import judges


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), np.uint8)


@pytest.fixture
def export(tmp_path):
    """Write an ONNX file that gives back its input, flattened; its input is as described."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    def make(shape, kind="FLOAT", inputs=1, op="Flatten", **options):
        helper, numbers = onnx.helper, getattr(onnx.TensorProto, kind)
        nodes = [helper.make_node(op, ["x0"], ["y"], **options)]
        given = [helper.make_tensor_value_info(f"x{i}", numbers, shape) for i in range(inputs)]
        out = [helper.make_tensor_value_info("y", numbers, None)]
        graph = helper.make_graph(nodes, "judge", given, out)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(model, tmp_path / "judge.onnx")
        return tmp_path / "judge.onnx"

    return make


@pytest.mark.parametrize("batch", ["N", 3, 1])
@pytest.mark.parametrize("sizes", [(6, 5), ("H", "W")])
def test_channels_first_and_floats(export, images, batch, sizes):
    judge = judges.onnx_judge(export([batch, 3, *sizes]))
    wanted = images.transpose(0, 3, 1, 2).reshape(7, -1) / np.float32(127.5) - 1
    np.testing.assert_array_equal(judge.features(images), wanted)
    assert judge.shape == ((6, 5) if sizes == (6, 5) else None)
    assert judge.name == "the network judge.onnx" and judge.read is None


@pytest.mark.parametrize("batch", ["N", 2])
def test_channels_last_and_bytes(export, images, batch):
    judge = judges.onnx_judge(export([batch, "H", "W", 3], "UINT8"))
    np.testing.assert_array_equal(judge.features(images), images.reshape(7, -1))


def test_many_images_are_judged_in_parts(export):
    images = np.random.default_rng(1).integers(0, 256, (150, 4, 4, 1), np.uint8)
    judge = judges.onnx_judge(export(["N", 1, 4, 4], "UINT8"))
    np.testing.assert_array_equal(judge.features(images), images.reshape(150, -1))


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((2, 28, 28, 3), r"\(28, 28, 3\), got \(6, 5, 3\)"),
        (("N", "H", "W", 1), r"\('any', 'any', 1\), got \(6, 5, 3\)"),
        (("N", 3, "H", 9), r"\('any', 9, 3\), got \(6, 5, 3\)"),
    ],
)
def test_images_of_another_size_are_refused(export, images, shape, got):
    judge = judges.onnx_judge(export(shape))
    with pytest.raises(ValueError, match=rf"judge.onnx: expected images .*{got}; put a resize"):
        judge.features(images)


@pytest.mark.parametrize(
    ("shape", "options", "got"),
    [
        (("N", "C", "H", "W"), {}, r"got tensor\(float\) \('N', 'C', 'H', 'W'\); fix C"),
        ((3, 28, 28), {}, r"got tensor\(float\) \(3, 28, 28\)"),
        (("N", 3, 8, 3), {}, "got tensor"),
        (("N", 3, 8, 8), {"kind": "INT64"}, r"got tensor\(int64\)"),
        (("N", 3, 8, 8), {"inputs": 2}, "got 2 inputs"),
    ],
)
def test_other_networks_are_refused(export, shape, options, got):
    with pytest.raises(ValueError, match=f"judge.onnx: expected one input .*{got}"):
        judges.onnx_judge(export(shape, **options))


def test_features_that_are_not_one_row_an_image_are_refused(export, images):
    judge = judges.onnx_judge(export(["N", 3, 6, 5], axis=0))
    with pytest.raises(ValueError, match=r"expected features of 7 images, got \(1, 630\)"):
        judge.features(images)


def test_what_is_no_onnx_file_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(ValueError, match=r"text.onnx: expected an ONNX file, cannot be read: "):
        judges.onnx_judge(tmp_path / "text.onnx")
    with pytest.raises(ValueError, match=r"none.onnx: no such file"):
        judges.onnx_judge(tmp_path / "none.onnx")


def test_without_onnxruntime_the_cure_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"onnxruntime; pip install 'scratchgan\[score\]'"):
        judges.onnx_judge(tmp_path / "a.onnx")


@pytest.fixture
def labelled(monkeypatch, tmp_path):
    """Dark and bright images, and a cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(judges, "STEPS", 40)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 150).astype(np.uint8)
    images = rng.integers(0, 60, (150, 8, 8, 1), np.uint8) + 60 * labels[:, None, None, None]
    return Dataset(images.astype(np.uint8), labels, "shades")


def test_a_classifier_of_labels_is_trained_once_for_the_same_data(labelled, tmp_path, capsys):
    first = judges.class_judge(labelled, 8)
    assert first.accuracy == 1 and first.classes == 2
    assert "training a judge of the 2 classes of shades, once" in capsys.readouterr().err
    again = judges.class_judge(labelled, 8)
    assert capsys.readouterr().err == ""
    features = first.features(labelled.images)
    assert features.shape == (150, 8)
    np.testing.assert_array_equal(again.features(labelled.images), features)
    assert (first.read(features) == labelled.labels).all()
    judges.class_judge(Dataset(labelled.images, 1 - labelled.labels, "shades"), 8)
    assert "training" in capsys.readouterr().err  # the same images with other labels
    assert len(list((tmp_path / "scratchgan" / "judges").iterdir())) == 2


def test_its_accuracy_is_of_images_that_it_has_not_seen(labelled):
    """Of labels that mean nothing it learns those it sees by heart, and guesses the others."""
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (300, 8, 8, 1), np.uint8), rng.integers(0, 2, 300)
    judge = judges.class_judge(Dataset(images, labels.astype(np.uint8), "noise"), 32)
    assert 0.2 < judge.accuracy < 0.8


def test_labels_that_are_all_equal_are_refused(labelled):
    with pytest.raises(ValueError, match=r"`judge=labels`: expected labels .*, got only one class"):
        judges.class_judge(labelled._replace(labels=np.zeros(150, np.uint8)), 8)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 3), (17, 40, 3), (256, 256, 1)])
def test_untrained_features_are_the_same_every_time_and_come_with_a_warning(shape, capsys):
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    a, b = (judges.random_judge(shape, 16).features(images) for _ in range(2))
    assert a.shape == (2, 16) and np.ptp(a) > 0
    np.testing.assert_array_equal(a, b)
    assert "an untrained network" in capsys.readouterr().err
