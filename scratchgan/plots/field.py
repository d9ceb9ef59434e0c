"""A discriminator's output over the plane, and where it sends the generator's samples."""

import numpy as np

from ..files import PathLike, write_atomically


def field_frame(
    path: PathLike, real: np.ndarray, fake: np.ndarray, field: np.ndarray,
    arrows: np.ndarray, limit: float, title: str,
) -> None:  # fmt: skip
    """Draw one frame: D's output in colour, real and generated points, arrows on the generated.

    Parameters
    ----------
    path : path-like
        The PNG file to write.
    real, fake : array (N, 2), (M, 2)
    field : array (S, S)
        D's logits on a square of side 2 * limit; the first row is the lowest.
    arrows : array (K, 2), K <= M
        The direction in which G's loss falls, at each of the first K fake points.
    limit : float
        Both coordinates are drawn from -limit to limit.
    title : str
    """
    from matplotlib.figure import Figure  # only here: not every program draws

    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    middle, spread = np.median(field), max(np.abs(field - np.median(field)).max(), 1e-12)
    axes.imshow(
        field, origin="lower", extent=(-limit, limit, -limit, limit), cmap="PuOr_r", alpha=0.7,
        vmin=middle - spread, vmax=middle + spread, interpolation="bilinear",
    )  # fmt: skip
    axes.scatter(real[:, 0], real[:, 1], s=3, color="black", alpha=0.4, lw=0, label="real")
    axes.scatter(fake[:, 0], fake[:, 1], s=5, color="#009E73", alpha=0.7, lw=0, label="generated")
    length = np.linalg.norm(arrows, axis=1).max(initial=1e-12)
    axes.quiver(
        *fake[: len(arrows)].T, *(arrows / length).T, color="#D55E00", width=0.003,
        scale=12, label="G's way down",
    )  # fmt: skip
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=title)
    axes.legend(loc="upper right", frameon=True, fontsize=8)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=80))
