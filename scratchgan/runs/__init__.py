"""What a training run leaves behind in its folder. Read ``run.py`` first."""

from .checkpoint import CheckpointError
from .monitor import DivergenceError, Monitor
from .run import Stopped, load_generator, samples_of_classes, train

__all__ = [
    "CheckpointError", "DivergenceError", "Monitor", "Stopped", "load_generator",
    "samples_of_classes", "train",
]  # fmt: skip
