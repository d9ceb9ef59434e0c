"""The front door: `train` and `load` with arrays, networks and options of the user's own."""

import json

import numpy as np
import pytest

import scratchgan as sg
from scratchgan.data import Dataset
from scratchgan.runs import CheckpointError, DivergenceError
from scratchgan.runs.folder import COLUMNS

from .own_networks import PAIR, SHAPE, discriminator, generator

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, *SHAPE), np.uint8)
LABELS = np.arange(40) % 3
QUICK = {"steps": 4, "batch_size": 8, "backend": "numpy", "progress": False}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)


def trained(out, images=IMAGES, model=PAIR, **options):
    return sg.train(images, model, out=out, **QUICK | options)


def content(out):
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_run_of_own_networks(tmp_path):
    run = trained(tmp_path / "mine", steps=25, preset="r3gan", seed=3)
    assert run.steps == 25 and run.out == tmp_path / "mine"
    assert (run.config.loss, run.config.ema, run.config.seed) == ("relativistic", 0.999, 3)
    images = run.sample(5, seed=1)
    assert images.shape == (5, *SHAPE) and images.dtype == np.uint8
    assert np.array_equal(images, run.sample(5, seed=1))
    assert not np.array_equal(images, run.sample(5, seed=2))
    assert run.history.dtype.names == COLUMNS
    assert list(run.history["step"]) == [10, 20, 25]
    assert run.history["d_loss"].dtype == float and np.isfinite(run.history["d_loss"]).all()
    assert "own networks" in repr(run) and "25 steps" in repr(run)


def test_callables_and_networks_mean_the_same(tmp_path):
    made = generator(), discriminator()
    made[0].initialize(7)
    before = made[0].theta.copy()
    runs = [
        trained(tmp_path / str(i), model=sg.Model(G, D, z_dim=14))
        for i, (G, D) in enumerate([(generator, discriminator), made])
    ]
    assert runs[0].config == runs[1].config
    assert np.array_equal(runs[0].generator.theta, runs[1].generator.theta)
    assert np.array_equal(made[0].theta, before)  # copies are trained


def test_a_resumed_run_ends_as_one_without_a_stop(tmp_path):
    trained(tmp_path / "a")
    a, b = trained(tmp_path / "a", steps=8, resume=True), trained(tmp_path / "b", steps=8)
    assert np.array_equal(a.generator.theta, b.generator.theta)
    assert list(a.history["step"]) == [4, 8] and list(b.history["step"]) == [8]
    assert a.history["d_loss"][-1] == b.history["d_loss"][-1]


