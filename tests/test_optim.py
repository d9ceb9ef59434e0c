import math

import numpy as np
import pytest

from scratchgan import Dense, Sequential, Tanh, get_backend
from scratchgan.optim import SGD, Adam, RMSprop, cosine, linear, warmup

from .compare import assert_close

BLOCK = 16384
SIZES = [7, BLOCK, 2 * BLOCK + 1]  # one small; a block; blocks and a rest


def network(size, dtype="float64"):
    """One with so many parameters, none of them zero."""
    return Dense(1, size, bias=False, init=lambda rng, s: rng.normal(1, 2, s)).initialize(
        3, dtype=dtype
    )


def run(optimiser, steps, seed=0):
    """Steps along random gradients, large and small ones; returns them."""
    rng, net, grads = np.random.default_rng(seed), optimiser.net, []
    for i in range(steps):
        net.grad[...] = rng.standard_normal(net.grad.shape) * 10.0 ** (i % 5 - 3)
        grads.append(net.grad.copy())
        optimiser.step()
    return grads


# ---- against PyTorch -------------------------------------------------------------------------

PAIRS = {
    "Adam": (lambda net: Adam(net), "Adam", {"lr": 2e-4, "betas": (0.5, 0.999)}),
    "Adam, all options": (
        lambda net: Adam(net, lr=1e-2, beta1=0.9, beta2=0.95, eps=1e-3),
        "Adam",
        {"lr": 1e-2, "betas": (0.9, 0.95), "eps": 1e-3},
    ),
    "Adam without momentum": (
        lambda net: Adam(net, lr=1e-3, beta1=0.0, beta2=0.9),
        "Adam",
        {"lr": 1e-3, "betas": (0.0, 0.9)},
    ),
    "AdamW": (
        lambda net: Adam(net, lr=1e-2, beta1=0.9, weight_decay=0.1),
        "AdamW",
        {"lr": 1e-2, "weight_decay": 0.1},
    ),
    "RMSprop": (lambda net: RMSprop(net), "RMSprop", {"lr": 1e-3}),
    "RMSprop, all options": (
        lambda net: RMSprop(net, lr=5e-5, alpha=0.9, eps=1e-4),
        "RMSprop",
        {"lr": 5e-5, "alpha": 0.9, "eps": 1e-4},
    ),
    "SGD": (lambda net: SGD(net, lr=0.1), "SGD", {"lr": 0.1}),
    "SGD with momentum": (
        lambda net: SGD(net, 0.1, momentum=0.9),
        "SGD",
        {"lr": 0.1, "momentum": 0.9},
    ),
}


@pytest.mark.torch
@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_hundred_steps_against_pytorch(torch, pair, size, clip_norm):
    make, name, options = PAIRS[pair]
    net = network(size)
    weights = torch.nn.Parameter(torch.tensor(net.theta))
    theirs = getattr(torch.optim, name)([weights], **options)
    ours = make(net)
    ours.clip_norm = clip_norm
    for grad in run(ours, 100):
        weights.grad = torch.tensor(grad)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_([weights], clip_norm)
        theirs.step()
    assert_close(net.theta, weights.detach(), 1e-10)


@pytest.mark.torch
@pytest.mark.parametrize("clip_norm", [1e-3, 2.0, 1e3])
def test_clipping_against_pytorch(torch, clip_norm):
    net = network(50)
    (grad,) = run(SGD(net, 1e-3, clip_norm=clip_norm), 1)
    weights = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    weights.grad = torch.tensor(grad)
    torch.nn.utils.clip_grad_norm_([weights], clip_norm)
    assert_close(net.grad, weights.grad, 1e-10)


# ---- in numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_first_step_of_adam_is_lr_long_in_every_entry(scale):
    """Both moments are corrected for their start at zero: m_hat / sqrt(v_hat) = sign(grad)."""
    net = network(9)
    before = net.theta.copy()
    net.grad[...] = scale * np.array([1, -1, 2, -3, 1, 1, -1, 5, -5])
    Adam(net, lr=0.1).step()
    np.testing.assert_allclose(net.theta - before, -0.1 * np.sign(net.grad), rtol=1e-4)


