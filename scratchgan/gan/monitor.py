"""A warning in words when training goes wrong, in each of the ways that GANs go wrong."""

import math

__all__ = ["DivergenceError", "Monitor"]


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

    def __init__(self, real_spread, smooth=0.0):
        self.real_spread, self.smooth = real_spread, smooth
        self.won_since = None
        self.said = set()

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

    def _once(self, what, message):
        """The message the first time, until the trouble has passed and comes again."""
        if what in self.said:
            return None
        self.said.add(what)
        return message


def spread(images):
    """How much images (N, H, W, C) differ: standard deviation over N, mean over all pixels."""
    return float(images.std(0, dtype=float).mean())
