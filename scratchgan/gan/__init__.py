"""The GAN trainer and what a run leaves behind."""

from .models import MODELS, Model, model

__all__ = ["MODELS", "Model", "model"]
