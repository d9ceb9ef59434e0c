"""Train a GAN of fully connected layers on MNIST, and watch digits appear in --out.

The networks are written out in scratchgan/gan/models.py:
  mlp        100-128-256-784 against 784-256-128-1
  mlp-small  100-256-784     against 784-256-1
"""

import sys

from scratchgan.cli import exit_status
from scratchgan.cli.train import parser, train_on_mnist


def main():
    """Read the command line, load the images, train."""
    p = parser(
        __doc__,
        models=["mlp", "mlp-small"],
        out="runs/mnist_mlp",
        steps=40000,
        g_lr=1e-3,
        d_lr=1e-3,
        ema=0.999,
    )
    train_on_mnist(p)


if __name__ == "__main__":
    sys.exit(exit_status(main))
