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
from scratchgan.cli.train import parser, train_from
from scratchgan.data import DataError, load_folder, load_images
from scratchgan.gan import dcgan_name


def main():
    """Read the command line, load the images, train."""
    p = parser(__doc__, models=[], out="runs/faces_dcgan", steps=10000, save_every=200)
    p.add_argument("--images", required=True, help="a folder, or an .npy or .npz file")
    net = p.add_argument_group("networks")
    net.add_argument(
        "--size",
        type=int,
        help="pixels a side: 16 to 256, 4 to 7 times a power of two (default: 64, or the array's)",
    )
    net.add_argument(
        "--channels",
        type=int,
        choices=[1, 3],
        help="1: grey, 3: colour (default: 3, or the array's)",
    )
    net.add_argument("--width", type=int, default=64, help="channels of the first convolution")
    net.add_argument("--dropout", type=float, default=0.0, help="dropout rate in D; 0: no dropout")
    net.add_argument(
        "--upsample",
        action="store_true",
        help="build G of upsampling and convolution, not of transposed convolution",
    )
    options = p.parse_args()
    data = load_images(options.images) if options.images.endswith((".npy", ".npz")) else None
    own_size, own_channels = data.images.shape[2:] if data else (64, 3)
    size, channels = options.size or own_size, options.channels or own_channels
    if channels not in (1, 3):
        raise DataError(f"{options.images}: expected 1 or 3 channels, got {channels}")
    options.model = dcgan_name(size, channels, options.width, options.upsample, options.dropout)
    train_from(options, data or load_folder(options.images, size, channels))


if __name__ == "__main__":
    sys.exit(exit_status(main))
