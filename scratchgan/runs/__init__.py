"""A training run, and the folder of files that it leaves. Read ``run.py`` first."""

from .checkpoint import CheckpointError, load_generator
from .monitor import DivergenceError, Monitor
from .run import Stopped, samples_of_classes, train

__all__ = [
    "CheckpointError", "DivergenceError", "Monitor", "Stopped", "load_generator",
    "samples_of_classes", "train",
]  # fmt: skip
