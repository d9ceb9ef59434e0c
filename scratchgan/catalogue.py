"""One of everything, with a shape to check it on: what ``python -m scratchgan gradcheck`` runs."""

import numpy as np

from . import losses, penalties
from .gan.models import model
from .layers import *

__all__ = ["layer_cases", "loss_cases", "network_cases", "penalty_cases"]


def layer_cases():
    """Every layer in its variants: list of (layer, input shape)."""
    nested = Sequential(LayerNorm((4, 4, 2)), Tanh(), Flatten(), Dense(32, 1))
    return [
        (Dense(6, 5), (4, 6)),
        (Dense(6, 5, bias=False), (4, 6)),
        (Conv2D(2, 3, kernel=3), (2, 5, 4, 2)),
        (Conv2D(2, 3, kernel=4, stride=2, padding=1), (2, 7, 6, 2)),
        (Conv2D(2, 3, kernel=(3, 2), stride=(2, 3), padding=(2, 1), bias=False), (2, 6, 7, 2)),
        (Conv2D(2, 3, kernel=(2, 3), stride=(1, 2), padding="same"), (2, 5, 6, 2)),
        (ConvTranspose2D(3, 2, kernel=4, stride=2, padding=1), (2, 3, 4, 3)),
        (ConvTranspose2D(3, 2, kernel=3, stride=2, padding=1, output_padding=1), (2, 3, 4, 3)),
        (ConvTranspose2D(3, 2, kernel=(2, 5), stride=(3, 2), output_padding=(2, 1)), (2, 3, 4, 3)),
        (BatchNorm(3), (6, 3)),
        (BatchNorm(3), (2, 3, 4, 3)),
        (LayerNorm(5), (4, 5)),
        (LayerNorm((3, 4, 2)), (2, 3, 4, 2)),
        (Dropout(0.3), (4, 6)),
        *((activation, (4, 6)) for activation in (LeakyReLU(), ReLU(), Tanh(), Sigmoid())),
        (Softplus(), (4, 6)),
        (Flatten(), (2, 3, 4, 2)),
        (Reshape((2, 3)), (4, 6)),
        (UpSample2D(2), (2, 3, 4, 2)),
        (SpectralNorm(Dense(6, 5)), (4, 6)),
        (SpectralNorm(Conv2D(2, 3, kernel=3, stride=2, padding=1, bias=False)), (2, 6, 7, 2)),
        (SpectralNorm(ConvTranspose2D(3, 2, kernel=3, stride=2, padding=1)), (2, 3, 4, 3)),
        (MinibatchStd(), (4, 3)),
        # Alone it bends in proportion to one sum of dy, which may be too near to 0 for differences.
        (Sequential(Tanh(), MinibatchStd(eps=0.1)), (3, 2, 3, 2)),
        (Pack(2), (4, 3)),
        (Pack(3), (6, 2, 3, 2)),
        (GaussianNoise(0.3), (4, 6)),
        (Sequential(Dense(6, 5), BatchNorm(5), Tanh(), Dense(5, 1)), (4, 6)),
        (Residual(Dense(6, 5), Softplus(), Dense(5, 6)), (4, 6)),
        (
            Sequential(Pack(2), SpectralNorm(Dense(6, 5)), Tanh(), MinibatchStd(), Dense(6, 1)),
            (6, 3),
        ),
        (Sequential(Residual(Conv2D(2, 2, kernel=3, padding=1), ReLU()), nested), (2, 4, 4, 2)),
    ]


def network_cases():
    """Both networks of the models: list of (name, network, input shape)."""
    found = []
    # DCGANs of full width have so many kinks that every difference steps over some.
    for name in ("mlp", "mlp-small", "dcgan-16x3-w4", "dcgan-16x1-w2-up-drop0.3"):
        of = model(name)
        found.append((f"{name} generator", of.generator(), (2, of.z_dim)))
        found.append((f"{name} discriminator", of.discriminator(), (2, *of.image_shape)))
    return found


def loss_cases():
    """Both sides of every adversarial loss, and cross-entropy: list of (name, loss, shapes)."""
    found = []
    for name, kind in losses.ADVERSARIAL.items():
        for smooth in (0, 0.1):
            loss = kind(smooth=smooth)
            found.append((f"{name}, D, smooth={smooth}", loss.discriminator, [(5, 1), (4, 1)]))
        found.append((f"{name}, G", kind().generator, [(5, 1)]))
    labels = np.array([2, 0, 1, 2])
    cross_entropy = losses.softmax_cross_entropy
    found.append(("softmax cross-entropy", lambda a: cross_entropy(a, labels), [(4, 3)]))
    return found


def penalty_cases():
    """Every penalty P(g): list of (name, penalty, shapes)."""
    return [
        ("wgan-gp", penalties.wgan_gp(), [(5, 3, 2)]),
        ("wgan-gp, one-sided", penalties.wgan_gp(target=2.0, one_sided=True), [(9, 4)]),
        ("r1", penalties.r1(), [(5, 3, 2)]),
    ]
