"""Train a DCGAN on MNIST: five epochs, and the digits in --out are clean.

The networks are written out in scratchgan/gan/models.py:
  dcgan28    100 -> 7x7x128 -> 14x14x64 -> 28x28x1 by transposed convolutions,
             against 28x28x1 -> 14x14x64 -> 7x7x128 -> 1
"""

import sys

from scratchgan.cli import exit_status
from scratchgan.cli.train import train

if __name__ == "__main__":
    sys.exit(exit_status(lambda: train("mnist_dcgan", about=__doc__)))