def test_a_cell_that_runs_twice_speaks_python(tmp_path):
    trained(tmp_path)
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match=r"`resume=True`, or choose another `out=`"):
        trained(tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("condition", [None, "projection"])
def test_labels_make_a_conditional_run(tmp_path, condition):
    options = {"condition": condition} if condition else {}
    run = trained(tmp_path, labels=LABELS, **options)
    assert (run.config.condition, run.config.classes) == ("projection", 3)
    assert run.z_dim == 14 - 10
    assert run.sample(7).shape == run.sample(7, label=2).shape == (7, *SHAPE)
    assert np.array_equal(run.sample(3)[2], run.sample(3, label=2)[2])  # each class in turn
    assert np.array_equal(run.sample(2, label=[1, 0])[1], run.sample(2, label=0)[1])
    again = sg.load(tmp_path, PAIR, "numpy")
    assert np.array_equal(again.sample(6), run.sample(6))


@pytest.mark.parametrize("label", [3, -1, 0.5, [0, 1, 3], "two"])
def test_labels_that_a_run_does_not_have(tmp_path, label):
    run = trained(tmp_path, labels=LABELS)
    with pytest.raises(ValueError, match="`label=`: expected 0 to 2, got"):
        run.sample(3, label=label)
    with pytest.raises(ValueError, match=r"label: expected one, or 3, got .* \(2,\)"):
        run.sample(3, label=[0, 1])
    with pytest.raises(ValueError, match="was trained without labels"):
        trained(tmp_path / "plain").sample(3, label=1)


def test_labels_of_a_data_set_are_used_if_asked_for(tmp_path):
    data = Dataset(IMAGES, LABELS.astype(np.uint8), "mine")
    assert trained(tmp_path / "a", data).config.condition is None
    assert trained(tmp_path / "b", data, condition="projection").config.classes == 3


def test_the_same_images_in_other_types_train_the_same_network(tmp_path):
    same = [IMAGES.astype(np.int64), IMAGES.astype("f"), IMAGES / 255, np.moveaxis(IMAGES, 3, 1)]
    found = [trained(tmp_path / str(i), x).generator.theta for i, x in enumerate([IMAGES, *same])]
    for theta in found[1:]:
        assert np.array_equal(theta, found[0])


def test_library_networks_by_name_and_by_default(tmp_path):
    digits = RNG.integers(0, 256, (16, 28, 28), np.uint8)
    assert trained(tmp_path / "a", digits, None, steps=1).config.model == "mlp"
    assert trained(tmp_path / "b", digits, "mlp-small", steps=1).config.model == "mlp-small"
    with pytest.raises(ValueError, match="not square"):
        trained(tmp_path / "c", RNG.integers(0, 256, (16, 28, 20), np.uint8), None)


def test_a_folder_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for i in range(10):
        Image.fromarray(IMAGES[i]).save(tmp_path / "pictures" / f"{i}.png")
    run = trained(tmp_path / "run", tmp_path / "pictures", size=6)
    assert run.config.data.startswith("pictures (10, 6, 6, 3) ")


def test_options_of_numpy_types_and_both_learning_rates(tmp_path):
    run = trained(tmp_path, batch_size=np.int64(8), lr=np.float32(0.5), d_lr=0.25, preset="gan")
    assert (run.config.batch_size, run.config.g_lr, run.config.d_lr) == (8, 0.5, 0.25)
    assert json.loads((tmp_path / "config.json").read_text())["g_lr"] == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 1}, "no option 'learning_rate'; expected one of .*, lr"),
        ({"batchsize": 8}, "no option 'batchsize'; did you mean batch_size"),
        ({"preset": "wgangp"}, "preset: expected one of gan, .*, got 'wgangp'"),
        ({"loss": "hinges"}, "loss: expected one of .*, got 'hinges'"),
        ({"batch_size": 0}, "batch_size: expected 1 or more, got 0"),
        ({"batch_size": "8"}, "batch_size: expected an integer, got '8'"),
        ({"g_lr": True}, "g_lr: expected a number, got True"),
        ({"steps": 0}, "`steps=`: expected an integer of 1 or more, got 0"),
        ({"steps": 2.5}, "`steps=`: expected an integer of 1 or more, got 2.5"),
        ({"save_every": "9"}, "`save_every=`: expected an integer of 1 or more, got '9'"),
        ({"label": LABELS}, "no option 'label'; did you mean labels"),
        ({"model": (generator, discriminator)}, "got tuple; write scratchgan.Model"),
        ({"model": IMAGES, "images": PAIR}, "model: expected a name or a Model, got ndarray"),
        ({"model": 3}, "model: expected a name or a Model, got int"),
        ({"model": "gan"}, "model: expected one of mlp"),
        ({"images": IMAGES[..., 0, 0]}, "images: expected images"),
        ({"images": IMAGES, "labels": LABELS[:3]}, "labels: expected 40 labels"),
    ],
)
def test_what_cannot_be_used_is_said_and_leaves_no_folder(tmp_path, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        trained(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ((generator, discriminator, 5), r"generator, given .*\(2, 5\): layer 0: Dense\(14, 16"),
        ((lambda: sg.Dense(14, 108), discriminator, 14), r"generator: expected .*\(N, 6, 6, 3\)"),
        ((generator, lambda: sg.Flatten(), 14), r"discriminator: expected output .*\(N, 1\), got"),
        (
            (generator, lambda: sg.Sequential(discriminator(), sg.Sigmoid()), 14),
            r"discriminator: ends with Sigmoid\(\); the losses take logits",
        ),
        (
            (
                lambda: sg.Sequential(*generator().layers[:-2], sg.Sigmoid(), sg.Reshape(SHAPE)),
                discriminator,
                14,
            ),
            r"generator: ends with Sigmoid\(\); images are in \[-1, 1\]",
        ),
        ((lambda: 3, discriminator, 14), "Model: expected functions that return Layers, got 3"),
    ],
)
def test_networks_that_do_not_fit_are_said(tmp_path, networks, message):
    with pytest.raises(ValueError, match=message):
        trained(tmp_path / "run", model=sg.Model(*networks))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("parts", [(3, generator), (generator, None), ("mlp", discriminator)])
