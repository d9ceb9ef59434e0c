"""Curves of a run's metrics."""

import numpy as np
from matplotlib.figure import Figure

from ..files import write_atomically

__all__ = ["loss_curves"]

BLUE, ORANGE = "#0072B2", "#D55E00"  # told apart by colour-blind readers too


def loss_curves(metrics, path):
    """Draw the losses of D and G, and D's beliefs, against the number of steps.

    Parameters
    ----------
    metrics : dict of 1-D arrays
        ``step, d_loss, g_loss, d_real, d_fake``; the last two may be probabilities, or the values
        of a critic, which know no limits.
    path : path-like
        A PNG file.
    """
    step = metrics["step"]
    figure = Figure(figsize=(9, 6), layout="constrained")
    losses, beliefs = figure.subplots(2, 1, sharex=True)
    _curve(losses, step, metrics["d_loss"], "discriminator", BLUE)
    _curve(losses, step, metrics["g_loss"], "generator", ORANGE)
    losses.set_ylabel("loss")
    _curve(beliefs, step, metrics["d_real"], "D(x), real", BLUE)
    _curve(beliefs, step, metrics["d_fake"], "D(G(z)), generated", ORANGE)
    both = np.concatenate([metrics["d_real"], metrics["d_fake"]])
    if ((both >= 0) & (both <= 1)).all():
        beliefs.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
        beliefs.set(xlabel="step", ylabel="D's mean belief in 'real'", ylim=(0, 1))
    else:
        beliefs.set(xlabel="step", ylabel="D's mean output")
    for axes in (losses, beliefs):
        axes.legend(frameon=False, ncols=2)
        axes.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120))


def _curve(axes, x, y, label, color):
    """The values, faint, and their running mean over about a fiftieth of the run."""
    axes.plot(x, y, color=color, alpha=0.2, linewidth=0.7)
    width = max(len(y) // 50, 1)
    total = np.cumsum(np.insert(np.asarray(y, float), 0, 0))
    smooth = (total[width:] - total[:-width]) / width
    axes.plot(x[width - 1 :], smooth, color=color, label=label, linewidth=1.5)
