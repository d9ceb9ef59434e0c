"""Networks as a user writes them, for 6 x 6 colour images; PAIR is named on command lines."""

import scratchgan as sg
from scratchgan import BatchNorm, Dense, Dropout, Flatten, LeakyReLU, Reshape, Sequential, Tanh

SHAPE = (6, 6, 3)


def generator():
    return Sequential(
        Dense(14, 16, bias=False), BatchNorm(16), LeakyReLU(0.2),
        Dense(16, 108), Tanh(), Reshape(SHAPE),
    )  # fmt: skip


def discriminator():
    return Sequential(Flatten(), Dense(108, 8), LeakyReLU(0.2), Dropout(0.1), Dense(8, 1))


PAIR = sg.Model(generator, discriminator, z_dim=14)
OTHER = sg.Model(generator(), Sequential(Flatten(), Dense(108, 1)), z_dim=14)
