import numpy as np
import pytest

from scratchgan import BatchNorm, Dense, Reshape, Sequential, SpectralNorm, Tanh
from scratchgan.data import to_unit
from scratchgan.gan import MODELS, DataSource, Trainer, build, draw_noise, generate, model
from scratchgan.losses import ADVERSARIAL
from scratchgan.optim import EMA, OPTIMISERS
from scratchgan.penalties import PENALTIES

from ..compare import assert_close
from .tiny import (
    differences,
    everything,
    generators,
    install,
    random_images,
    tiny_config,
    tiny_trainer,
    train_for,
)

LOSSES = list(ADVERSARIAL)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    install(monkeypatch)


def arrays_of(network):
    return {key: p.value.copy() for key, p in network.params().items()}


# ---- what moves, and what does not -----------------------------------------------------------


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", [*MODELS, "tiny"])
def test_one_step_moves_every_parameter_of_both_networks(name, loss, optimiser):
    images = random_images(16, model(name).image_shape)
    config = tiny_config(
        model=name, loss=loss, batch_size=8, g_optimiser=optimiser, d_optimiser=optimiser
    )
    trainer = build(config, images, "numpy")
    networks = {"G": trainer.generator, "D": trainer.discriminator}
    before = {side: arrays_of(network) for side, network in networks.items()}
    step = trainer.step()
    assert all(np.isfinite(float(value)) for value in step)
    # A loss of differences of logits cannot see D's output bias; nor does the hinge at the start,
    # where its slopes are -1 for all real and 1 for all fake samples.
    unseen = [f"D {list(networks['D'].params())[-1]}"] if not ADVERSARIAL[loss].probability else []
    for side, network in networks.items():
        assert before[side]
        for key, param in network.params().items():
            assert np.isfinite(param.value).all()
            moved = (param.value != before[side][key]).any()
            assert moved or f"{side} {key}" in unseen, f"{side} {key} stayed"


def test_the_generators_step_leaves_the_discriminator_alone():
    trainer = tiny_trainer()
    trainer.step()  # so that D's gradient is not zero
    D = trainer.discriminator
    theta, grad, other = D.theta.copy(), D.grad.copy(), trainer.generator.theta.copy()
    assert grad.any()
    trainer.g_step(*trainer.source.batch())
    assert np.array_equal(D.theta, theta)
    assert np.array_equal(D.grad, grad)
    assert not np.array_equal(trainer.generator.theta, other)


def test_the_discriminators_step_leaves_the_generator_alone():
    trainer = tiny_trainer()
    trainer.step()
    G = trainer.generator
    theta, grad, other = G.theta.copy(), G.grad.copy(), trainer.discriminator.theta.copy()
    trainer.d_step(*trainer.source.batch())
    assert np.array_equal(G.theta, theta)
    assert np.array_equal(G.grad, grad)
    assert not np.array_equal(trainer.discriminator.theta, other)


@pytest.mark.parametrize("d_steps", [1, 3])
def test_each_step_of_d_takes_a_batch_of_its_own(d_steps):
    trainer = tiny_trainer(n=96, d_steps=d_steps)
    for count in (1, 2):
        step = trainer.step()
        assert trainer.batches.position == count * d_steps * 16
        assert (trainer.d_optimiser.t, trainer.g_optimiser.t) == (count * d_steps, count)
        assert trainer.step_count == count
        assert len(step) == 4
    assert trainer.batches.epoch == 1


def test_d_steps_are_steps_on_different_images(monkeypatch):
    trainer = tiny_trainer(n=48, d_steps=3)
    seen = []
    d_step = trainer.d_step
    monkeypatch.setattr(trainer, "d_step", lambda x, y: seen.append(x) or d_step(x, y))
    trainer.step()
    wanted = to_unit(trainer.images[trainer.batches.order])
    assert np.array_equal(np.concatenate(seen), wanted)  # all 48, each once, in that order
    assert len(seen) == 3


@pytest.mark.parametrize("d_steps", [0, -1])
def test_d_steps_below_one_are_refused(d_steps):
    with pytest.raises(ValueError, match=rf"d_steps: expected 1 or more, got {d_steps}$"):
        tiny_trainer(d_steps=d_steps)


@pytest.mark.parametrize("shape", [(5, 6, 1), (6, 6, 3), (36,)])
def test_images_of_the_wrong_shape_are_refused_by_name(shape):
    with pytest.raises(ValueError) as caught:
        build(tiny_config(), random_images(16, shape), "numpy")
    message = str(caught.value)
    assert str(shape) in message and "(6, 6, 1)" in message and "'tiny'" in message


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match=r"batch_size: expected 1 to 64, .*got 65"):
        tiny_trainer(batch_size=65)


