"""Scores of generated samples."""

from .classifier import digit_classifier, embed, fit_classifier, predict, predict_from
from .features import frechet_distance, precision_recall
from .modes import ModeCount, count_classes, count_modes

__all__ = [
    "ModeCount", "count_classes", "count_modes", "digit_classifier", "embed", "fit_classifier",
    "frechet_distance", "precision_recall", "predict", "predict_from",
]  # fmt: skip
