"""Scores of generated samples."""

from .features import frechet_distance, precision_recall
from .modes import ModeCount, count_classes, count_modes

__all__ = ["ModeCount", "count_classes", "count_modes", "frechet_distance", "precision_recall"]