def test_weight_decay_is_decoupled():
    """Without a gradient only the decay moves theta, by lr * weight_decay of itself."""
    for kind in (SGD, RMSprop, Adam):
        net = network(5)
        before = net.theta.copy()
        kind(net, lr=0.5, weight_decay=0.1).step()
        assert_close(net.theta, before * (1 - 0.05), 1e-15)


def test_a_short_gradient_is_not_clipped():
    net = network(4)
    net.grad[...] = 0.1
    SGD(net, lr=1.0, clip_norm=1.0).step()
    np.testing.assert_array_equal(net.grad, np.full(4, 0.1))


@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_clipped_weights_are_those_of_the_step_within_the_bounds(kind):
    """Arjovsky et al., 2017, algorithm 1: first the update, then the clipping."""
    free, clipped = network(1000), network(1000)
    (grad,) = run(kind(free, lr=0.1), 1)
    run(kind(clipped, lr=0.1, clip_weights=0.5), 1)
    np.testing.assert_array_equal(clipped.theta, np.clip(free.theta, -0.5, 0.5))
    assert clipped.theta.min() == -0.5 and clipped.theta.max() == 0.5
    np.testing.assert_array_equal(clipped.grad, grad)


def test_weights_stay_in_their_bounds_however_long_the_steps():
    net = network(100, "float32")
    run(SGD(net, lr=10.0, clip_weights=0.01), 5)
    assert np.abs(net.theta).max() <= np.float32(0.01)


# ---- what depends on the parameters ----------------------------------------------------------


