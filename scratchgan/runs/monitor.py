"""A warning in words when training goes wrong, in each of the ways that GANs go wrong.

And one where it crawls: threads that share their cores with other work wait for each other.
"""

import math
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["DivergenceError", "Monitor"]

THREADS = ("SCRATCHGAN_THREADS", "OPENBLAS_NUM_THREADS")


class DivergenceError(RuntimeError):
    """A loss or a parameter is no longer finite: nothing can be learned from there on."""


class Monitor:
    """Watches the numbers of a run and says what they mean.

    Parameters
    ----------
    real_spread : float
        The `spread` of real images.
    smooth : float
        The label smoothing: D(x) is to be 1 - smooth then.
    """

    WON_FOR = 500  # steps that D must be sure of everything, before it is said to have won
    SURE = 0.98  # of D(x); 1 - SURE of D(G(z))
    COLLAPSED = 0.1  # share of the real images' spread
    CROWDED = 0.5  # seconds that threads wait for a core, in each second
    LOOK = 10  # seconds from one look at the cores to the next

    def __init__(self, real_spread, smooth=0.0):
        self.real_spread, self.smooth = real_spread, smooth
        self.won_since = None
        self.said = set()
        self.looked = None  # when, and how long each thread had waited by then

    def check_finite(self, step, **values):
        """Raise `DivergenceError` unless all values are finite."""
        bad = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if bad:
            raise DivergenceError(
                f"step {step}: {', '.join(bad)}; a smaller learning rate is the usual cure"
            )

    def watch_beliefs(self, step, d_real, d_fake):
        """A warning once D has been sure of every image for a while, else None."""
        if d_real < self.SURE * (1 - self.smooth) or d_fake > 1 - self.SURE:
            self.won_since = None
            self.said.discard("won")
            return None
        if self.won_since is None:
            self.won_since = step
        if step - self.won_since < self.WON_FOR:
            return None
        return self._once(
            "won",
            f"step {step}: the discriminator has won: D(x) = {d_real:.3f}, D(G(z)) = {d_fake:.3f} "
            f"since step {self.won_since}; the generator has little left to learn from. "
            "A smaller --d-lr or another --loss may help",
        )

    def watch_samples(self, step, images):
        """A warning when the samples are all alike, else None."""
        share = spread(images) / max(self.real_spread, 1e-9)
        if share >= self.COLLAPSED:
            self.said.discard("collapsed")
            return None
        return self._once(
            "collapsed",
            f"step {step}: the samples have collapsed to one: they differ from each other "
            f"{100 * share:.0f} % as much as real images do. If it stays so, start again with "
            "another --seed, a smaller --g-lr or another --loss",
        )

    def watch_cores(self, now):
        """A warning while threads wait for cores that other work has, else None.

        A thread that got no core for a moment keeps all others waiting that share its product:
        one such neighbour can make training ten times slower, and one thread hardly.

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
        if waited < self.CROWDED:
            self.said.discard("crowded")
            return None
        return self._once(
            "crowded",
            f"threads wait for a core, {waited:.1f} s in each second: other work has them. "
            f"Training may be much faster with {' and '.join(f'{name}=1' for name in THREADS)} "
            "set: Ctrl-C, then --resume (the last digits of the losses will differ)",
        )

    def _once(self, what, message):
        """The message the first time, until the trouble has passed and comes again."""
        if what in self.said:
            return None
        self.said.add(what)
        return message


def spread(images):
    """How much images (N, H, W, C) differ: standard deviation over N, mean over all pixels."""
    return float(images.std(0, dtype=float).mean())


def waited_for_cores(folder=Path("/proc/self/task")):
    """Seconds that each thread of this process was ready to run, and did not.

    Returns
    -------
    dict
        By the thread's number; empty where it is not known, as elsewhere than on Linux.
    """
    waited = {}
    for path in folder.glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # it may have ended just now
            waited[path.parent.name] = int(path.read_text().split()[1]) / 1e9
    return waited
