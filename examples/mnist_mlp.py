"""Train a GAN of fully connected layers on MNIST, and watch digits appear in --out.

The networks are written out in scratchgan/gan/models.py:
  mlp        100-128-256-784 against 784-256-128-1
  mlp-small  100-256-784     against 784-256-1
"""

import sys

from scratchgan.cli import exit_status
from scratchgan.cli.train import train

if __name__ == "__main__":
    sys.exit(exit_status(lambda: train("mnist_mlp", about=__doc__)))
