"""A training run, and the folder of files that it leaves. Read ``run.py`` first."""

from .checkpoint import CheckpointError
from .monitor import DivergenceError, Monitor
from .networks import Networks, find_networks
from .run import Stopped, samples_of_classes, train
from .trained import Run, load, load_generator

__all__ = [
    "CheckpointError", "DivergenceError", "Monitor", "Networks", "Run", "Stopped",
    "find_networks", "load", "load_generator", "samples_of_classes", "train",
]  # fmt: skip
