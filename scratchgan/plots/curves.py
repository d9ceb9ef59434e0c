"""Curves of a run's metrics."""

import numpy as np

from ..files import PathLike, write_atomically

BLUE, ORANGE = "#0072B2", "#D55E00"  # colour-blind readers can tell them apart, too


def loss_curves(metrics: dict[str, np.ndarray], path: PathLike) -> None:
    """Draw the losses of D and G, and D's mean outputs, against the number of steps.

    Parameters
    ----------
    metrics : dict of 1-D arrays
        ``step, d_loss, g_loss, d_real, d_fake``. The last two are probabilities of being real, or
        the unlimited outputs of a critic.
    path : path-like
        The PNG file to write.
    """
    step = metrics["step"]
    from matplotlib.figure import Figure  # only here: not every program draws

    figure = Figure(figsize=(9, 6), layout="constrained")
    losses, outputs = figure.subplots(2, 1, sharex=True)
    _curve(losses, step, metrics["d_loss"], "discriminator", BLUE)
    _curve(losses, step, metrics["g_loss"], "generator", ORANGE)
    losses.set_ylabel("loss")
    _curve(outputs, step, metrics["d_real"], "D(x), real", BLUE)
    _curve(outputs, step, metrics["d_fake"], "D(G(z)), generated", ORANGE)
    both = np.concatenate([metrics["d_real"], metrics["d_fake"]])
    if ((both >= 0) & (both <= 1)).all():
        outputs.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
        outputs.set(xlabel="step", ylabel="D's mean probability of 'real'", ylim=(0, 1))
    else:
        outputs.set(xlabel="step", ylabel="D's mean output")
    for axes in (losses, outputs):
        axes.legend(frameon=False, ncols=2)
        axes.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120))


def _curve(axes, x, y, label, color):
    """Draw the values faintly, and their running mean over about a fiftieth of the run."""
    axes.plot(x, y, color=color, alpha=0.2, linewidth=0.7)
    width = max(len(y) // 50, 1)
    total = np.cumsum(np.insert(np.asarray(y, float), 0, 0))
    smooth = (total[width:] - total[:-width]) / width
    axes.plot(x[width - 1 :], smooth, color=color, label=label, linewidth=1.5)