# ---- the gradients are those of the losses ---------------------------------------------------
# The losses of both players as plain functions of theta, by other formulas than the library's.


def mean_log(logits, sign):
    """Mean of log sigmoid(sign * logits)."""
    return -np.logaddexp(0, -sign * logits).mean()


def loss_of_d(name, real, fake, smooth):
    t = 1 - smooth
    if name == "least-squares":
        return ((real - t) ** 2).mean() / 2 + (fake**2).mean() / 2
    if name == "hinge":
        return np.clip(1 - real, 0, None).mean() + np.clip(1 + fake, 0, None).mean()
    if name == "wasserstein":
        return fake.mean() - real.mean()
    if name == "relativistic":
        return -mean_log(real - fake, 1)
    return -t * mean_log(real, 1) - (1 - t) * mean_log(real, -1) - mean_log(fake, -1)


def loss_of_g(name, real, fake):
    return {
        "hinge": -fake.mean(),
        "wasserstein": -fake.mean(),
        "relativistic": -mean_log(fake - real, 1),
        "minimax": mean_log(fake, -1),
        "non-saturating": -mean_log(fake, 1),
        "least-squares": ((fake - 1) ** 2).mean() / 2,
    }[name]


class Rewound:
    """A trainer whose noise, Dropout masks and parameters can be had again."""

    def __init__(self, **options):
        self.trainer = tiny_trainer(dtype="float64", **options)
        train_for(self.trainer, 3)  # away from the start, where biases are zero
        self.rngs = generators(self.trainer)
        self.states = [rng.bit_generator.state for rng in self.rngs]
        self.x = to_unit(self.trainer.images[5:21]).astype(float)
        self.thetas = {
            net: net.theta.copy() for net in (self.trainer.generator, self.trainer.discriminator)
        }

    def rewind(self):
        for rng, state in zip(self.rngs, self.states, strict=True):
            rng.bit_generator.state = state
        for network, theta in self.thetas.items():
            network.theta[...] = theta

    def logits(self):
        """Of the real and the generated batch, drawing what D's training step draws."""
        t = self.trainer
        fake, _ = t.generator.forward(t.source.noise())
        real, _ = t.discriminator.forward(self.x)
        return real, t.discriminator.forward(fake)[0]

    def logits_for_g(self):
        """The same in the order of G's step."""
        t = self.trainer
        fake, _ = t.generator.forward(t.source.noise())
        logits, _ = t.discriminator.forward(fake)
        return t.discriminator.forward(self.x)[0], logits

    def slope(self, network, loss, direction, h=1e-6):
        """The derivative of ``loss()`` along a direction in theta, from both sides."""
        values = []
        for side in (h, -h):
            self.rewind()
            network.theta += side * direction
            values.append(loss())
        self.rewind()
        return (values[0] - values[1]) / (2 * h)


def assert_gradient_is_the_slope(rewound, network, loss):
    gradient, rng = network.grad.copy(), np.random.default_rng(1)
    assert gradient.any()
    # One direction for everything at once, and one for each array.
    directions = [rng.standard_normal(gradient.shape)]
    start = 0
    for param in network.params().values():
        only = np.zeros_like(gradient)
        only[start : start + param.size] = rng.standard_normal(param.size)
        directions.append(only)
        start += param.size
    size = max(abs(gradient @ d) for d in directions)
    for direction in directions:
        found, wanted = gradient @ direction, rewound.slope(network, loss, direction)
        assert abs(found - wanted) <= 1e-7 * size


