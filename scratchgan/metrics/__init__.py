"""Scores of generated samples."""

from .features import frechet_distance, precision_recall

__all__ = ["frechet_distance", "precision_recall"]
