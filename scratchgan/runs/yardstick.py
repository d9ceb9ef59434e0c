"""Real images and a judge, with which samples are measured.

Each measure is also taken of real images that are not the reference: its floor. What is as good as
real reaches it, and nothing can be trusted to be better.
"""

from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from .. import metrics
from ..data import Dataset
from .judges import Judge, fit, network_judge

SAMPLES = 10_000  # compared at most
ROUNDS = 40  # of the bootstrap of what takes long or is biased
NEAR = 0.01  # this share of real images is as near to its nearest training image as a copy
REPEATED = 0.05  # more repeated images than that are no chance
PAIRS = 32  # samples beside their nearest training images


class Measure(NamedTuple):
    """A number, the interval that holds it in 95 of 100 cases, and its floor: that of real images.

    Attributes
    ----------
    value, low, high, floor : float
        The floor is NaN where there is none.
    """

    value: float
    low: float
    high: float
    floor: float


class Scored(NamedTuple):
    """How near samples are to real images.

    Attributes
    ----------
    name : str
        The run, folder or file.
    samples : int
        How many were compared, with how many real ones: N.
    against, judge : str
        The real images, and what judged, in words.
    measures : dict of str to Measure
        "FID", "x real", "KID", "precision", "recall", "density", "coverage", "memorised"; "KL",
        "fewest", "most" where the judge reads classes; "as asked", "CAS" where the samples have
        labels. See docs/score.md.
    nearest : integer array (N,)
        Number of each sample's nearest training image.
    pairs : uint8 array (2 P, H, W, C)
        The samples nearest to training images, each followed by that image.
    """

    name: str
    samples: int
    against: str
    judge: str
    measures: dict[str, Measure]
    nearest: np.ndarray
    pairs: np.ndarray