@pytest.mark.parametrize(
    ("name", "smooth"),
    [(n, s) for n in LOSSES for s in (0.0, 0.1) if not s or ADVERSARIAL[n].probability],
)
def test_ds_gradient_is_that_of_its_loss_on_real_and_fake_together(name, smooth):
    rewound = Rewound(loss=name, smooth=smooth)
    trainer = rewound.trainer
    rewound.rewind()
    value, d_real, d_fake = trainer.d_step(rewound.x)

    def loss():
        return loss_of_d(name, *rewound.logits(), smooth)

    assert_gradient_is_the_slope(rewound, trainer.discriminator, loss)
    assert value == pytest.approx(loss(), rel=1e-12)
    rewound.rewind()
    real, fake = rewound.logits()
    for probability, logits in (d_real, real), (d_fake, fake):
        if not ADVERSARIAL[name].probability:
            wanted = logits
        elif name == "least-squares":  # whose logits are to be 1 and 0 themselves
            wanted = np.clip(logits, 0, 1)
        else:
            wanted = 1 / (1 + np.exp(-logits))
        assert probability == pytest.approx(wanted.mean(), rel=1e-12)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_ds_gradient_has_that_of_the_penalty_in_it(penalty):
    rewound = Rewound(loss="wasserstein", penalty=penalty, d_norm="layer")
    trainer = rewound.trainer

    def value():
        return trainer.d_step(rewound.x)[0]

    rewound.rewind()
    with_penalty = value()
    gradient = trainer.discriminator.grad.copy()
    rewound.rewind()
    slope = rewound.slope
    trainer.discriminator.grad[...] = gradient

    def slope_of_value(network, loss, direction):
        found = slope(network, loss, direction)
        trainer.discriminator.grad[...] = gradient
        return found

    rewound.slope = slope_of_value
    assert_gradient_is_the_slope(rewound, trainer.discriminator, value)
    trainer.regulariser = None
    rewound.rewind()
    assert value() < with_penalty


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("name", LOSSES)
def test_gs_gradient_is_that_of_its_loss_seen_through_d(name, l2):
    rewound = Rewound(loss=name, l2_generator=l2)
    trainer = rewound.trainer
    rewound.rewind()
    value = trainer.g_step(rewound.x)

    def loss():
        weights = [p.value for key, p in trainer.generator.params().items() if key.endswith(".w")]
        penalty = l2 / 2 * sum((w**2).sum() for w in weights)
        return loss_of_g(name, *rewound.logits_for_g()) + penalty

    assert_gradient_is_the_slope(rewound, trainer.generator, loss)
    assert value == pytest.approx(loss(), rel=1e-12)


def test_l2_adds_the_weights_to_their_gradient_and_nothing_to_a_biases():
    gradients = []
    for l2 in (0.0, 0.25):
        rewound = Rewound(l2_generator=0.0)
        trainer = rewound.trainer
        trainer.l2_generator = l2
        rewound.rewind()
        weights = arrays_of(trainer.generator)
        trainer.g_step(rewound.x)
        gradients.append({k: p.grad.copy() for k, p in trainer.generator.params().items()})
    plain, with_l2 = gradients
    kinds = set()
    for key, weight in weights.items():
        kind = key.rpartition(".")[2]
        kinds.add(kind)
        if kind == "w":
            assert_close(with_l2[key] - plain[key], 0.25 * weight, 1e-12, key)
        else:
            assert np.array_equal(with_l2[key], plain[key]), key
    assert kinds == {"w", "b", "gamma", "beta"}


# ---- noise -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "variance", "reach"), [("normal", 1, (3, 6)), ("uniform", 1 / 3, (0.99, 1))]
)
def test_noise(kind, variance, reach):
    z = draw_noise(np.random.default_rng(0), 2000, 50, kind)
    assert z.shape == (2000, 50) and z.dtype == np.float32
    assert abs(z.mean()) < 0.01
    assert abs(z.var() / variance - 1) < 0.02
    for end in (z.max(), -z.min()):
        assert reach[0] < end <= reach[1]
    again = draw_noise(np.random.default_rng(0), 2000, 50, kind)
    assert np.array_equal(z, again)


@pytest.mark.parametrize("kind", ["gauss", "", None])
def test_an_unknown_noise_is_refused(kind):
    with pytest.raises(ValueError, match=f"noise: expected 'normal' or 'uniform', got {kind!r}"):
        draw_noise(np.random.default_rng(0), 2, 3, kind)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_trainer_draws_the_noise_it_is_told_to(kind):
    trainer = tiny_trainer(noise=kind, dtype="float64")
    z = trainer.source.noise()
    assert z.shape == (16, 5) and z.dtype == np.float64
    assert (np.abs(z) <= 1).all() == (kind == "uniform")


def test_images_in_a_memory_map_give_the_same_batches(tmp_path):
    images = random_images(20)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    first, second = (
        DataSource(x, np.random.default_rng(0), batch_size=8, z_dim=5) for x in (images, mapped)
    )
    for _ in range(3):
        pairs = (first.batch()[0], second.batch()[0]), (first.noise(), second.noise())
        for x, y in pairs:
            assert type(y) is np.ndarray
            assert np.array_equal(x, y)


# ---- the same again --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_seed_one_run(dtype):
    first, second, other = (tiny_trainer(seed=seed, dtype=dtype, ema=0.9) for seed in (3, 3, 4))
    found = [train_for(trainer, 5) for trainer in (first, second, other)]
    assert found[0] == found[1] != found[2]
    assert not differences(everything(first), everything(second))
    assert {"G.theta", "D.theta", "batches"} <= set(
        differences(everything(first), everything(other))
    )
    assert first.generator.theta.dtype == dtype


