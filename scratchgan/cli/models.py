"""List the networks that --model names."""

from argparse import ArgumentParser, Namespace

from ..gan import MODELS, make_discriminator

OTHERS = """
dcgan-SIZExCHANNELS-wWIDTH[-up][-dropRATE], such as dcgan-64x3-w32-up-drop0.3
FILE.py:NAME: networks of your own; the file says NAME = scratchgan.Model(G, D, z_dim=64)"""


def add_options(parser: ArgumentParser) -> None:
    """Add no option: this command has none."""


def run(options: Namespace) -> None:
    """Print a line for each model: its images, its noise, its parameters."""
    print(f"{'model':12}{'images':>12}{'noise':>7}{'G':>12}{'D':>12}   (parameters)")
    for name, pair in MODELS.items():
        shape = "x".join(map(str, pair.image_shape or ()))
        G, D = pair.generator(), make_discriminator(pair.discriminator)
        print(f"{name:12}{shape:>12}{pair.z_dim:>7}{G.size:>12,}{D.size:>12,}")
    print(OTHERS)
