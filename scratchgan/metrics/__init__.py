"""Scores of generated samples."""

from .classifier import (  # isort: skip
    digit_classifier, embed, fit_classifier, image_classifier, predict, predict_from,
)  # fmt: skip
from .features import frechet_distance
from .intervals import bootstrap
from .kernel import kid
from .modes import ModeCount, count_classes, count_modes
from .neighbours import Balls, balls, density_coverage, nearest, precision_recall

__all__ = [
    "Balls", "ModeCount", "balls", "bootstrap", "count_classes", "count_modes", "density_coverage",
    "digit_classifier", "embed", "fit_classifier", "frechet_distance", "image_classifier", "kid",
    "nearest", "precision_recall", "predict", "predict_from",
]  # fmt: skip
