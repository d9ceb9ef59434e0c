"""The adversarial game: read ``trainer.py`` first."""

from .build import build, make_generator, z_dim
from .config import Config
from .models import MODELS, Model, dcgan, dcgan_name, model
from .presets import PRESET_FIELDS, PRESETS, Preset, preset_options
from .refit import NORMS, refit
from .source import draw_noise
from .trainer import Step, Trainer, generate

__all__ = [
    "MODELS", "NORMS", "PRESETS", "PRESET_FIELDS", "Config", "Model", "Preset", "Step", "Trainer",
    "build", "dcgan", "dcgan_name", "draw_noise", "generate", "make_generator", "model",
    "preset_options", "refit", "z_dim",
]  # fmt: skip
