import math

import numpy as np
import pytest

from scratchgan.losses import (
    ADVERSARIAL,
    AuxiliaryClassifier,
    LeastSquares,
    Minimax,
    NonSaturating,
    adversarial,
    binary_cross_entropy,
    softmax_cross_entropy,
)

from .compare import assert_close


def column(*numbers):
    return np.array(numbers, dtype=float)[:, None]


RNG = np.random.default_rng(0)
WITH_LABELS = [kind for kind, loss in ADVERSARIAL.items() if loss.probability]
REAL, FAKE = 3 * RNG.standard_normal((5, 1)), 3 * RNG.standard_normal((7, 1))


# ---- values known by heart -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Minimax, NonSaturating])
@pytest.mark.parametrize("smooth", [0, 0.1, 0.5])
def test_an_undecided_discriminator_loses_two_log_two(kind, smooth):
    """-log(1/2) a sample, whatever it is to say."""
    value, dreal, dfake = kind(smooth=smooth).discriminator(np.zeros((4, 1)), np.zeros((2, 1)))
    assert value == pytest.approx(2 * math.log(2), rel=1e-15)
    assert_close(dreal, np.full((4, 1), (0.5 - (1 - smooth)) / 4), 1e-15)
    assert_close(dfake, np.full((2, 1), 0.5 / 2), 1e-15)


@pytest.mark.parametrize(
    ("kind", "value", "slope"),
    [(Minimax, -math.log(2), -0.5), (NonSaturating, math.log(2), -0.5), (LeastSquares, 0.5, -1)],
)
def test_the_generator_against_an_undecided_discriminator(kind, value, slope):
    found, dfake = kind().generator(np.zeros((4, 1)))
    assert found == pytest.approx(value, rel=1e-15)
    assert_close(dfake, np.full((4, 1), slope / 4), 1e-15)


def test_least_squares_in_numbers():
    loss = LeastSquares(smooth=0.25)
    value, dreal, dfake = loss.discriminator(column(1.75, 0.75), column(-2.0))
    assert value == pytest.approx((1 + 0) / 4 + 4 / 2)
    assert_close(dreal, column(0.5, 0), 1e-15)
    assert_close(dfake, column(-2), 1e-15)
    value, dfake = loss.generator(column(3, 1))  # G is not smoothed
    assert value == pytest.approx(1)
    assert_close(dfake, column(1, 0), 1e-15)


def test_minimax_is_zero_sum():
    """What D gains on fake samples G loses."""
    both, *_ = Minimax().discriminator(REAL, FAKE)
    real_only, _ = binary_cross_entropy(REAL, 1)
    assert Minimax().generator(FAKE)[0] == pytest.approx(real_only - both)


def test_smoothing_moves_the_optimum_of_d():
    """At D(x) = 1 - smooth, that is the logit log((1 - smooth) / smooth), the slope is 0."""
    at = np.full((3, 1), math.log(0.9 / 0.1))
    _, dreal, _ = NonSaturating(smooth=0.1).discriminator(at, FAKE)
    assert np.abs(dreal).max() < 1e-16


def test_smoothing_is_one_sided():
    _, dreal, dfake = NonSaturating(smooth=0.3).discriminator(REAL, FAKE)
    _, plain_real, plain_fake = NonSaturating().discriminator(REAL, FAKE)
    np.testing.assert_array_equal(dfake, plain_fake)
    assert_close(dreal - plain_real, np.full((5, 1), 0.3 / 5), 1e-14)


