"""A GAN for MNIST from the library's parts: each layer, both steps and the loop in plain sight.

G, the generator, makes images from noise. D, the discriminator, gives each image a logit a;
sigmoid(a) is the probability that the image is real. In each training step D learns to tell real
images from generated ones; then G learns to make images that D takes for real.

Letters: N images in a batch; z (N, 100) noise; x (N, 784) images of 28x28 pixels in [-1, 1].
d<name> is the gradient of the loss with respect to <name>, and has the shape of <name>.

The digits appear in runs/gan_from_parts/samples.png, which is drawn again every 500 steps.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import trange

from scratchgan import BatchNorm, Dense, Dropout, LeakyReLU, ReLU, Sequential, Tanh, get_backend
from scratchgan.backend import NAMES
from scratchgan.data import mnist, to_uint8, to_unit
from scratchgan.losses import NonSaturating
from scratchgan.optim import EMA, Adam
from scratchgan.plots import sample_grid, save_image

N = 128


def networks(backend):
    """Build G, 100-128-256-784, and D, 784-256-128-1."""
    G = Sequential(
        Dense(100, 128, bias=False), BatchNorm(128), ReLU(),  # (N, 128)
        Dense(128, 256, bias=False), BatchNorm(256), ReLU(),  # (N, 256)
        Dense(256, 784), Tanh(),  # (N, 784), in [-1, 1] like the real pixels
    )  # fmt: skip
    D = Sequential(
        Dense(784, 256), LeakyReLU(0.2), Dropout(0.1),  # (N, 256)
        Dense(256, 128), LeakyReLU(0.2), Dropout(0.1),  # (N, 128)
        Dense(128, 1),  # (N, 1)
    )  # fmt: skip
    return G.initialize(1, backend), D.initialize(2, backend)


def d_step(G, D, loss, optimiser, x, z):
    """Move D one step down its loss, the mean of softplus(-a_real) + softplus(a_fake)."""
    fake, _ = G.forward(z)  # (N, 784)
    real_logits, real_cache = D.forward(x)  # (N, 1)
    fake_logits, fake_cache = D.forward(fake)  # (N, 1)
    value, dreal_logits, dfake_logits = loss.discriminator(real_logits, fake_logits)
    D.zero_grad()
    D.backward(dreal_logits, real_cache, into_params="only")  # "only": nobody needs dx
    D.backward(dfake_logits, fake_cache, into_params="only")  # adds to what the real images gave
    optimiser.step()
    return value


def g_step(G, D, loss, optimiser, z):
    """Move G one step down its loss, the mean of softplus(-a_fake)."""
    fake, g_cache = G.forward(z)  # (N, 784)
    logits, d_cache = D.forward(fake)  # (N, 1)
    value, dlogits = loss.generator(logits)
    dfake = D.backward(dlogits, d_cache, into_params=False)  # (N, 784): through D, which stays
    G.zero_grad()
    G.backward(dfake, g_cache, into_params="only")  # and on into G's weights
    optimiser.step()
    return value


def main():
    """Read the command line, load MNIST, train both networks, draw images of G."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--data", help="the folder of MNIST's files (default: SCRATCHGAN_DATA)")
    parser.add_argument("--backend", default="auto", choices=NAMES)
    parser.add_argument("--out", type=Path, default=Path("runs/gan_from_parts"))
    options = parser.parse_args()
    images = mnist(options.data).images.reshape(-1, 784)  # bytes, (60000, 784)
    options.out.mkdir(parents=True, exist_ok=True)

    ops = get_backend(options.backend)  # the module that computes: NumPy, or CuPy on a GPU
    rng = np.random.default_rng(0)
    G, D = networks(ops)
    loss = NonSaturating()
    g_adam, d_adam = Adam(G, lr=1e-3, beta1=0.5), Adam(D, lr=1e-3, beta1=0.5)
    average = EMA(G, 0.999)  # a running mean of G's weights: its images are the better ones

    def noise(n):
        return ops.asarray(rng.standard_normal((n, 100), np.float32))

    z_shown = noise(64)  # the same for each picture
    progress = trange(1, options.steps + 1, unit="step")
    for step in progress:
        x = ops.asarray(to_unit(images[rng.integers(len(images), size=N)]))  # (N, 784)
        d_loss = d_step(G, D, loss, d_adam, x, noise(N))
        g_loss = g_step(G, D, loss, g_adam, noise(N))
        average.update()
        if step % 100 == 0:
            progress.set_postfix(d_loss=f"{float(d_loss):.3f}", g_loss=f"{float(g_loss):.3f}")
        if step % 500 == 0 or step == options.steps:
            shown, _ = average.mean.forward(z_shown, train=False)  # (64, 784)
            pixels = to_uint8(ops.to_host(shown)).reshape(64, 28, 28, 1)
            save_image(sample_grid(pixels), options.out / "samples.png")
    print(f"{options.out / 'samples.png'}: 64 images that G has made")


if __name__ == "__main__":
    main()
