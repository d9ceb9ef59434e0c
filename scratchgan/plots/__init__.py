"""Pictures of what a run does: sample grids, their animation, loss curves."""

from .curves import loss_curves
from .field import field_frame
from .grid import sample_grid, save_animation, save_image

__all__ = ["field_frame", "loss_curves", "sample_grid", "save_animation", "save_image"]
