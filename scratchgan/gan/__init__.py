"""The adversarial game: read ``trainer.py`` first."""

from .build import build, make_generator, z_dim
from .config import Config
from .models import MODELS, Model, dcgan, dcgan_name, model
from .presets import PRESETS, RECIPE, Preset
from .refit import NORMS, refit
from .source import draw_noise
from .trainer import Step, Trainer, generate

__all__ = [
    "MODELS", "NORMS", "PRESETS", "RECIPE", "Config", "Model", "Preset", "Step", "Trainer", "build",
    "dcgan", "dcgan_name", "draw_noise", "generate", "make_generator", "model", "refit", "z_dim",
]  # fmt: skip