# ---- where others overflow -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logit", "target", "value", "slope"),
    [
        (1000, 1, 0, 0),
        (-1000, 1, 1000, -1),
        (1000, 0, 1000, 1),
        (-1000, 0, 0, 0),
        (1000, 0.9, 100, 0.1),
        (-1000, 0.9, 900, -0.9),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_keep_their_slope(logit, target, value, slope, dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found, dlogits = binary_cross_entropy(np.full((2, 1), logit, dtype), target)
    assert found == pytest.approx(value, rel=1e-6)
    assert_close(dlogits, np.full((2, 1), slope / 2), 1e-6)
    assert dlogits.dtype == dtype


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_extreme_logits_in_both_games(kind):
    loss = adversarial(kind)
    _, dreal, dfake = loss.discriminator(column(-1000), column(1000))
    assert dreal.item() <= -1  # real samples are pulled up
    assert dfake.item() >= 1  # fake ones down
    slopes = {"minimax": 0, "least-squares": -1001}  # of the others, -1
    real = [column(0)] if loss.relativistic else []
    assert loss.generator(column(-1000), *real)[1].item() == slopes.get(kind, -1)


def test_softmax_of_extreme_logits():
    logits = np.array([[1000.0, -1000, 0], [1000, -1000, 0]])
    value, dlogits = softmax_cross_entropy(logits, np.array([0, 1]))
    assert value == pytest.approx((0 + 2000) / 2)
    assert_close(dlogits, np.array([[0, 0, 0], [0.5, -0.5, 0]]), 1e-15)


def test_softmax_of_equal_logits():
    value, dlogits = softmax_cross_entropy(np.zeros((2, 4)), np.array([3, 0]))
    assert value == pytest.approx(math.log(4))
    assert_close(dlogits, np.array([[1, 1, 1, -3], [-3, 1, 1, 1]]) / 8, 1e-15)


# ---- dtype -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_the_dtype_follows_the_logits(kind, dtype):
    loss = adversarial(kind, smooth=0.1 if ADVERSARIAL[kind].probability else 0)
    real, fake = REAL.astype(dtype), FAKE[: len(REAL)].astype(dtype)
    g = loss.generator(fake, *([real] if loss.relativistic else []))
    for array in (*loss.discriminator(real, fake), *g):
        assert array.dtype == dtype


# ---- against PyTorch -------------------------------------------------------------------------


def by_autograd(torch, function, *arrays):
    """(value, *gradients) of a PyTorch function."""
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    value = function(*tensors)
    return value.item(), *(g.numpy() for g in torch.autograd.grad(value, tensors))


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert_close(a, b, 1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("smooth", [0, 0.2])
@pytest.mark.parametrize("kind", WITH_LABELS)
def test_discriminators_with_labels_against_pytorch(torch, kind, smooth):
    F = torch.nn.functional
    if kind == "least-squares":
        distance = lambda a, target: F.mse_loss(a, torch.full_like(a, target)) / 2  # noqa: E731
    else:
        distance = lambda a, target: F.binary_cross_entropy_with_logits(  # noqa: E731
            a, torch.full_like(a, target)
        )
    wanted = by_autograd(torch, lambda r, f: distance(r, 1 - smooth) + distance(f, 0), REAL, FAKE)
    assert_same(adversarial(kind, smooth=smooth).discriminator(REAL, FAKE), wanted)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("minimax", lambda F, a: F.logsigmoid(-a).mean()),
        ("non-saturating", lambda F, a: -F.logsigmoid(a).mean()),
        ("least-squares", lambda F, a: ((a - 1) ** 2).mean() / 2),
        ("hinge", lambda F, a: -a.mean()),
        ("wasserstein", lambda F, a: -a.mean()),
    ],
)
def test_generators_against_pytorch(torch, kind, function):
    wanted = by_autograd(torch, lambda a: function(torch.nn.functional, a), FAKE)
    assert_same(adversarial(kind).generator(FAKE), wanted)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("hinge", lambda F, r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()),
        ("wasserstein", lambda F, r, f: f.mean() - r.mean()),
        ("relativistic", lambda F, r, f: F.softplus(f - r).mean()),
    ],
)
def test_critics_against_pytorch(torch, kind, function):
    real, fake = REAL, FAKE[: len(REAL)]
    wanted = by_autograd(torch, lambda r, f: function(torch.nn.functional, r, f), real, fake)
    assert_same(adversarial(kind).discriminator(real, fake), wanted)


@pytest.mark.torch
def test_the_relativistic_generator_against_pytorch(torch):
    real, fake = REAL, FAKE[: len(REAL)]
    softplus = torch.nn.functional.softplus
    wanted = by_autograd(torch, lambda f: softplus(torch.tensor(real) - f).mean(), fake)
    assert_same(adversarial("relativistic").generator(fake, real), wanted)


