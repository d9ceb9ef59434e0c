import math
import re
from dataclasses import fields

import numpy as np
import pytest

from scratchgan.gan import PRESETS, Config, preset_options
from scratchgan.runs import DivergenceError, Monitor
from scratchgan.runs.monitor import missing_bound, spread, unused_classes, waited_for_cores

from ..gan.tiny import install, random_images, tiny_config, tiny_trainer


def monitor(**options):
    return Monitor(spread(random_images(50)), **options)


# ---- numbers that are none -------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_named(value):
    with pytest.raises(DivergenceError) as caught:
        monitor().check_finite(17, D_loss=0.5, G_loss=value)
    assert "step 17" in str(caught.value) and f"G_loss is {value}" in str(caught.value)
    assert "D_loss" not in str(caught.value)
    assert "learning rate, `g_lr=` or `d_lr=`" in str(caught.value)


def test_all_numbers_that_are_not_finite_are_named():
    with pytest.raises(DivergenceError, match="a is nan, b is inf"):
        monitor().check_finite(1, a=math.nan, b=math.inf)


def test_finite_numbers_pass():
    monitor().check_finite(1, a=0.0, b=-1e300)


# ---- training diverges -----------------------------------------------------------------------


def diverging(watching, losses):
    """The steps at which a warning came; losses: of D and of G, for each report."""
    steps = range(10, 10 * len(losses) + 10, 10)
    return [s for s, found in zip(steps, losses, strict=True) if watching.watch_losses(s, *found)]


@pytest.mark.parametrize("huge", [(0.0, 4e17), (3e5, 1.0), (-2e4, 1.0), (1.0, -2e4)])
def test_a_huge_loss_is_said_once_at_the_second_report(huge):
    assert diverging(monitor(), [huge] * 30) == [20]


def test_the_warning_names_the_losses_and_the_cure():
    watching = monitor()
    watching.watch_losses(10, 0.0, 4.2e17)
    message = watching.watch_losses(20, 0.0, 4.2e17)
    for part in ("step 20", "diverges", "D loss 0,", "G loss 4.2e+17.", "`g_lr=`", "`d_lr=`"):
        assert part in message
    assert "weights" not in message  # they are not known to have grown


def test_a_spike_is_not_said_and_a_second_explosion_is():
    fine, huge = (1.0, 1.0), (1e6, 1e6)
    assert diverging(monitor(), [fine, huge, fine, huge, fine, fine]) == []
    assert diverging(monitor(), [huge, huge, fine, fine, huge, huge]) == [20, 60]


def test_what_ordinary_runs_reach_is_not_said():
    """The largest of all presets is 26; a critic's drift and its first penalties are larger."""
    for losses in [(-26.2, 17.6), (-700.0, 900.0), (9000.0, -9000.0)]:
        assert diverging(monitor(), [losses] * 30) == []


@pytest.fixture
def tiny(monkeypatch):
    install(monkeypatch)


def watched(**options):
    trainer = tiny_trainer(**options)
    networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    return trainer, Monitor(0.0, networks=networks)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "minimax"},  # log(1 - D) is 0
        {"loss": "hinge", "d_norm": "spectral"},  # D is normalised
        {"loss": "wasserstein", "clip_weights": 0.01},  # D is clipped
        {"loss": "non-saturating"},
    ],
)
def test_weights_that_grow_are_said_where_the_losses_stay_small(tiny, options, dtype):
    for lr in (10.0, 1e6):
        trainer, watching = watched(g_lr=lr, d_lr=lr, dtype=dtype, **options)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(10):
                trainer.step()
            message = watching.watch_losses(10, 0.5, 0.5)
        assert "step 10: training diverges" in message and "generator's" in message
        assert watching.watch_losses(20, 0.5, 0.5) is None  # once
    assert ("discriminator's" in message) == ("clip_weights" not in options)


def test_the_networks_that_grow_are_named(tiny):
    trainer, watching = watched()
    trainer.discriminator.theta[:] = 3.0  # nothing smaller than 0.1 counts as the start
    message = watching.watch_losses(10, 0.5, 0.5)
    assert "; weights have grown, the discriminator's" in message and "generator's" not in message


