"""Faults that public projects of this kind have had: each is looked for here by name.

Wrong gradients of a layer are planted and found in ``gradcheck/planted.py``.
"""

import numpy as np
import pytest

from scratchgan import BatchNorm, ConvTranspose2D, Dense, LeakyReLU, Sequential, gradcheck
from scratchgan.gan import PRESETS, Config, build
from scratchgan.optim import Adam


@pytest.mark.parametrize("preset", PRESETS)
def test_the_generator_of_every_game_receives_a_gradient(preset):
    """A WGAN-GP whose generator stays what it was still shows falling losses."""
    config = Config("random", "mlp-small", batch_size=16, **PRESETS[preset].settings)
    images = np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), np.uint8)
    trainer = build(config, images, "numpy")
    before = trainer.generator.theta.copy()
    for count in range(1, 4):
        trainer.step()
        assert np.abs(trainer.generator.grad).max() > 0
        assert trainer.g_optimiser.t == count
    assert (trainer.generator.theta != before).mean() > 0.9


def test_adam_corrects_for_its_start_by_the_step_it_is_at():
    """With the t of the first step forever, the second step would be longer by 6 %."""
    net = Sequential(Dense(1, 1, bias=False)).initialize(dtype="float64")
    adam, theta = Adam(net, lr=0.1, beta1=0.5), net.theta.copy()
    for count in range(1, 6):
        net.grad[...] = 3.0  # always the same: each step is lr long
        adam.step()
        assert net.theta == pytest.approx(theta - 0.1 * count, rel=1e-6)


def test_batchnorm_has_a_mean_for_each_channel_and_not_for_each_pixel():
    norm = BatchNorm(3).initialize(dtype="float64")
    x = np.random.default_rng(0).standard_normal((4, 5, 6, 3)) * [1, 2, 3] + [4, 5, 6]
    y, _ = norm.forward(x)
    assert norm.gamma.shape == norm.running_mean.shape == norm.running_var.shape == (3,)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1, rtol=1e-4)
    assert np.abs(y.mean(0)).max() > 0.1  # single pixels keep theirs


def test_a_second_number_of_batchnorm_is_not_taken_for_eps():
    with pytest.raises(TypeError):
        BatchNorm(128, 0.8)
    assert BatchNorm(128, decay=0.8).eps == 1e-5


def test_the_weights_of_a_transposed_convolution_have_the_gradient_of_their_own_layer():
    layer = ConvTranspose2D(3, 2, kernel=4, stride=2, padding=1).initialize(0, dtype="float64")
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 4, 3)), layer.w.value
    y, cache = layer.forward(x)
    dy, direction, h = rng.standard_normal(y.shape), rng.standard_normal(w.shape), 1e-6
    layer.backward(dy, cache)
    values = []
    for side in (h, -2 * h):
        w += side * direction
        values.append((layer.forward(x)[0] * dy).sum())
    assert (layer.w.grad * direction).sum() == pytest.approx(
        (values[0] - values[1]) / (2 * h), rel=1e-7
    )


def test_two_batches_in_flight_keep_their_own_activations():
    """D(real) and D(fake): what is kept on the layer is that of the later one."""
    net = Sequential(Dense(3, 4), BatchNorm(4), LeakyReLU(0.2), Dense(4, 1)).initialize(0)
    real, fake = np.random.default_rng(0).standard_normal((2, 5, 3)).astype("f")
    _, first = net.forward(real)
    alone = net.backward(np.ones((5, 1), "f"), first, into_params=False)
    net.forward(fake)
    np.testing.assert_array_equal(
        net.backward(np.ones((5, 1), "f"), first, into_params=False), alone
    )


class ScaledInBackward(BatchNorm):
    """A wrong gradient that ones as upstream cannot see: they make dx zero."""

    def backward(self, dy, cache, into_params=True):
        return 2 * super().backward(dy, cache, into_params)


def test_a_check_is_not_vacuous_for_batchnorm():
    assert not gradcheck.check(ScaledInBackward(3), (6, 3)).passed


def test_a_gradient_that_is_truly_zero_passes():
    """Of a bias in front of a BatchNorm: nothing but rounding on both sides."""
    report = gradcheck.check(Sequential(Dense(4, 3), BatchNorm(3)), (6, 4))
    assert report.passed, str(report)


def test_a_layer_given_in_float32_is_checked_in_float64():
    layer = Dense(4, 3).initialize(0, dtype="float32")
    report = gradcheck.check(layer, (6, 4))
    assert report.passed and report.worst() < 1e-9
    assert layer.theta.dtype == np.float32
