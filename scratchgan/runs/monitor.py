"""Warnings about the typical failures of GANs, and about training that is needlessly slow.

Training is slow when its threads share their cores with other work and wait for each other.
"""

import math
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..gan import Config
from ..layers import Layer

THREADS = ("SCRATCHGAN_THREADS", "OPENBLAS_NUM_THREADS")


class DivergenceError(RuntimeError):
    """A loss or a parameter is no longer finite: training cannot recover from this."""


class Monitor:
    """Watches the numbers of a run and warns when training goes wrong.

    Each warning is given once, and again only if the trouble passes and comes back.

    Parameters
    ----------
    real_spread : float
        The `spread` of real images.
    smooth : float
        The label smoothing: D(x) is trained towards 1 - smooth.
    networks : dict of Layer, optional
        The networks, by name, before the steps that are watched.
    """

    WON_FOR = 500  # steps over which D(x) and D(G(z)) are averaged, to tell whether D has won
    LEAD = 0.6  # D(x) - D(G(z)) of a D that has won; of ordinary runs, 0.3 at most
    SLACK = 0.1  # how much smaller the lead must become before D counts as beaten again
    EXPLODED = 1e4  # a loss; the largest of any ordinary run that we measured was 26
    GROWN = 10  # times the weights' size at the start; of ordinary runs, 2 at most
    SMALL = 0.1  # a size of weights from which they may grow as they like
    EARLY = 200  # steps: before, the samples of most networks are alike
    COLLAPSED = 0.1  # share of the real images' spread
    CROWDED = 0.5  # seconds that threads wait for a core, in each second
    LOOK = 10  # seconds from one look at the cores to the next

    def __init__(
        self, real_spread: float, smooth: float = 0.0, networks: dict[str, Layer] | None = None
    ):
        self.real_spread, self.smooth, self.networks = real_spread, smooth, networks or {}
        self.start = {name: max(size, self.SMALL) for name, size in self._sizes().items()}
        self.judged: list[tuple[int, float, float]] = []  # step, D(x), D(G(z)); the last WON_FOR
        self.was_large = False  # a loss was above EXPLODED when it was last looked at
        self.present: set[str] = set()  # troubles that have been reported and have not passed
        # The time of the last look at the cores, and how long each thread had waited by then:
        self.looked: tuple[float, dict[str, float]] | None = None

    def check_finite(self, step: int, **values: float) -> None:
        """Raise `DivergenceError` unless all values are finite."""
        bad = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if bad:
            cure = "a smaller learning rate, `g_lr=` or `d_lr=`, is the usual cure"
            raise DivergenceError(f"step {step}: {', '.join(bad)}; {cure}")

    def watch_losses(self, step: int, d_loss: float, g_loss: float) -> str | None:
        """Return a warning if training diverges, else None.

        It diverges if the weights of a network are huge, or if a loss is, in two calls in a row:
        one may be a spike that passes. The weights tell where the losses do not: the losses of a
        clipped or normalised discriminator stay small, and ``log(1 - D)`` of a sure D is 0.
        """
        large = max(abs(d_loss), abs(g_loss)) > self.EXPLODED
        twice, self.was_large = large and self.was_large, large
        times = {name: size / self.start[name] for name, size in self._sizes().items()}
        grown = [f"the {name}'s {t:.2g}-fold" for name, t in times.items() if t > self.GROWN]
        weights = f"; weights have grown, {' and '.join(grown)}" if grown else ""
        return self._once(
            "diverging",
            twice or bool(grown),
            f"step {step}: training diverges: D loss {d_loss:.3g}, G loss {g_loss:.3g}{weights}. "
            "It will hardly recover: stop, and start again with a smaller `g_lr=` and `d_lr=`",
        )

    def _sizes(self):
        """Return the root mean square of each network's parameters, by the network's name."""
        theta = {name: network.theta for name, network in self.networks.items()}  # (P,) each
        return {name: math.sqrt(float(t @ t) / max(t.size, 1)) for name, t in theta.items()}

    def watch_probabilities(self, step: int, d_real: float, d_fake: float) -> str | None:
        """Return a warning if D has told real from generated images for a while, else None."""
        self.judged.append((step, d_real / (1 - self.smooth), d_fake))
        self.judged = [row for row in self.judged if row[0] >= step - self.WON_FOR]
        since, *_ = self.judged[0]
        _, real, fake = (
            sum(column) / len(self.judged) for column in zip(*self.judged, strict=True)
        )
        lead = self.LEAD - self.SLACK * ("won" in self.present)
        return self._once(
            "won",
            step - since >= self.WON_FOR and real - fake >= lead,
            f"step {step}: the discriminator has won: since step {since}, D(x) = {real:.3f} and "
            f"D(G(z)) = {fake:.3f} on average; the generator has little left to learn from. "
            "Try `penalty=r1` with `d_norm=none`, `d_norm=spectral`, `instance_noise=0.1`, a "
            "smaller `d_lr=`, or, for few images, `augment=translation`",
        )

    def watch_samples(self, step: int, images: np.ndarray) -> str | None:
        """Return a warning if the samples, uint8 (N, H, W, C), are all alike, else None.

        There is none before step `EARLY`, because an untrained generator hardly uses its noise.
        """
        share = spread(images) / max(self.real_spread, 1e-9)
        return self._once(
            "collapsed",
            step >= self.EARLY and share < self.COLLAPSED,
            f"step {step}: the samples have collapsed to one: they differ from each other "
            f"{100 * share:.0f} % as much as real images do. If it stays so, start again with "
            "another `seed=`, a smaller `g_lr=` or another `loss=`",
        )

    def watch_cores(self, now: float) -> str | None:
        """Return a warning if threads wait for cores that other work uses, else None.

        All threads that share a product wait for a thread that gets no core for a moment. So one
        other busy process can make training with several threads ten times slower; it hardly slows
        training with one thread.

        Parameters
        ----------
        now : float
            Seconds, of ``time.perf_counter``.
        """
        single = os.cpu_count() == 1 or all(os.environ.get(name) == "1" for name in THREADS)
        if single or (self.looked and now - self.looked[0] < self.LOOK):
            return None
        before, self.looked = self.looked, (now, waited_for_cores())
        if not before:
            return None
        more = [s - before[1].get(thread, 0.0) for thread, s in self.looked[1].items()]
        waited = sum(more) / (now - before[0])
        return self._once(
            "crowded",
            waited >= self.CROWDED,
            f"threads wait for a core, {waited:.1f} s in each second: other work uses them. "
            f"Training may be much faster with {' and '.join(f'{name}=1' for name in THREADS)} "
            "set: Ctrl-C, then `resume=True` (the last digits of the losses will differ)",
        )

    def _once(self, trouble, here, message):
        """Return the message when a trouble begins, and None at all other times."""
        new = here and trouble not in self.present
        (self.present.add if here else self.present.discard)(trouble)
        return message if new else None