def test_weights_of_an_ordinary_size_are_not_said(tiny):
    for loss in ("non-saturating", "wasserstein", "least-squares"):
        trainer, watching = watched(loss=loss)
        losses = [tuple(map(float, trainer.step()))[:2] for _ in range(300)]
        assert diverging(watching, losses) == []
    trainer, watching = watched()
    trainer.generator.theta[:] = 0.9  # from however small a start
    assert watching.watch_losses(10, 0.5, 0.5) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"loss": "wasserstein"}, True),
        ({"loss": "wasserstein", "clip_weights": 0.01}, False),
        ({"loss": "wasserstein", "penalty": "wgan-gp"}, False),
        ({"loss": "wasserstein", "d_norm": "spectral"}, False),
        ({"loss": "wasserstein", "d_norm": "layer"}, True),
        ({"loss": "hinge"}, False),
    ],
)
def test_a_critic_that_nothing_limits_is_said(options, expected):
    message = missing_bound(tiny_config(**options))
    assert (message is not None) == expected
    assert not expected or all(f"`{k}=`" in message for k in ("penalty", "clip_weights", "d_norm"))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_limits_its_critic(name):
    assert missing_bound(tiny_config(**preset_options(name))) is None


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        (None, 0, None),
        ([2, 0, 1, 1], 3, None),
        ([1, 2, 3, 3], 4, "only 3 of the classes 0 to 3 occur"),
        ([0, 500, 0], 501, "only 2 of the classes 0 to 500 occur"),
        ([0, 1], 10, "only 2 of the classes 0 to 9 occur"),
    ],
)
def test_classes_without_an_image_are_said(labels, classes, said):
    labels = None if labels is None else np.array(labels, np.uint16)
    message = unused_classes(labels, classes)
    if said is None:
        assert message is None
        return
    assert message.startswith(f"labels: {said}; np.unique(labels, return_inverse=True)[1] ")
    renumbered = np.unique(labels, return_inverse=True)[1]
    assert unused_classes(renumbered, renumbered.max() + 1) is None


# ---- the discriminator has won ---------------------------------------------------------------

WON, EVEN = {"d_real": 0.92, "d_fake": 0.2}, {"d_real": 0.55, "d_fake": 0.45}


def warned(watching, steps, d_real, d_fake):
    """The steps at which a warning came."""
    return [s for s in steps if watching.watch_probabilities(s, d_real, d_fake)]


@pytest.mark.parametrize("won", [WON, {"d_real": 0.999, "d_fake": 0.001}])
def test_a_discriminator_that_stays_ahead_is_reported_once(won):
    assert warned(monitor(), range(100, 3000, 10), **won) == [100 + Monitor.WON_FOR]


def test_the_warning_says_what_was_seen_and_what_to_do():
    watching = monitor()
    watching.watch_probabilities(40, **WON)
    message = watching.watch_probabilities(40 + Monitor.WON_FOR, **WON)
    assert all(part in message for part in ("step 540", "since step 40", "0.920", "0.200"))
    options = dict(re.findall(r"`(\w+)=([\w.]*)`", message))
    assert options.pop("d_lr") == ""
    kinds = {f.name: type(f.default) for f in fields(Config)}
    for name, value in options.items():  # each exists, and takes the value that is named
        assert getattr(Config("random", **{name: kinds[name](value)}), name) == kinds[name](value)
    assert len(options) >= 4


def test_one_batch_does_not_decide():
    watching, steps = monitor(), range(0, 2000, 10)
    rows = [WON if step % 1000 else EVEN for step in steps]
    told = [watching.watch_probabilities(s, **row) for s, row in zip(steps, rows, strict=True)]
    assert [s for s, said in zip(steps, told, strict=True) if said] == [500]


def test_it_is_said_again_only_after_a_recovery():
    watching = monitor()
    assert warned(watching, range(0, 1000, 10), **WON) == [500]
    assert warned(watching, range(1000, 2000, 10), 0.78, 0.23) == []  # hardly better
    assert warned(watching, range(2000, 3000, 10), **EVEN) == []
    assert len(warned(watching, range(3000, 5000, 10), **WON)) == 1


@pytest.mark.parametrize("even", [EVEN, {"d_real": 0.7, "d_fake": 0.3}, {"d_real": 1, "d_fake": 1}])
def test_a_discriminator_in_doubt_is_never_reported(even):
    assert warned(monitor(), range(0, 5000, 10), **even) == []


def test_with_smooth_labels_less_is_sure():
    assert warned(monitor(smooth=0.3), range(0, 600, 10), 0.6, 0.2) == [500]
    assert warned(monitor(), range(0, 600, 10), 0.6, 0.2) == []