class Yardstick:
    """Real images, their features, and what is computed of them once for all samples.

    Parameters
    ----------
    judge : Judge
    train : Dataset
        The real images; those that a run was trained on.
    test : Dataset, optional
        The reference, such as MNIST's test images. Default: one half of ``train``, drawn by a fixed
        seed; the other half gives the floor.
    most : int
        Images compared at most.
    """

    def __init__(
        self, judge: Judge, train: Dataset, test: Dataset | None = None, most: int = SAMPLES
    ):
        self.judge, self.train = judge, train
        features = judge.features(train.images)  # (T, F)
        order = np.random.default_rng(0).permutation(len(features))
        size = len(features) // 2 if test is None else min(len(test.images), len(features))
        n = min(size, most)
        pool, rows = (train, order[:n]) if test is None else (test, np.arange(n))
        self.images = pool.images[rows]  # (n, H, W, C)
        self.labels = None if pool.labels is None else pool.labels[rows]
        self.real = features[rows] if test is None else judge.features(self.images)  # (n, F)
        self.features, self.other = features, order[n : 2 * n] if test is None else rows
        # Own images were all trained on: each is held out in turn.
        own = order[:most] if test is None else None
        held_out, _ = metrics.nearest(self.real if own is None else features[own], features, own)
        self.limit = np.quantile(held_out, NEAR)
        known = train.images if test is None else self.images
        self.known = _differing(known, f"files of {train.name} are repeated")
        self.accuracy = judge.accuracy
        if judge.read and self.accuracy is None and self.labels is not None:
            self.accuracy = float((judge.read(self.real) == self.labels).mean())
        right = f", {self.accuracy:.1%} right on held-out ones" if self.accuracy is not None else ""
        kind = f"images of {train.name}" if test is None else f"test images of {train.name}"
        self.about = f"{n:,} {kind}", f"{judge.name}{right}, {self.real.shape[1]} features"
        self._floors: dict = {}

    def __len__(self):
        return len(self.real)

    def measure(self, images: np.ndarray, labels: np.ndarray | None, name: str) -> Scored:
        """Compare samples with the reference.

        Parameters
        ----------
        images : uint8 array (N, H, W, C)
            As many as the reference has, or fewer.
        labels : integer array (N,) or None
            The classes that were asked for.
        name : str

        Returns
        -------
        Scored

        Raises
        ------
        ValueError
            If there are too few images, or many are repeated, or all are real ones.
        """
        self._check(images)
        fake = self.judge.features(images)  # (N, F)
        metrics.frechet_distance(self.real, fake)  # refuses too few, before the work begins
        distance, nearest = metrics.nearest(fake, self.features)
        parts = self._parts(fake, images, labels, distance < self.limit)
        floors = self._floor(len(fake), labels is not None)
        measures = {}
        for part in tqdm(parts, desc="intervals", delay=1, leave=False):
            statistic, *of = parts[part]
            value = float(statistic(*of))
            if part == "KID":
                low, high = value - 1.96 * of[1], value + 1.96 * of[1]
            elif statistic is np.mean:
                low, high = np.percentile(metrics.bootstrap(np.mean, *of), (2.5, 97.5))
            else:  # biased: only the spread of the statistic is used
                spread = 1.96 * metrics.bootstrap(statistic, *of, rounds=ROUNDS).std()
                low, high = max(value - spread, 0), value + spread
            measures[part] = Measure(value, float(low), float(high), floors[part])
            if part == "FID":
                by = floors[part]
                measures["x real"] = Measure(value / by, low / by, high / by, 1.0)
        near = np.argsort(distance)[:PAIRS]
        pairs = np.stack([images[near], self.train.images[nearest[near]]], 1)  # (P, 2, H, W, C)
        pairs = pairs.reshape(-1, *images.shape[1:])
        return Scored(name, len(fake), *self.about, measures, nearest, pairs)

    def _parts(self, fake, images, labels, copied):
        """Return each measure by name: a function, and the samples that it is computed of."""
        three, five = metrics.balls(self.real, fake, 3, 5)
        parts: dict[str, tuple] = {
            "FID": (metrics.frechet_distance, self.real, fake),
            "KID": (lambda value, error: value, *metrics.kid(self.real, fake)),
            "precision": (np.mean, three.holding > 0),
            "recall": (np.mean, three.recalled),
            "density": (np.mean, five.holding / 5),
            "coverage": (np.mean, five.covered),
            "memorised": (np.mean, copied),
        }
        if self.judge.read:
            read, K = self.judge.read(fake), self.judge.classes
            parts["KL"] = lambda a: metrics.count_classes(a, K)[1], read
            parts["fewest"] = lambda a: np.bincount(a, minlength=K).min() / len(a), read
            parts["most"] = lambda a: np.bincount(a, minlength=K).max() / len(a), read
            if labels is not None:
                parts["as asked"] = np.mean, read == labels
        if labels is not None and self.labels is not None:
            parts["CAS"] = np.mean, self._learned_from(images, labels)
        return parts

    def _learned_from(self, images, labels):
        """Whether a classifier of these images and labels reads each real image right.

        Ravuri and Vinyals, 2019, section 3.
        """
        K = 1 + int(max(labels.max(), self.labels.max()))
        network = metrics.image_classifier(images.shape[1:], K).initialize(0)
        fit(network, images, labels)  # with a bar
        student = network_judge(network, "", K)
        return student.read(student.features(self.images)) == self.labels

    def _floor(self, n, asked):
        """Return the value of each measure for n real images that are not of the reference."""
        if (n, asked) not in self._floors:
            rows = self.other[:n]
            labels = self.train.labels[rows] if asked and self.train.labels is not None else None
            # `NEAR` of held-out images count as copies, by the choice of the limit.
            parts = self._parts(self.features[rows], self.train.images[rows], labels, NEAR)
            found = {name: float(statistic(*of)) for name, (statistic, *of) in parts.items()}
            found["as asked"] = np.nan if self.accuracy is None else self.accuracy
            self._floors[n, asked] = found
        return self._floors[n, asked]

    def _check(self, images):
        """Raise an error if the images are no samples whose score would mean something."""
        hashes = _differing(images, "the generator has collapsed, or files are repeated")
        if hashes <= self.known:
            cure = "give generated images, or other real ones as `real=`"
            raise ValueError(f"expected samples, got the real images themselves; {cure}")


def _differing(images, why):
    """Return a number for each different image; raise an error if many are repeated."""
    hashes = {hash(image.tobytes()) for image in images}
    if len(images) - len(hashes) > REPEATED * len(images):
        got = f"{len(hashes):,} different ones of {len(images):,}"
        raise ValueError(f"expected images that differ, got {got}: {why}; look at them")
    return hashes
