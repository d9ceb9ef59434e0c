"""What a discriminator thinks of the plane, and where it sends the generator's samples."""

import numpy as np
from matplotlib.figure import Figure

from ..files import write_atomically

__all__ = ["field_frame"]


def field_frame(path, real, fake, field, arrows, limit, title):
    """Draw one frame: D's field in colour, real and generated points, arrows on the latter.

    Parameters
    ----------
    path : path-like
        A PNG file.
    real, fake : array (N, 2), (M, 2)
    field : array (S, S)
        D's logits on a square of side 2 * limit; rows go up.
    arrows : array (K, 2), K <= M
        For the first K fake points: the direction in which G's loss falls.
    limit : float
        The plane is drawn from -limit to limit.
    title : str
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    middle, spread = np.median(field), max(np.abs(field - np.median(field)).max(), 1e-12)
    axes.imshow(
        field, origin="lower", extent=[-limit, limit] * 2, cmap="PuOr_r", alpha=0.7,
        vmin=middle - spread, vmax=middle + spread, interpolation="bilinear",
    )  # fmt: skip
    axes.scatter(*real.T, s=3, color="black", alpha=0.4, linewidths=0, label="real")
    axes.scatter(*fake.T, s=5, color="#009E73", alpha=0.7, linewidths=0, label="generated")
    length = np.linalg.norm(arrows, axis=1).max(initial=1e-12)
    axes.quiver(
        *fake[: len(arrows)].T, *(arrows / length).T, color="#D55E00", width=0.003,
        scale=12, label="G's way down",
    )  # fmt: skip
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=title)
    axes.legend(loc="upper right", frameon=True, fontsize=8)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=80))