def missing_bound(config: Config) -> str | None:
    """Return a warning if nothing limits the slope of a Wasserstein critic, else None."""
    bounded = config.clip_weights or config.penalty != "none" or config.d_norm == "spectral"
    if config.loss != "wasserstein" or bounded:
        return None
    return (
        "nothing limits the slope of the critic, so its loss can fall without end. Loss "
        "wasserstein needs a `penalty=` such as wgan-gp, `clip_weights=` (to 0.01, say), or "
        "spectral for `d_norm=`, unless the network itself limits the slope"
    )


def rates_at_zero(config: Config, steps: int) -> str | None:
    """Return a warning if the learning rates reach 0 before the last step, else None."""
    if config.schedule == "constant" or config.schedule_steps >= steps:
        return None
    return (
        f"the learning rates are 0 from step {config.schedule_steps} on, and nothing is learned "
        "after it; a new run with more `steps=`, or with `schedule=constant`, can learn more"
    )


def unused_classes(labels: np.ndarray | None, classes: int) -> str | None:
    """Return a warning if not every class has an image, else None.

    Parameters
    ----------
    labels : integer array (M,) or None
        Labels of the images.
    classes : int
        How many classes the networks distinguish.
    """
    found = classes if labels is None else len(np.unique(labels))
    if found == classes:
        return None
    return (
        f"labels: only {found} of the classes 0 to {classes - 1} occur; "
        "np.unique(labels, return_inverse=True)[1] numbers them from 0"
    )


def spread(images: np.ndarray) -> float:
    """Return how much images (N, H, W, C) differ: their standard deviation, mean over pixels."""
    return float(images.std(0, dtype=float).mean())


def waited_for_cores(folder: Path = Path("/proc/self/task")) -> dict[str, float]:
    """Return the seconds that each thread of this process has waited for a core.

    Returns
    -------
    dict
        By the thread's number; empty if the system does not tell (only Linux does).
    """
    waited = {}
    for path in folder.glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # the thread may have ended just now
            waited[path.parent.name] = int(path.read_text().split()[1]) / 1e9
    return waited
