"""The GAN trainer and what a run leaves behind. Read ``trainer.py`` first."""

from .checkpoint import CheckpointError
from .config import Config, build, make_generator, z_dim
from .feed import draw_noise
from .models import MODELS, Model, dcgan, dcgan_name, model
from .monitor import DivergenceError, Monitor
from .presets import PRESETS, RECIPE, Preset
from .refit import NORMS, refit
from .run import Stopped, load_generator, samples_of_classes, train
from .trainer import Step, Trainer, generate

__all__ = [
    "MODELS", "NORMS", "PRESETS", "RECIPE", "CheckpointError", "Config", "DivergenceError",
    "Model", "Monitor", "Preset", "Step", "Stopped", "Trainer", "build", "dcgan", "dcgan_name",
    "draw_noise", "generate", "load_generator", "make_generator", "model", "refit",
    "samples_of_classes", "train", "z_dim",
]  # fmt: skip
