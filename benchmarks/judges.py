"""Score runs on MNIST with two judges, so that nothing is tuned to one of them.

The first is the package's, as in ``scratchgan score``. The second differs from it in all that a
judge can differ in: kernels of 5 and 3 pixels, a layer more, no BatchNorm, 128 features, another
seed and another order of the images. Its training takes some minutes, once; the cache keeps it.

    python benchmarks/judges.py runs/mnist_mlp runs/mnist_dcgan

Precision and recall are of the first judge, with 5 neighbours: real images against real ones are
above .9 then. The shares are those of the digits drawn least and most.
"""

import argparse
from functools import cached_property
from pathlib import Path

import numpy as np

from scratchgan.data import cache_dir, mnist, to_unit
from scratchgan.layers import Conv2D, Dense, Dropout, Flatten, ReLU, Sequential
from scratchgan.metrics import embed, fit_classifier, frechet_distance, precision_recall, predict
from scratchgan.runs.judges import trained_once
from scratchgan.runs.score import digit_judge, draw_digits

SAMPLES = 10_000  # compared with as many real images
NEIGHBOURS = 5
SECOND = (
    "second judge of digits, 1"  # change it when the judge changes: old files are not used then
)
HEAD = "run", "FID / real", "second judge", "precision", "recall", "least", "most"


def main():
    """Print a table with a line for each run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_dir", type=Path, nargs="+")
    first, second = references()
    print("|", " | ".join(HEAD), "|\n|---|", "---:|" * (len(HEAD) - 1), sep="")
    for run_dir in parser.parse_args().run_dir:
        images, _ = draw_digits(run_dir)
        share = np.bincount(predict(first.network, to_unit(images)), minlength=10) / len(images)
        found = precision_recall(first.test, first.embed(images), NEIGHBOURS)
        cells = [f"{judge.distance(images):.2f}" for judge in (first, second)]
        cells += [f"{part:.3f}" for part in found] + [f"{share.min():.1%}", f"{share.max():.1%}"]
        print("|", run_dir, "|", " | ".join(cells), "|", flush=True)


class Reference:
    """A judge of digits, with the features of real images, computed when they are asked for.

    Parameters
    ----------
    network : Sequential
        A trained classifier, as for `scratchgan.metrics.embed`.
    """

    def __init__(self, network):
        self.network = network

    @cached_property
    def test(self):
        """Features of MNIST's test images."""
        return self.embed(mnist(split="test").images[:SAMPLES])

    @cached_property
    def train(self):
        """Features of its first training images."""
        return self.embed(mnist().images[:SAMPLES])

    @cached_property
    def floor(self):
        """FID of training images to the test images."""
        return frechet_distance(self.test, self.train)

    @cached_property
    def train_floor(self):
        """FID of training images to other training images."""
        return frechet_distance(self.train, self.embed(mnist().images[-SAMPLES:]))

    def embed(self, images):
        """Return the features (N, F) of bytes (N, 28, 28, 1)."""
        return embed(self.network, to_unit(images))

    def distance(self, images):
        """Return the FID to the test images, in units of the training images' FID to them."""
        return frechet_distance(self.test, self.embed(images)) / self.floor

    def training_distance(self, images):
        """Return the FID to training images, in units of other training images' FID to them."""
        return frechet_distance(self.train, self.embed(images)) / self.train_floor


def references():
    """Return the `Reference` of both judges; they are trained if they are not in the cache."""
    return Reference(digit_judge()), Reference(second_judge())


def second_judge():
    """Return the classifier 28x28x1 -> 14x14x24 -> 7x7x48 -> 7x7x96 -> 128 features -> 10."""
    network = Sequential(
        Sequential(
            Conv2D(1, 24, kernel=5, stride=2, padding=2), ReLU(),
            Conv2D(24, 48, kernel=3, stride=2, padding=1), ReLU(),
            Conv2D(48, 96, kernel=3, padding=1), ReLU(),
            Flatten(), Dropout(0.3), Dense(7 * 7 * 96, 128), ReLU(),
        ),
        Sequential(Dropout(0.3), Dense(128, 10)),
    ).initialize(7)  # fmt: skip
    train = mnist()
    path = cache_dir() / "judges" / "second_judge_of_digits.safetensors"
    rng, options = np.random.default_rng(7), {"epochs": 6, "lr": 1e-3}

    def fit():
        fit_classifier(network, to_unit(train.images), train.labels, rng, **options)

    trained_once(network, path, SECOND, "a second judge of digits, once", fit)
    return network


if __name__ == "__main__":
    main()
