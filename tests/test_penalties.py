import math

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Pack,
    Residual,
    Sequential,
    Softplus,
    SpectralNorm,
    Tanh,
)
from scratchgan.penalties import PENALTIES as REGULARISERS
from scratchgan.penalties import Regulariser, around, gradient_penalty, interpolate, r1, wgan_gp

from .compare import assert_close

PENALTIES = {
    "wgan-gp": wgan_gp(),
    "wgan-gp of weight 3 to slope 2": wgan_gp(3.0, 2.0),
    "one-sided": wgan_gp(target=0.4, one_sided=True),
    "r1": r1(),
}
each_penalty = pytest.mark.parametrize("name", PENALTIES)


def linear_critic(slope):
    """D(x) = <slope, x>, whose slope is the same everywhere."""
    net = Sequential(Dense(len(slope), 1)).initialize(dtype="float64")
    net.layers[0].w.value[:, 0] = slope
    return net


# ---- values known by heart -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("penalty", "value", "gradient"),
    [
        (wgan_gp(), 10 * (5 - 1) ** 2, 2 * 10 * (5 - 1) / 5),
        (wgan_gp(2.0, 7.0), 2 * (5 - 7) ** 2, 2 * 2 * (5 - 7) / 5),
        (wgan_gp(2.0, 7.0, one_sided=True), 0, 0),
        (wgan_gp(2.0, 4.0, one_sided=True), 2, 2 * 2 * 1 / 5),
        (wgan_gp(target=5.0), 0, 0),
        (r1(), 5 * 25, 10),
        (r1(gamma=0.5), 0.25 * 25, 0.5),
    ],
)
def test_a_linear_critic(penalty, value, gradient):
    """|g| = 5 at each sample; dP/dw is ``gradient`` times w."""
    net = linear_critic([3.0, 0, 4])
    assert gradient_penalty(net, np.ones((6, 3)), penalty) == pytest.approx(value)
    assert_close(net.layers[0].w.grad[:, 0], gradient * np.array([3, 0, 4]), 1e-14)
    assert net.layers[0].b.grad == 0


def test_the_norm_is_over_all_numbers_of_a_sample_and_the_mean_over_samples():
    g = np.zeros((2, 2, 2))
    g[0] = [[1, 1], [1, 1]]  # |g_0| = 2
    g[1, 0, 0] = 5
    value, dg = wgan_gp()(g)
    assert value == pytest.approx(10 * (1 + 16) / 2)
    assert_close(dg[0], np.full((2, 2), 10 * 1 / 2), 1e-15)
    assert dg[1, 0, 0] == pytest.approx(10 * 4)
    assert r1(2.0)(g)[0] == pytest.approx((4 + 25) / 2)


@each_penalty
def test_a_flat_critic_gives_no_nan(name):
    """|g| has no slope at 0: the gradient is 0 there, not 0 / 0."""
    net = linear_critic([0.0, 0, 0])
    with np.errstate(all="raise"):
        value = gradient_penalty(net, np.ones((4, 3)), PENALTIES[name])
    assert math.isfinite(value)
    assert not net.grad.any()


@each_penalty
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_follows_the_gradient(name, dtype):
    g = np.random.default_rng(0).standard_normal((3, 4)).astype(dtype)
    assert {a.dtype for a in PENALTIES[name](g)} == {np.dtype(dtype)}


def test_the_gradient_is_added():
    net, x = linear_critic([3.0, 0, 4]), np.ones((2, 3))
    gradient_penalty(net, x, r1())
    once = net.grad.copy()
    gradient_penalty(net, x, r1())
    assert_close(net.grad, 2 * once, 1e-15)


def test_x_and_weights_are_left_alone():
    net = linear_critic([3.0, 0, 4])
    x, theta = np.ones((2, 3)), net.theta.copy()
    gradient_penalty(net, x, wgan_gp())
    assert (x == 1).all()
    np.testing.assert_array_equal(net.theta, theta)