def test_the_networks_start_from_streams_of_their_own(monkeypatch):
    """Another generator must not change how the discriminator starts."""
    plain = tiny_trainer()

    def wide_generator():
        return Sequential(Dense(7, 50), Tanh(), Dense(50, 36), Reshape((6, 6, 1)))

    other_networks = MODELS["tiny"]._replace(generator=wide_generator, z_dim=7)
    monkeypatch.setitem(MODELS, "tiny", other_networks)
    other = tiny_trainer()
    assert np.array_equal(plain.discriminator.theta, other.discriminator.theta)
    assert plain.generator.size != other.generator.size


# ---- the running mean ------------------------------------------------------------------------


def test_samples_come_from_the_running_mean_where_there_is_one():
    trainer = tiny_trainer(ema=0.9, g_lr=0.05)
    start = trainer.generator.theta.copy()
    train_for(trainer, 4)
    mean = trainer.best_generator
    assert mean is trainer.average.mean is not trainer.generator
    assert not np.array_equal(mean.theta, start)
    assert not np.array_equal(mean.theta, trainer.generator.theta)


def test_the_running_mean_is_the_mean_of_the_steps():
    trainer = tiny_trainer(ema=0.9, dtype="float64", g_lr=0.05)
    wanted = trainer.generator.state_dict()  # parameters, and BatchNorm's statistics
    for t in range(1, 6):
        trainer.step()
        decay = min(0.9, (t + 1) / (t + 10))
        live = trainer.generator.state_dict()
        wanted = {key: decay * wanted[key] + (1 - decay) * live[key] for key in wanted}
    found = trainer.average.mean.state_dict()
    assert found.keys() == wanted.keys() and any("running" in key for key in found)
    for key, value in wanted.items():
        assert_close(found[key], value, 1e-14)


def test_directions_of_spectral_norm_are_the_newest_in_the_running_mean():
    network = Sequential(SpectralNorm(Dense(3, 3)), BatchNorm(3)).initialize(0)
    average = EMA(network, 0.9)
    x = np.random.default_rng(0).standard_normal((8, 3), np.float32)
    for _ in range(3):
        network.forward(x)
        network.layers[0].after_update()
        average.update()
    for name in ("u", "v"):
        live, copied = (getattr(net.layers[0], name) for net in (network, average.mean))
        np.testing.assert_array_equal(copied, live)
        assert copied is not live
    assert (average.mean.layers[1].running_mean != network.layers[1].running_mean).any()


def test_the_running_mean_does_not_disturb_the_run():
    plain, averaged = tiny_trainer(), tiny_trainer(ema=0.99)
    assert train_for(plain, 4) == train_for(averaged, 4)
    assert plain.best_generator is plain.generator


# ---- images out of a generator ---------------------------------------------------------------


def test_generated_images_are_bytes_and_do_not_depend_on_the_batch():
    trainer = tiny_trainer()
    train_for(trainer, 3)
    z = draw_noise(np.random.default_rng(0), 11, 5)
    before = everything(trainer)
    images = generate(trainer.generator, z)
    assert images.shape == (11, 6, 6, 1) and images.dtype == np.uint8
    for batch in (1, 4, 11):
        again = generate(trainer.generator, z, batch=batch)
        assert np.abs(again.astype(int) - images).max() <= 1  # products may round differently
    assert not differences(before, everything(trainer))  # evaluation: no masks, no statistics
    y, _ = trainer.generator.forward(z, train=False)
    assert np.array_equal(images, np.rint((y + 1) * 127.5).astype(np.uint8))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_its_promise(name):
    networks = model(name)
    G, D = networks.generator().initialize(0), networks.discriminator().initialize(1)
    z = draw_noise(np.random.default_rng(0), 3, networks.z_dim)
    x, _ = G.forward(z)
    assert x.shape == (3, *networks.image_shape)
    assert np.abs(x).max() <= 1
    assert D.forward(x)[0].shape == (3, 1)
    assert networks.generator() is not networks.generator()


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(ValueError) as caught:
        model("gpt")
    assert "'gpt'" in str(caught.value)
    assert all(name in str(caught.value) for name in MODELS)


def test_the_trainer_takes_any_networks_and_loss():
    """The pieces fit without `Config`: what a user with networks of their own does."""
    networks = MODELS["tiny"]
    G, D = networks.generator().initialize(0), networks.discriminator().initialize(1)
    make = OPTIMISERS["sgd"]
    source = DataSource(random_images(32), np.random.default_rng(0), batch_size=8, z_dim=5)
    loss = ADVERSARIAL["least-squares"]()
    trainer = Trainer(G, D, loss, make(G, 0.1), make(D, 0.1), source)
    before = G.theta.copy(), D.theta.copy()
    assert len(train_for(trainer, 2)) == 2
    assert not np.array_equal(G.theta, before[0]) and not np.array_equal(D.theta, before[1])
