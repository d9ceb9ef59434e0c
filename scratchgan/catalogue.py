"""Every layer, loss and penalty with input shapes, for ``python -m scratchgan gradcheck``."""

from functools import partial

import numpy as np

from . import losses, penalties
from .gan.models import model
from .layers import *


class Labelled(Sequential):
    """y = net((x, labels)) with fixed labels: gradcheck can give it x alone.

    Parameters
    ----------
    net : Layer
        Takes pairs (x, labels).
    labels : sequence of int
        One for each sample of x.
    """

    def __init__(self, net: Layer, labels: list[int]):
        super().__init__(net)
        self.labels = np.array(labels)

    def forward(self, x, train=True):
        """y = net((x, labels))."""
        return super().forward((x, self.labels), train)

    def __repr__(self):
        return f"{type(self).__name__}({self.layers[0]}, {self.labels.tolist()})"


def layer_cases():
    """Return every layer in its variants: (layer, input shape)."""
    nested, last = Sequential(LayerNorm((4, 4, 2)), Tanh(), Flatten(), Dense(32, 1)), Dense(6, 1)
    return [
        (Dense(6, 5), (4, 6)), (Dense(6, 5, bias=False), (4, 6)),
        (Conv2D(2, 3, kernel=3), (2, 5, 4, 2)),
        (Conv2D(2, 3, kernel=4, stride=2, padding=1), (2, 7, 6, 2)),
        (Conv2D(2, 3, kernel=(3, 2), stride=(2, 3), padding=(2, 1), bias=False), (2, 6, 7, 2)),
        (Conv2D(2, 3, kernel=(2, 3), stride=(1, 2), padding="same"), (2, 5, 6, 2)),
        (ConvTranspose2D(3, 2, kernel=4, stride=2, padding=1), (2, 3, 4, 3)),
        (ConvTranspose2D(3, 2, kernel=3, stride=2, padding=1, output_padding=1), (2, 3, 4, 3)),
        (ConvTranspose2D(3, 2, kernel=(2, 5), stride=(3, 2), output_padding=(2, 1)), (2, 3, 4, 3)),
        (BatchNorm(3), (6, 3)), (BatchNorm(3), (2, 3, 4, 3)),
        (LayerNorm(5), (4, 5)), (LayerNorm((3, 4, 2)), (2, 3, 4, 2)),
        *((f, (4, 6)) for f in (LeakyReLU(), ReLU(), Tanh(), Sigmoid(), Softplus())),
        (Dropout(0.3), (4, 6)), (GaussianNoise(0.3), (4, 6)),
        (Augment(), (2, 3, 4, 3)), (Augment("translation"), (2, 4, 3, 1)),
        (Flatten(), (2, 3, 4, 2)), (Reshape((2, 3)), (4, 6)), (UpSample2D(2), (2, 3, 4, 2)),
        (SpectralNorm(Dense(6, 5)), (4, 6)),
        (SpectralNorm(Conv2D(2, 3, kernel=3, stride=2, padding=1, bias=False)), (2, 6, 7, 2)),
        (SpectralNorm(ConvTranspose2D(3, 2, kernel=3, stride=2, padding=1)), (2, 3, 4, 3)),
        (Pack(2), (4, 3)), (Pack(3), (6, 2, 3, 2)), (MinibatchStd(), (4, 3)),
        # Alone, its dB/dx is a multiple of one sum of dy, which can be too near 0 for differences.
        (Sequential(Tanh(), MinibatchStd(eps=0.1)), (3, 2, 3, 2)),
        (Sequential(Dense(6, 5), BatchNorm(5), Tanh(), Dense(5, 1)), (4, 6)),
        (Residual(Dense(6, 5), Softplus(), Dense(5, 6)), (4, 6)),
        (Sequential(Pack(2), SpectralNorm(Dense(6, 5)), Tanh(), MinibatchStd(), last), (6, 3)),
        (Sequential(Residual(Conv2D(2, 2, kernel=3, padding=1), ReLU()), nested), (2, 4, 4, 2)),
        *((Labelled(net, [2, 0, 1, 2]), (4, 2, 3)) for net in _conditional()),
    ]  # fmt: skip


def _conditional():
    """Return networks that take x (N, 2, 3) and labels of four classes."""
    mlp = Sequential(Dense(9, 5), Tanh(), Dense(5, 2))
    deep = Sequential(Embedding(4, 2), Dense(2, 3), Tanh())  # a network for the labels
    conv = Reshape((2, 3, 1)), Conv2D(1, 2, kernel=2), Softplus(), Flatten()  # (N, 4)
    twice = Sequential(Dense(4, 3), Tanh(), Dense(3, 1))
    return [
        ConcatLabels(mlp, Embedding(4, 3)),
        ConcatLabels(Dense(9, 2), Embedding(4, 3)),
        Sequential(ConcatLabels(LayerNorm(9), deep), Dense(9, 1)),
        Projection(Sequential(Flatten(), Dense(6, 5), Tanh()), Embedding(4, 5), Dense(5, 1)),
        Projection(Flatten(), Embedding(4, 6), Dense(6, 1)),
        Sequential(Projection(Sequential(*conv), Embedding(4, 4), twice), Softplus()),
    ]


def network_cases():
    """Return both networks of several models: (name, network, input shape)."""
    found = []
    # DCGANs of full width have so many kinks that every difference steps over some.
    for name in ("mlp", "mlp-small", "dcgan-16x3-w4", "dcgan-16x1-w2-up-drop0.3"):
        pair = model(name)
        found.append((f"{name} generator", pair.generator(), (2, pair.z_dim)))
        found.append((f"{name} discriminator", pair.discriminator(), (2, *pair.image_shape)))
    return found


def loss_cases():
    """Return both sides of every adversarial loss, and cross-entropy: (name, loss, shapes)."""
    found = []
    for name, kind in losses.ADVERSARIAL.items():
        for smooth in (0, 0.1) if kind.probability else (0,):
            loss, shapes = kind(smooth=smooth), [(5, 1), (5 if kind.relativistic else 4, 1)]
            found.append((f"{name}, D, smooth={smooth}", loss.discriminator, shapes))
        real = [np.linspace(-1, 1, 5)[:, None]] if kind.relativistic else []
        found.append((f"{name}, G", partial(_generator, kind(), real), [(5, 1)]))
    labels = np.array([2, 0, 1, 2])
    cross_entropy = losses.softmax_cross_entropy
    found.append(("softmax cross-entropy", lambda a: cross_entropy(a, labels), [(4, 3)]))
    return found


def _generator(loss, real, fake):
    """Return G's loss and its gradient; ``real`` is a list with fixed real logits, or empty."""
    return loss.generator(fake, *(a.astype(fake.dtype) for a in real))


def penalty_cases():
    """Return every penalty P(g): (name, penalty, shapes)."""
    return [
        ("wgan-gp", penalties.wgan_gp(), [(5, 3, 2)]),
        ("wgan-gp, one-sided", penalties.wgan_gp(target=2.0, one_sided=True), [(9, 4)]),
        ("r1", penalties.r1(), [(5, 3, 2)]),
        ("r2", penalties.r2(0.5), [(5, 4)]),
        ("dragan", penalties.dragan(), [(5, 4)]),
    ]
