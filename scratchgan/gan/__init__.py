"""The GAN trainer and what a run leaves behind."""

from .models import MODELS, Model, model