@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-30, 1e-25, 1e-19, 1e-10, 1, 1e10, 1e19, 1e25])
@pytest.mark.parametrize("name", ["wgan-gp", "wgan-gp of weight 3 to slope 2", "one-sided"])
def test_the_slope_of_tiny_and_huge_gradients_is_that_of_float64(name, size):
    """Their squares are 0 or infinite in float32."""
    g = (size * np.random.default_rng(0).standard_normal((5, 3, 4))).astype(np.float32)
    with np.errstate(over="ignore"):  # the value of a huge one
        value, slope = PENALTIES[name](g)
    exact_value, exact = PENALTIES[name](g.astype(float))
    assert value.dtype == slope.dtype == np.float32
    assert_close(slope, exact, 1e-6)
    if exact_value < 1e38:
        assert value == pytest.approx(exact_value, rel=1e-5)


def test_each_sample_has_its_own_size():
    g = np.array([[3, 4], [3e-25, 4e-25], [3e22, 4e22], [0, 0]], np.float32)
    with np.errstate(over="ignore"):
        _, slope = wgan_gp()(g)
    assert_close(slope[:2] * 4, [[48, 64], [-12, -16]], 1e-6)
    assert_close(slope[2:] * 4 / 1e24, [[0.6, 0.8], [0, 0]], 1e-6)
    np.testing.assert_array_equal(slope[:1], wgan_gp()(g[[0, 0, 0, 0]])[1][:1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_is_noticed(bad):
    g = np.ones((2, 3), np.float32)
    g[1, 1] = bad
    with np.errstate(invalid="ignore"):
        value, slope = wgan_gp()(g)
    assert not np.isfinite(value) and not np.isfinite(slope).all()


@pytest.mark.parametrize("penalty", [wgan_gp(), r1()])
def test_gradients_and_samples_that_are_not_real_are_refused(penalty):
    with pytest.raises(
        ValueError, match="expected gradient of dtype float32 or float64, got uint8"
    ):
        penalty(np.ones((2, 3), np.uint8))
    rng, real, pixels = np.random.default_rng(0), np.ones((2, 3)), np.ones((2, 3), np.uint8)
    for call in (
        lambda: interpolate(pixels, real, rng),
        lambda: interpolate(real, pixels, rng),
        lambda: around(pixels, rng),
    ):
        with pytest.raises(
            ValueError, match="expected samples of dtype float32 or float64, got ui"
        ):
            call()


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, None, "1"])
@pytest.mark.parametrize("make", [wgan_gp, r1, lambda v: wgan_gp(1.0, v)])
def test_what_is_no_weight_is_refused(make, bad):
    with pytest.raises(
        ValueError, match=r"^(wgan_gp|r1)\(.*\): expected a finite number >= 0, got "
    ):
        make(bad)


def test_equal_samples_far_from_zero_get_no_noise():
    real = np.full((16, 9), 10000.1, np.float32)
    np.testing.assert_array_equal(around(real, np.random.default_rng(0)), real)


# ---- whole critics ---------------------------------------------------------------------------

CRITICS = {
    "dense, LeakyReLU": (
        lambda: [Dense(5, 16), LeakyReLU(0.2), Dense(16, 8), LeakyReLU(0.2), Dense(8, 1)],
        (6, 5),
    ),
    "dense, tanh": (lambda: [Dense(5, 8), Tanh(), Dense(8, 8), Tanh(), Dense(8, 1)], (6, 5)),
    "dense, softplus": (lambda: [Dense(5, 8), Softplus(), Dense(8, 1)], (6, 5)),
    "LayerNorm": (lambda: [Dense(5, 8), LayerNorm(8), LeakyReLU(0.2), Dense(8, 1)], (6, 5)),
    "convolutions": (
        lambda: [
            Conv2D(2, 4, kernel=4, stride=2, padding=1),
            LeakyReLU(0.2),
            Conv2D(4, 6, kernel=3, stride=2, padding=1),
            Softplus(),
            Flatten(),
            Dense(24, 1),
        ],
        (4, 8, 8, 2),
    ),
    "spectral norm": (
        lambda: [
            SpectralNorm(Conv2D(2, 4, kernel=4, stride=2, padding=1)),
            LeakyReLU(0.2),
            SpectralNorm(Conv2D(4, 6, kernel=3, stride=2, padding=1, bias=False)),
            Softplus(),
            Flatten(),
            SpectralNorm(Dense(24, 1)),
        ],
        (4, 8, 8, 2),
    ),
    "residual with everything": (
        lambda: [
            Conv2D(2, 3, kernel=3, padding="same"),
            Residual(LayerNorm((6, 6, 3)), Tanh(), Conv2D(3, 3, kernel=3, padding="same")),
            Residual(Softplus(), Residual(Conv2D(3, 3, kernel=1), LeakyReLU(0.2))),
            Sequential(Flatten(), LayerNorm(108)),
            Dense(108, 1),
        ],
        (4, 6, 6, 2),
    ),
}