@pytest.mark.torch
def test_cross_entropies_against_pytorch(torch):
    F, rng = torch.nn.functional, np.random.default_rng(1)
    logits, target = 4 * rng.standard_normal((6, 3)), rng.random((6, 3))
    labels = rng.integers(0, 3, 6)
    soft, hard = torch.tensor(target), torch.tensor(labels)
    wanted = by_autograd(torch, lambda a: F.binary_cross_entropy_with_logits(a, soft), logits)
    assert_same(binary_cross_entropy(logits, target), wanted)
    wanted = by_autograd(torch, lambda a: F.cross_entropy(a, hard), logits)
    assert_same(softmax_cross_entropy(logits, labels), wanted)


LABELS, K = np.array([2, 0, 1, 2, 2]), 3
REAL_K, FAKE_K = 2 * RNG.standard_normal((2, 5, 1 + K))


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["non-saturating", "wasserstein", "relativistic"])
def test_an_auxiliary_classifier_against_pytorch(torch, kind):
    F, labels = torch.nn.functional, torch.tensor(LABELS)
    softplus = F.softplus
    game_d, game_g = {
        "non-saturating": (
            lambda r, f: softplus(-r).mean() + softplus(f).mean(),
            lambda r, f: softplus(-f).mean(),
        ),
        "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
        "relativistic": (lambda r, f: softplus(f - r).mean(), lambda r, f: softplus(r - f).mean()),
    }[kind]

    def d(r, f):
        classes = F.cross_entropy(r[:, 1:], labels) + F.cross_entropy(f[:, 1:], labels)
        return game_d(r[:, 0], f[:, 0]) + classes

    def g(f):
        return game_g(torch.tensor(REAL_K[:, 0]), f[:, 0]) + F.cross_entropy(f[:, 1:], labels)

    loss = AuxiliaryClassifier(adversarial(kind))
    found = loss.discriminator(REAL_K, FAKE_K, labels=LABELS)
    assert_same(found, by_autograd(torch, d, REAL_K, FAKE_K))
    against = [REAL_K] if loss.relativistic else []
    assert_same(loss.generator(FAKE_K, *against, labels=LABELS), by_autograd(torch, g, FAKE_K))
    np.testing.assert_array_equal(
        loss.real_probability(REAL_K), loss.game.real_probability(REAL_K[:, :1])
    )


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3, 1], "labels: expected 0 to 2, got 0 to 3$"),
        ([0, -1, 1], "labels: expected 0 to 2, got -1 to 1$"),
        ([0, 1], r"labels: expected 3 integers, got int64 \(2,\)$"),
        ([[0], [1], [2]], r"labels: expected 3 integers, got int64 \(3, 1\)$"),
        ([0.0, 1.0, 2.0], r"labels: expected 3 integers, got float64 \(3,\)$"),
        ([True, False, True], r"labels: expected 3 integers, got bool \(3,\)$"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(np.zeros((3, 3)), np.array(labels))


def test_the_hinge_asks_for_no_more_than_the_margin():
    value, dreal, dfake = adversarial("hinge").discriminator(column(1, 4, 0), column(-1, -4, 0.5))
    assert value == pytest.approx(1 / 3 + 1.5 / 3)
    assert_close(dreal, column(0, 0, -1) / 3, 1e-15)
    assert_close(dfake, column(0, 0, 1) / 3, 1e-15)


def test_the_relativistic_game_sees_differences_only():
    loss, fake = adversarial("relativistic"), FAKE[: len(REAL)]
    value, dreal, dfake = loss.discriminator(REAL, fake)
    moved = loss.discriminator(REAL + 7, fake + 7)
    assert value == pytest.approx(moved[0], rel=1e-14)
    assert_close(dreal, moved[1], 1e-13)
    np.testing.assert_array_equal(dreal, -dfake)
    assert loss.generator(REAL, fake)[0] == pytest.approx(value)  # the same with roles exchanged


def test_relativistic_logits_come_in_pairs():
    message = r"RelativisticPaired: expected logits of one shape, got \(5, 1\) and \(7, 1\)$"
    with pytest.raises(ValueError, match=message):
        adversarial("relativistic").discriminator(REAL, FAKE)


@pytest.mark.parametrize("kind", [k for k in ADVERSARIAL if k not in WITH_LABELS])
def test_labels_that_are_not_there_cannot_be_smoothed(kind):
    with pytest.raises(ValueError, match=r"smooth=0\.1\): expected 0, because there are no labels"):
        adversarial(kind, smooth=0.1)


@pytest.mark.parametrize("kind", WITH_LABELS)
@pytest.mark.parametrize("smooth", [-0.1, 1, 1.5, math.nan])
def test_smooth_out_of_range_is_refused(kind, smooth):
    with pytest.raises(ValueError, match=rf"\(smooth={smooth}\): expected 0 <= smooth < 1, got"):
        adversarial(kind, smooth=smooth)


def test_an_unknown_loss_is_refused_and_the_known_ones_named():
    with pytest.raises(
        ValueError, match=r"loss: expected one of minimax, non-saturating, least.*, got 'hinge2'$"
    ):
        adversarial("hinge2")


def test_a_target_of_another_shape_is_refused():
    """(N, 1) logits and (N,) targets would make an (N, N) table of differences."""
    with pytest.raises(ValueError, match=r"target: expected shape \(3, 1\), got \(3,\)$"):
        binary_cross_entropy(np.zeros((3, 1)), np.zeros(3))


@pytest.mark.parametrize("logit", [9, 12, 18, 60])
@pytest.mark.parametrize("target", [0, 1])
def test_cross_entropy_of_a_sure_logit_is_right_to_the_last_digits_of_float32(logit, target):
    sign = 1 if target else -1
    logits = np.array([[sign * logit]], np.float32)
    value, slope = binary_cross_entropy(logits, target)
    exact = np.exp(-float(logit)) if logit > 30 else np.log1p(np.exp(-float(logit)))
    assert value == pytest.approx(exact, rel=1e-6)
    assert slope.item() == pytest.approx(-sign / (1 + np.exp(float(logit))), rel=1e-6)


# ---- what is no batch of logits --------------------------------------------------------------

SIDES = {
    **{f"{kind}, D": lambda a, k=kind: adversarial(k).discriminator(a, a) for kind in ADVERSARIAL},
    **{
        f"{kind}, D(x)": lambda a, k=kind: adversarial(k).real_probability(a)
        for kind in ADVERSARIAL
    },
    "binary": lambda a: binary_cross_entropy(a, 1),
    "softmax": lambda a: softmax_cross_entropy(a, np.zeros(len(a), int)),
    "classifier": lambda a: AuxiliaryClassifier(Minimax()).discriminator(a, a, np.zeros(2, int)),
}
for _kind, _loss in ADVERSARIAL.items():
    SIDES[f"{_kind}, G"] = lambda a, k=_kind: adversarial(k).generator(
        *[a] * (1 + ADVERSARIAL[k].relativistic)
    )


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "complex64", ">f4"])
def test_logits_that_are_not_real_are_refused(side, dtype):
    message = rf"^\w+: expected logits of dtype float32 or float64, got {np.dtype(dtype)}$"
    with pytest.raises(ValueError, match=message):
        side(np.ones((2, 3), dtype))


@pytest.mark.parametrize("side", [s for n, s in SIDES.items() if n != "classifier"])
def test_an_empty_batch_has_no_loss(side):
    with pytest.raises(ValueError, match=r"^\w+: expected at least one logit, got an empty batch$"):
        side(np.ones((0, 1)))


def test_logits_are_an_array():
    with pytest.raises(TypeError, match=r"^expected a NumPy or CuPy array, got list$"):
        binary_cross_entropy([[1.0]], 1)


@pytest.mark.parametrize("kind", ADVERSARIAL)
@pytest.mark.parametrize("size", [1e4, 1e19, 1e30])
def test_slopes_of_huge_logits_are_those_of_float64(kind, size):
    real, fake = column(size, -size, 1).astype("float32"), column(-size, 0, size).astype("float32")
    with np.errstate(over="ignore"):  # the value of LeastSquares
        _, *found = adversarial(kind).discriminator(real, fake)
    _, *wanted = adversarial(kind).discriminator(real.astype(float), fake.astype(float))
    for single, exact in zip(found, wanted, strict=True):
        assert_close(single, exact, 1e-6)