class Follower(Dense):
    """Notes the sum of its weights whenever it is told that they have changed."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.seen = []

    def after_update(self):
        self.seen.append(self.w.value.sum())


@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_layers_are_told_once_after_each_step_wherever_they_stand(kind):
    inner, outer = Follower(3, 3), Follower(3, 1)
    net = Sequential(Dense(3, 3), Sequential(Tanh(), inner), outer).initialize(0, dtype="float64")
    optimiser = kind(net, lr=0.1, clip_weights=0.2)
    for steps in range(1, 4):
        net.grad[...] = np.random.default_rng(steps).standard_normal(net.size)
        optimiser.step()
        for layer in (inner, outer):
            assert len(layer.seen) == steps
            assert layer.seen[-1] == layer.w.value.sum()


# ---- in place --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pair", PAIRS)
def test_everything_stays_in_place(pair, dtype):
    net = network(BLOCK + 5, dtype)
    optimiser = PAIRS[pair][0](net)
    optimiser.clip_norm = 1.0
    optimiser.clip_weights = 5.0
    optimiser.weight_decay = 0.01
    names = ("theta", "grad")
    places = {name: getattr(net, name) for name in names}
    places |= {name: getattr(optimiser, name) for name in optimiser.moments}
    before = net.theta.copy()
    run(optimiser, 3)
    for name, array in places.items():
        assert getattr(net if name in names else optimiser, name) is array
        assert array.dtype == dtype
    assert np.shares_memory(net.w.value, net.theta)
    assert (net.w.value.ravel() != before).any()


# ---- schedules -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (linear(2.0, 4), {0: 2, 1: 1.5, 2: 1, 4: 0, 9: 0}),
        (linear(2.0, 10, start=6), {0: 2, 6: 2, 7: 1.5, 9: 0.5, 10: 0, 11: 0}),
        (linear(1.0, 5, start=5), {0: 1, 4: 1, 5: 0}),
        (cosine(2.0, 6), {0: 2, 2: 1.5, 3: 1, 4: 0.5, 6: 0, 60: 0}),
        (warmup(3.0, 3), {0: 1, 1: 2, 2: 3, 3: 3, 99: 3}),
        (warmup(linear(4.0, 8), 2), {0: 2, 1: 3.5, 2: 3, 8: 0}),
        (linear(2.0, 0), {0: 2, 7: 2}),
        (cosine(2.0, 0), {0: 2, 7: 2}),
        (warmup(2.0, 0), {0: 2, 7: 2}),
        (warmup(linear(4.0, 8), 0), {0: 4, 2: 3}),
    ],
)
def test_schedules(schedule, values):
    for step, value in values.items():
        assert schedule(step) == pytest.approx(value, abs=1e-15), step


@pytest.mark.parametrize("schedule", [linear, cosine, warmup])
@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, None, "9"])
def test_a_schedule_of_no_length_is_refused(schedule, bad):
    with pytest.raises(
        ValueError, match=rf"^{schedule.__name__}\(steps=.*\): expected 0 <= steps < "
    ):
        schedule(1.0, bad)


def test_a_schedule_of_numpy_numbers_is_one_of_pythons():
    rates = np.linspace(0.1, 0.2, 4)  # float64
    own, plain = network(9, "float32"), network(9, "float32")
    run(SGD(own, lr=lambda step: rates[step]), 4)
    run(SGD(plain, lr=lambda step: float(rates[step])), 4)
    np.testing.assert_array_equal(own.theta, plain.theta)


@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_a_schedule_is_asked_for_the_number_of_steps_made(kind):
    asked = []
    scheduled, plain = network(5), network(5)

    def schedule(step):
        asked.append(step)
        return 0.1

    run(kind(scheduled, lr=schedule), 4)
    run(kind(plain, lr=0.1), 4)
    assert asked == [0, 1, 2, 3]
    np.testing.assert_array_equal(scheduled.theta, plain.theta)


def test_a_schedule_also_drives_the_decay():
    net = network(5)
    before = net.theta.copy()
    SGD(net, lr=linear(0.5, 2), weight_decay=0.2).step()
    assert_close(net.theta, before * 0.9, 1e-15)


# ---- state -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS)
def test_a_run_continues_as_if_it_had_not_been_interrupted(pair):
    make = PAIRS[pair][0]
    whole, parts = network(30), network(30)
    optimiser = make(whole)
    run(optimiser, 5, seed=1)
    parts.theta[...] = whole.theta
    state = optimiser.state_dict()
    run(optimiser, 5, seed=2)

    resumed = make(parts)
    resumed.load_state_dict(state)
    assert resumed.t == 5
    run(resumed, 5, seed=2)
    np.testing.assert_array_equal(parts.theta, whole.theta)


def test_the_state_is_a_copy():
    optimiser = Adam(network(4))
    run(optimiser, 2)
    state = optimiser.state_dict()
    kept = {key: np.copy(value) for key, value in state.items()}
    run(optimiser, 2)
    np.testing.assert_equal(state, kept)
    assert set(state) == {"t", "m", "v"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("v"),
        lambda state: state.update(v=np.zeros(3)),
        lambda state: state.update(v=np.zeros(1)),  # must not be broadcast
    ],
    ids=["missing", "too short", "one number"],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_changed(damage):
    optimiser = Adam(network(4))
    run(optimiser, 1)
    state, before = optimiser.state_dict(), optimiser.state_dict()
    state.update(t=7, m=np.ones(4))
    damage(state)
    with pytest.raises((ValueError, KeyError), match="v"):
        optimiser.load_state_dict(state)
    np.testing.assert_equal(optimiser.state_dict(), before)


@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_a_network_without_values_is_refused(kind):
    with pytest.raises(RuntimeError, match=r"Dense\(1, 2\) is not initialised"):
        kind(Dense(1, 2), lr=0.1)


def test_adam_reaches_the_minimum_of_a_bowl():
    net = network(20)
    adam = Adam(net, lr=cosine(0.1, 500))
    for _ in range(500):
        net.grad[...] = net.theta - 3
        adam.step()
    assert math.sqrt(((net.theta - 3) ** 2).mean()) < 1e-3


@pytest.mark.parametrize("lr", [-1e-3, float("nan"), float("inf")])
def test_a_learning_rate_that_cannot_be_is_refused(lr):
    net = Dense(2, 1).initialize()
    with pytest.raises(ValueError, match=rf"Adam\(lr={lr}\): expected 0 <= lr < inf, got {lr}$"):
        Adam(net, lr=lr)


@pytest.mark.parametrize("option", ["weight_decay", "clip_norm", "clip_weights"])
@pytest.mark.parametrize("value", [-1e-3, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
def test_an_option_of_all_that_cannot_be_is_refused(kind, option, value):
    net = Dense(2, 1).initialize()
    message = rf"{kind.__name__}\({option}={value}\): expected 0 <= {option} < inf, got {value}$"
    with pytest.raises(ValueError, match=message):
        kind(net, lr=0.1, **{option: value})


# ---- gradients whose squares float32 cannot hold ---------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "reference"])
@pytest.mark.parametrize("huge", [1e19, 1e20, -6e20, 1e25, 3.4e38])
@pytest.mark.parametrize("make", [Adam, RMSprop, lambda net: Adam(net, beta1=0, beta2=0.9)])
def test_one_huge_gradient_moves_its_entry_as_in_float64_and_does_not_freeze_it(
    backend, huge, make
):
    """It stands beside ordinary ones, which move as if it were not there."""
    ops, found = get_backend(backend), []
    for dtype in ("float32", "float64"):
        net = Dense(1, 40, bias=False).initialize(0, backend=ops, dtype=dtype)
        optimiser, path = make(net), [net.theta.copy()]
        for step in range(60):
            net.grad[...] = np.random.default_rng(step).standard_normal(40).astype("float32")
            if step == 5:
                net.grad[3] = huge
            optimiser.step()
            path.append(net.theta.copy())
        found.append(np.diff(path, axis=0))  # (60, 40)
        assert all(np.isfinite(getattr(optimiser, name)).all() for name in optimiser.moments)
    get_backend("numpy")
    single, exact = found
    assert_close(single, exact, 1e-3)
    assert abs(single[5, 3]) > 1e-4
    assert np.abs(single[50:, 3]).max() >= 0


@pytest.mark.parametrize("make", [Adam, RMSprop])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("beside", [1.0, 1e30])
def test_a_gradient_that_is_no_number_is_still_noticed(make, bad, beside):
    net = network(9, "float32")
    optimiser = make(net)
    with np.errstate(all="ignore"):
        net.grad[...] = beside
        net.grad[4] = bad
        optimiser.step()
    assert np.isfinite(net.theta).tolist() == [i != 4 for i in range(9)]


@pytest.mark.parametrize("make", [Adam, RMSprop])
def test_huge_gradients_are_no_error_where_overflow_is_one(make):
    net = network(9, "float32")
    optimiser = make(net)
    with np.errstate(all="raise"):
        net.grad[...] = 1e30
        optimiser.step()
    assert np.isfinite(net.theta).all()


@pytest.mark.parametrize("size", [1e-30, 1e-25, 1.0, 1e19, 1e25, 1e30])
def test_a_gradient_of_any_size_is_clipped_to_the_same_length(size):
    found = []
    for dtype in ("float32", "float64"):
        net = network(50, dtype)
        net.grad[...] = (size * np.random.default_rng(0).standard_normal(50)).astype("float32")
        SGD(net, lr=0.0, clip_norm=0.5).step()
        found.append(net.grad / size)
    assert_close(*found, 1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_clipping_hides_no_gradient_that_is_no_number(bad):
    net = network(9, "float32")
    net.grad[...] = 1
    net.grad[4] = bad
    with np.errstate(invalid="ignore"):
        SGD(net, lr=0.1, clip_norm=0.5).step()
    assert not np.isfinite(net.theta).all()