@pytest.mark.parametrize("seed", range(3))
@each_penalty
@pytest.mark.parametrize("critic", CRITICS)
def test_whole_critics_against_differences(critic, name, seed):
    """Along a random direction in all parameters at once, and in each one alone."""
    make, shape = CRITICS[critic]
    net = Sequential(*make()).initialize(seed, dtype="float64")
    rng = np.random.default_rng(seed)
    net.theta += 0.1 * rng.standard_normal(net.theta.shape)
    x, h, theta = rng.standard_normal(shape), 1e-6, net.theta.copy()
    net.zero_grad()
    value = gradient_penalty(net, x, PENALTIES[name])
    assert value > 0 or name == "one-sided"  # which a flat critic does not meet
    gradient, found, wanted = net.grad.copy(), [], []
    alone = np.repeat(np.arange(len(net.params())), [p.size for p in net.params().values()])
    for chosen in [alone >= 0, *(alone == i for i in range(len(net.params())))]:
        direction = chosen * rng.standard_normal(theta.shape)
        values = []
        for side in (h, -h):
            net.theta[...] = theta + side * direction
            values.append(gradient_penalty(net, x, PENALTIES[name]))
        net.theta[...] = theta
        found.append(gradient @ direction)
        wanted.append((values[0] - values[1]) / (2 * h))
    assert_close(np.array(found), np.array(wanted), 1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(3))
@each_penalty
@pytest.mark.parametrize("critic", CRITICS)
def test_whole_critics_against_double_backward_of_pytorch(torch, reference, critic, name, seed):
    make, shape = CRITICS[critic]
    net, x, _, _ = reference.prepare(Sequential(*make()), shape, "float64", seed)
    net.zero_grad()
    value = gradient_penalty(net, x, PENALTIES[name])

    twin, x_ = reference.Twin(net), torch.tensor(x, requires_grad=True)
    (g,) = torch.autograd.grad(twin(x_).sum(), x_, create_graph=True)
    wanted = penalty_in_pytorch(name, g)
    _, by_params = twin.grads(wanted)
    assert wanted.item() > 0  # or there is nothing to compare
    assert_close(value, wanted.detach(), 1e-10)
    reference.assert_params_agree(net, by_params, 1e-8, f"{name} of {critic}")


def penalty_in_pytorch(name, g):
    norm = g.flatten(1).norm(dim=1)
    match name:
        case "wgan-gp":
            return 10 * ((norm - 1) ** 2).mean()
        case "wgan-gp of weight 3 to slope 2":
            return 3 * ((norm - 2) ** 2).mean()
        case "one-sided":
            return 10 * ((norm - 0.4).clamp(min=0) ** 2).mean()
        case "r1":
            return 10 / 2 * (norm**2).mean()


# ---- interpolation ---------------------------------------------------------------------------


def test_interpolation_takes_one_alpha_a_sample():
    real, fake = np.ones((500, 4, 3)), np.zeros((500, 4, 3))
    between = interpolate(real, fake, np.random.default_rng(0))
    alpha = between[:, 0, 0]
    np.testing.assert_array_equal(between, np.broadcast_to(alpha[:, None, None], real.shape))
    assert ((alpha >= 0) & (alpha < 1)).all()
    assert abs(alpha.mean() - 0.5) < 5 / math.sqrt(12 * 500)
    assert len(np.unique(alpha)) == 500


def test_interpolation_stays_between_keeps_the_dtype_and_follows_the_seed():
    rng = np.random.default_rng(1)
    real, fake = rng.standard_normal((2, 9, 5)).astype("float32")
    between = interpolate(real, fake, np.random.default_rng(2))
    assert between.dtype == "float32"
    assert (between <= np.maximum(real, fake) + 1e-6).all()
    assert (between >= np.minimum(real, fake) - 1e-6).all()
    again = interpolate(real, fake, np.random.default_rng(2))
    np.testing.assert_array_equal(between, again)


