"""The adversarial game: read ``trainer.py`` first."""

from .build import build, make_generator, z_dim
from .config import Config
from .discriminator import NORMS, DiscriminatorOptions, make_discriminator
from .models import MODELS, dcgan, dcgan_name, model
from .pair import Model
from .presets import PRESET_FIELDS, PRESETS, Preset, preset_options
from .source import DataSource, draw_noise
from .trainer import Step, Trainer, generate

__all__ = [
    "MODELS", "NORMS", "PRESETS", "PRESET_FIELDS", "Config", "DataSource", "DiscriminatorOptions",
    "Model", "Preset", "Step", "Trainer", "build", "dcgan", "dcgan_name", "draw_noise", "generate",
    "make_discriminator", "make_generator", "model", "preset_options", "z_dim",
]  # fmt: skip
