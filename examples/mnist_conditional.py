"""Train a GAN to draw the digit it is asked for: in the sample grids, each row is one digit.

    python examples/mnist_conditional.py --condition projection
    python -m scratchgan sample runs/mnist_conditional --label 7

--condition sets what D does with the label: D takes it as more input beside the image (concat:
Mirza and Osindero, 2014), projects its features on the label's embedding (projection: Miyato and
Koyama, 2018), or learns to name it (classifier: Odena et al., 2017).
"""

import sys

from scratchgan.cli import exit_status
from scratchgan.cli.train import train

if __name__ == "__main__":
    sys.exit(exit_status(lambda: train("mnist_conditional", about=__doc__)))
