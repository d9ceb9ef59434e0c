"""Train a DCGAN on MNIST: five epochs, and the digits in --out are clean.

The networks are written out in scratchgan/gan/models.py:
  dcgan28    100 -> 7x7x128 -> 14x14x64 -> 28x28x1 by transposed convolutions,
             against 28x28x1 -> 14x14x64 -> 7x7x128 -> 1
"""

import sys

from scratchgan.cli import exit_status
from scratchgan.cli.train import parser, train_on_mnist


def main():
    """Read the command line, load the images, train."""
    # Small batches: within five epochs, many steps help more than exact gradients do.
    p = parser(
        __doc__,
        models=["dcgan28"],
        out="runs/mnist_dcgan",
        steps=9375,
        save_every=375,
        batch_size=32,
        ema=0.999,
    )
    train_on_mnist(p)


if __name__ == "__main__":
    sys.exit(exit_status(main))