# ---- the samples have collapsed --------------------------------------------------------------


def alike(n=16):
    return random_images(1, seed=3).repeat(n, 0)


def nearly_alike(n=16):
    noise = np.random.default_rng(0).integers(0, 4, (n, 6, 6, 1), np.uint8)
    return alike(n) // 2 + noise


@pytest.mark.parametrize("images", [alike(), nearly_alike()], ids=["alike", "nearly"])
def test_collapsed_samples_are_reported_once_until_they_recover(images):
    watching, varied = monitor(), random_images(16, seed=1)
    found = [watching.watch_samples(step, images) for step in (500, 1000, 1500)]
    assert "step 500" in found[0] and "collapsed" in found[0] and "`seed=`" in found[0]
    assert found[1:] == [None, None]
    assert watching.watch_samples(2000, varied) is None
    assert "step 2500" in watching.watch_samples(2500, images)


def test_the_share_of_the_real_spread_is_said():
    assert " 0 % as much" in monitor().watch_samples(500, alike())


def test_samples_may_be_alike_at_first():
    watching = monitor()
    assert [watching.watch_samples(step, alike()) for step in (1, 60, 199)] == [None] * 3
    assert "step 200" in watching.watch_samples(200, alike())


def test_varied_samples_are_not_reported():
    for seed in range(5):
        assert monitor().watch_samples(500, random_images(16, seed=seed)) is None
    faint = random_images(16) // 4 + 90  # a quarter of the contrast is variety enough
    assert monitor().watch_samples(500, faint) is None


def test_real_images_that_are_all_alike_are_no_reason_to_divide_by_zero():
    assert Monitor(spread(alike())).watch_samples(500, random_images(16)) is None


def test_the_spread_is_the_difference_between_images_and_not_within_one():
    assert spread(alike()) == 0
    black_and_white = np.array([0, 200], np.uint8).reshape(2, 1, 1, 1).repeat(6, 1)
    assert spread(black_and_white) == 100


# ---- the cores are shared --------------------------------------------------------------------


@pytest.fixture
def crowded(monkeypatch):
    """A way to let a monitor look: after so many seconds, threads have waited for so long."""
    waited, watching = {}, monitor()
    monkeypatch.setattr("scratchgan.runs.monitor.waited_for_cores", lambda: dict(waited))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)

    def look(now, *waits):
        waited.clear()
        waited.update(enumerate(waits))
        return watching.watch_cores(now)

    return look


def test_waiting_for_cores_is_said_once(crowded):
    assert crowded(100.0, 50.0) is None  # what was before the start
    assert crowded(109.0, 59.0) is None  # too early to tell
    said = crowded(110.0, 60.0)
    assert "1.0 s" in said and "SCRATCHGAN_THREADS=1 and OPENBLAS_NUM_THREADS=1" in said
    assert "Ctrl-C, then `resume=True`" in said
    assert crowded(120.0, 70.0) is None
    assert crowded(130.0, 74.9) is None  # it has passed
    assert crowded(140.0, 80.0) is not None


def test_a_little_waiting_is_nothing(crowded):
    assert [crowded(t, 0.4 * t) for t in range(0, 100, 5)] == [None] * 20


def test_one_thread_each_is_not_advised_twice(crowded, monkeypatch):
    monkeypatch.setenv("SCRATCHGAN_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert crowded(0.0, 0.0) is crowded(10.0, 10.0) is None


def test_nothing_is_advised_where_there_is_one_core(crowded, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert crowded(0.0, 0.0) is crowded(10.0, 10.0) is None


def test_threads_come_and_go(crowded):
    assert crowded(0.0, 3.0, 90.0) is None
    assert "0.6 s" in crowded(10.0, 9.0)  # the second one has ended, and what it waited is past
    assert crowded(20.0, 9.1, 0.2) is None


def test_where_waiting_is_unknown_nothing_is_said(crowded):
    assert crowded(0.0) is crowded(10.0) is None


def test_waiting_is_the_second_number_of_each_thread(tmp_path):
    for thread, text in [("7", "1 2500000000 3"), ("8", "4 0 9"), ("9", ""), ("10", "1 x 2")]:
        (tmp_path / thread).mkdir()
        (tmp_path / thread / "schedstat").write_text(text)
    (tmp_path / "11").mkdir()
    assert waited_for_cores(tmp_path) == {"7": 2.5, "8": 0.0}
    assert waited_for_cores(tmp_path / "nowhere") == {}
