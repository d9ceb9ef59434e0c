"""The GAN trainer and what a run leaves behind. Read ``trainer.py`` first."""

from .checkpoint import CheckpointError
from .models import MODELS, Model, dcgan, dcgan_name, model
from .monitor import DivergenceError, Monitor
from .run import Config, Stopped, build, load_generator, train
from .trainer import Step, Trainer, draw_noise, generate

__all__ = [
    "MODELS", "CheckpointError", "Config", "DivergenceError", "Model", "Monitor", "Step",
    "Stopped", "Trainer", "build", "dcgan", "dcgan_name", "draw_noise", "generate",
    "load_generator", "model", "train",
]  # fmt: skip