def test_a_model_is_made_of_networks(parts):
    with pytest.raises(TypeError, match="Model: expected Layers or functions that return them"):
        sg.Model(*parts)


@pytest.mark.parametrize("z_dim", [0, -1, 2.5, "64"])
def test_noise_has_a_length(z_dim):
    with pytest.raises(ValueError, match="z_dim of 1 or more"):
        sg.Model(generator, discriminator, z_dim)


def test_every_parameter_of_own_networks_moves(tmp_path):
    """In one step, with and without labels; seen in what is saved, before and after it."""
    from scratchgan.gan import Config, build

    for labels, condition in [(None, None), (LABELS, "projection")]:
        config = Config(
            "x", "own", batch_size=40, condition=condition, classes=3 if condition else 0
        )
        trainer = build(config, IMAGES, "numpy", labels, PAIR)
        networks = trainer.generator, trainer.discriminator
        before = [{k: p.value.copy() for k, p in net.params().items()} for net in networks]
        trainer.step()
        for net, old in zip(networks, before, strict=True):
            for key, param in net.params().items():
                assert (param.value != old[key]).any(), key


def test_classes_without_images_are_said(tmp_path, capsys):
    trained(tmp_path / "a", labels=LABELS + 1)
    assert "warning: labels: only 3 of the classes 0 to 3 occur" in capsys.readouterr().err
    trained(tmp_path / "b", labels=LABELS)
    assert "warning" not in capsys.readouterr().err


def test_a_sigmoid_is_seen_in_a_conditional_run(tmp_path):
    G = sg.Sequential(*generator().layers[:-2], sg.Sigmoid(), sg.Reshape(SHAPE))
    with pytest.raises(ValueError, match="generator: ends with Sigmoid"):
        trained(tmp_path, model=sg.Model(G, discriminator, 14), labels=LABELS)


def test_resume_takes_the_options_of_the_folder(tmp_path):
    trained(tmp_path, preset="r3gan", lr=1e-3, labels=LABELS, condition="projection")
    run = sg.train(IMAGES, PAIR, labels=LABELS, out=tmp_path, resume=True, steps=8, progress=False)
    assert (run.steps, run.config.g_lr, run.config.loss) == (8, 1e-3, "relativistic")
    with pytest.raises(CheckpointError, match="seed: 0 saved, 1 now"):
        trained(tmp_path, labels=LABELS, resume=True, seed=1)


def test_epochs_classes_pairs_of_arrays_and_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = trained("~/run", (IMAGES, LABELS), epochs=2, classes=5)  # 40 images in batches of 8
    assert run.out == tmp_path / "run" and run.steps == 10
    assert (run.config.condition, run.config.classes) == ("projection", 5)
    assert sg.load("~/run", PAIR).steps == 10


def test_labels_that_are_not_used_are_said(tmp_path, capsys):
    np.savez(tmp_path / "images.npz", images=IMAGES, labels=LABELS)
    trained(tmp_path / "a", tmp_path / "images.npz", progress=True)
    assert (
        "images: has labels, which are not used; `condition=projection`" in capsys.readouterr().err
    )
    trained(tmp_path / "b", tmp_path / "images.npz", condition="projection", progress=True)
    assert "not used" not in capsys.readouterr().err