# ---- the points a penalty is for -------------------------------------------------------------


def test_noise_around_samples_has_the_scale_of_the_batch():
    real = 3 * np.random.default_rng(0).standard_normal((2000, 5)).astype("float32")
    near = around(real, np.random.default_rng(1))
    assert near.dtype == "float32"
    assert (near - real).std() == pytest.approx(0.5 * real.std(), rel=0.02)
    assert abs((near - real).mean()) < 0.05


@pytest.mark.parametrize(
    ("name", "where"),
    [("r1", [[1]]), ("r2", [[-1]]), ("r1+r2", [[1], [-1]]), ("wgan-gp", None), ("dragan", None)],
)
def test_a_regulariser_penalises_at_its_points(name, where, monkeypatch):
    seen = []

    def spy(net, x, penalty):
        seen.append(x)
        return 1.0

    monkeypatch.setattr("scratchgan.penalties.gradient_penalty", spy)
    real, fake = np.ones((50, 3)), -np.ones((50, 3))
    if name == "dragan":  # whose noise is as large as the batch is wide
        real[25:] = 2
    value = Regulariser(name)(None, real, fake, np.random.default_rng(0), step=0)
    assert value == len(seen)
    if where:
        assert [sorted(np.unique(x)) for x in seen] == where
    elif name == "wgan-gp":
        assert (np.abs(seen[0]) < 1).any()
    else:
        assert (seen[0] != real).all()


@pytest.mark.parametrize("name", REGULARISERS)
def test_a_lazy_regulariser_is_rare_and_as_many_times_stronger(name):
    net = linear_critic([3.0, 0, 4])
    real, fake = np.ones((6, 3)), -np.ones((6, 3))

    def gradient(every, step):
        net.zero_grad()
        rng = np.random.default_rng(0)
        value = Regulariser(name, 2.0, every)(net, real, fake, rng, step)
        return value, net.grad.copy()

    value, grad = gradient(1, 5)
    assert value > 0 and grad.any()
    for step in range(12):
        lazy_value, lazy_grad = gradient(4, step)
        assert lazy_value == pytest.approx(0 if step % 4 else 4 * value)
        assert_close(lazy_grad, 0 * grad if step % 4 else 4 * grad, 1e-14)


@pytest.mark.parametrize("name", REGULARISERS)
def test_the_weight_of_a_regulariser_is_the_penaltys(name):
    net = linear_critic([3.0, 0, 4])
    real, fake = np.ones((6, 3)), -np.ones((6, 3))
    one, three = (
        Regulariser(name, weight)(net, real, fake, np.random.default_rng(0), 0)
        for weight in (1.0, 3.0)
    )
    assert three == pytest.approx(3 * one)


def test_samples_that_are_judged_together_have_one_slope():
    """Of a pack of two, D = <(3, 0, 4, 12), (x1, x2)>: |g| is 13 for each pack."""
    net = Sequential(Pack(2), Dense(4, 1)).initialize(dtype="float64")
    net.layers[1].w.value[:, 0] = [3, 0, 4, 12]
    value = gradient_penalty(net, np.ones((6, 2)), wgan_gp())
    assert value == pytest.approx(10 * 12**2)
    assert gradient_penalty(net, np.ones((6, 2)), r1(2.0)) == pytest.approx(13**2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r3",), "penalty: expected one of wgan-gp, wgan-lp, dragan.*, got 'r3'$"),
        (("r1", 0.0), r"Regulariser\(weight=0\.0\): expected a penalty weight > 0, got 0\.0$"),
        (("r1", math.nan), r"Regulariser\(weight=nan\): expected a penalty weight > 0, got nan$"),
        (("r1", 1.0, 0), r"Regulariser\(every=0\): expected an int >= 1, got 0$"),
    ],
)
def test_bad_regularisers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Regulariser(*arguments)


def test_a_penalty_through_batchnorm_is_warned_about():
    net = Sequential(Dense(3, 4), BatchNorm(4), Dense(4, 1)).initialize(dtype="float64")
    with pytest.warns(UserWarning, match="through BatchNorm.*depends on the others"):
        gradient_penalty(net, np.random.default_rng(0).standard_normal((5, 3)), r1())
