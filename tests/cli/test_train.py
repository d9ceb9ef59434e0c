"""The command line of the training examples: options, presets, defaults."""

import zlib
from dataclasses import fields

import numpy as np
import pytest

from scratchgan.backend import NAMES
from scratchgan.cli import train as module
from scratchgan.cli.train import parser, train_from
from scratchgan.data import Dataset
from scratchgan.gan import PRESETS, Config


def parsed(*arguments):
    options = parser("text", ["mlp"], "runs/x", 10, d_lr=5e-3, ema=0.9, batch_size=32)
    return options.parse_args([str(a) for a in arguments])


def test_without_a_preset_the_examples_own_defaults_hold():
    options = parsed()
    assert (options.d_lr, options.loss, options.ema, options.batch_size) == (
        5e-3, "non-saturating", 0.9, 32,
    )  # fmt: skip


def test_a_preset_replaces_the_examples_settings_and_leaves_the_rest():
    options = parsed("--preset", "wgan-gp")
    for name, value in PRESETS["wgan-gp"].settings.items():
        assert getattr(options, name) == value
    assert (options.d_lr, options.ema, options.batch_size) == (1e-4, 0.9, 32)
    assert parsed("--preset", "gan").d_lr == 2e-4


def test_a_preset_is_forgotten_by_the_next_command_line():
    reader = parser("text", ["mlp"], "runs/x", 10)
    assert reader.parse_args(["--preset", "wgan"]).loss == "wasserstein"
    assert reader.parse_args([]).loss == "non-saturating"


def test_what_a_preset_switches_on_can_be_switched_off():
    options = parsed("--preset", "wgan-gp", "--penalty", "none", "--d-norm", "model")
    assert (options.penalty, options.d_norm) == ("none", "model")


@pytest.mark.parametrize("order", [1, -1])
def test_an_option_that_is_given_overrides_the_preset(order):
    words = [["--preset", "wgan-gp"], ["--d-lr", 0.5], ["--penalty-weight", 3]][::order]
    options = parsed(*(word for pair in words for word in pair))
    assert (options.d_lr, options.penalty_weight, options.loss) == (0.5, 3, "wasserstein")


# ---- the parser is made from `Config` ---------------------------------------------------------


def actions():
    return {action.dest: action for action in parser("text", ["mlp"], "runs/x", 10)._actions}


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_every_option_has_the_default_and_the_values_of_its_field(field):
    if field.name in ("data", "classes"):
        assert field.name not in actions() and not field.metadata
        return
    action = actions()[field.name]
    assert action.option_strings == ["--" + field.name.replace("_", "-")]
    assert action.default == field.default and action.help.startswith(field.metadata["help"])
    if field.name != "model" and field.metadata["choices"]:
        assert list(action.choices) == list(field.metadata["choices"])
        assert field.default in (None, *action.choices)


def test_backends_are_those_there_are():
    assert tuple(actions()["backend"].choices) == NAMES


def test_a_recipe_may_leave_the_model_to_the_images():
    assert parser("text", [], "runs/x", 10).parse_args([]).model is None


def test_one_learning_rate_for_both():
    options = parsed("--preset", "wgan-gp", "--lr", 0.5)
    assert (options.g_lr, options.d_lr) == (0.5, 0.5)
    options = parsed("--lr", 0.5, "--g-lr", 0.25)
    assert (options.g_lr, options.d_lr) == (0.25, 0.5)


@pytest.mark.parametrize(("text", "told"), [("0", "expected 1 or more, got 0"), ("x", "int")])
def test_a_number_that_is_too_small_or_none_is_refused(capsys, text, told):
    with pytest.raises(SystemExit):
        parsed("--batch-size", text)
    assert f"argument --batch-size: {told}" in capsys.readouterr().err.replace("invalid ", "")


@pytest.mark.parametrize("digest", [None, "0123456789abcdef"])
def test_the_images_are_known_by_their_digest_or_their_checksum(monkeypatch, digest):
    configs = []
    monkeypatch.setattr(module, "train_run", lambda config, *args, **kwargs: configs.append(config))
    images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28, 1)
    data = Dataset(images, np.array([0, 1], np.uint8), "name")
    data.digest = digest
    train_from(parsed(), data)
    known = digest or f"{zlib.crc32(images):08x}"
    assert [config.data for config in configs] == [f"name (2, 28, 28, 1) {known}"]
