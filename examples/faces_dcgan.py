"""Train a DCGAN on images of your own, and watch more of their kind appear in --out.

    python examples/faces_dcgan.py --images ~/pictures/faces
    python examples/faces_dcgan.py --images cifar10.npz --size 32

The folder and its subfolders may hold pictures of any format and size: each is cropped to its
central square and resized. For 64 pixels in colour, the networks are those of Radford et al.,
2016: G is 100 -> 4x4x512 -> 8x8x256 -> 16x16x128 -> 32x32x64 -> 64x64x3, and D its mirror image.
--size, --channels and --width change them.
"""

import sys

from scratchgan.cli import exit_status
from scratchgan.cli.train import train

if __name__ == "__main__":
    sys.exit(exit_status(lambda: train("images", about=__doc__, out="runs/faces_dcgan")))