class Scaled(sg.Layer):
    """A layer of the user's own, whose constant no array shows."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x, train=True):
        return self.factor * x, None

    def backward(self, dy, cache, into_params=True):
        return self.factor * dy


def test_constants_of_own_layers_belong_to_the_networks(tmp_path):
    one, two = (
        sg.Model(sg.Sequential(Scaled(f), generator()), discriminator, 14) for f in (1.0, 2.0)
    )
    trained(tmp_path, model=one)
    assert sg.load(tmp_path, one).steps == 4
    with pytest.raises(CheckpointError, match="expected its networks"):
        sg.load(tmp_path, two)


def test_a_shape_may_be_a_list_and_not_square(tmp_path):
    shape, tall = [6, 4, 3], IMAGES[:, :, :4]
    G = sg.Sequential(sg.Dense(5, 72), sg.Tanh(), sg.Reshape(tuple(shape)))
    D = sg.Sequential(sg.Flatten(), sg.Dense(72, 1))
    np.save(tmp_path / "tall.npy", tall)
    for i, images in enumerate([tall, tmp_path / "tall.npy"]):
        run = trained(tmp_path / str(i), images, sg.Model(G, D, 5, shape))
        assert run.sample(2).shape == (2, *shape)


# ---- loading ------------------------------------------------------------------------------------


def test_a_loaded_run_needs_its_networks_again(tmp_path):
    run = trained(tmp_path)
    with pytest.raises(CheckpointError, match=r"networks of your own; give them again, .*load\("):
        sg.load(tmp_path)
    again = sg.load(tmp_path, PAIR, "numpy")
    assert np.array_equal(again.sample(9), run.sample(9))
    assert np.array_equal(again.history, run.history)
    other = sg.Model(generator, lambda: sg.Sequential(sg.Flatten(), sg.Dense(108, 1)), 14)
    with pytest.raises(CheckpointError, match="expected its networks, 'own networks"):
        sg.load(tmp_path, other)
    with pytest.raises(CheckpointError, match="expected its networks, 'own networks"):
        trained(tmp_path, model=other, resume=True)


@pytest.mark.parametrize("what", ["nothing", "a file", "a folder of something else"])
def test_what_is_no_run_is_not_loaded(tmp_path, what):
    if what == "a file":
        (tmp_path / "run").write_text("x")
    if what == "a folder of something else":
        (tmp_path / "run").mkdir()
    with pytest.raises(CheckpointError, match=r"run/checkpoint.safetensors: no such checkpoint"):
        sg.load(tmp_path / "run")


def test_progress_can_be_silent(tmp_path, capsys):
    trained(tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    trained(tmp_path / "b", progress=True)
    assert "img/s" in capsys.readouterr().err


def test_a_diverging_run_is_an_error_in_python_too(tmp_path):
    with np.errstate(all="ignore"), pytest.raises(DivergenceError):
        trained(tmp_path, steps=300, g_optimiser="sgd", d_optimiser="sgd", lr=1e30)


def test_a_schedule_ends_with_the_training_unless_told_otherwise(tmp_path, capsys):
    run = trained(tmp_path / "a", schedule="cosine", g_lr=0.5, d_steps=2)
    assert run.config.schedule_steps == QUICK["steps"]
    assert trained(tmp_path / "b", schedule="cosine", schedule_steps=9).config.schedule_steps == 9
    assert trained(tmp_path / "c", epochs=3).config.schedule_steps == 0
    trainer = sg.gan.build(run.config, IMAGES, "numpy", networks=PAIR)
    for _ in range(2):
        trainer.step()
    g, d = trainer.g_optimiser, trainer.d_optimiser
    assert (g.t, d.t) == (2, 4)
    assert g.lr(g.t) == pytest.approx(0.25) and d.lr(d.t) == pytest.approx(run.config.d_lr / 2)
    capsys.readouterr()
    longer = trained(tmp_path / "a", schedule="cosine", steps=6, resume=True, g_lr=0.5, d_steps=2)
    assert "learning rates are 0 from step 4 on" in capsys.readouterr().err
    assert np.array_equal(longer.generator.theta, run.generator.theta)


def test_a_schedule_without_its_steps_is_refused():
    config = sg.gan.Config("random", schedule="cosine")
    with pytest.raises(ValueError, match="expected a schedule with its steps, or neither"):
        sg.gan.build(config, IMAGES, "numpy", networks=PAIR)
