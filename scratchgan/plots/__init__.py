"""Pictures of a run: sample grids, their animation, loss curves, and D's field in the plane."""

from .curves import loss_curves
from .field import field_frame
from .grid import sample_grid, save_animation, save_image

__all__ = ["field_frame", "loss_curves", "sample_grid", "save_animation", "save_image"]
