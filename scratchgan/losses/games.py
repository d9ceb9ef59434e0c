"""The adversarial losses: the games that D and G play. ``losses/__init__.py`` has a table of them.

Letters: x real samples, G(z) generated ones, a(x) a logit of D, D = sigmoid(a).
"""

from typing import Any

from ..backend import Array, ops_of
from ..layers.options import checked
from .cross_entropy import binary_cross_entropy, expect_logits, softmax_cross_entropy

__all__ = [
    "ADVERSARIAL", "AuxiliaryClassifier", "Hinge", "LeastSquares", "Minimax", "NonSaturating",
    "RelativisticPaired", "Wasserstein", "adversarial",
]  # fmt: skip

# ---- D's logit gives a probability, or has a target of 1 or 0 ---------------------------------


class Minimax:
    """G minimises what D maximises: the two-player game of Goodfellow et al., 2014, equation 1.

    D minimises  mean -log D(x) + mean -log(1 - D(G(z))),  G minimises  mean log(1 - D(G(z))).
    G's slope by the logit of a sample is -D(G(z)): it vanishes where D wins ("saturates"). Use this
    loss to see that happen; use `NonSaturating` to train.

    Parameters
    ----------
    smooth : float in [0, 1)
        One-sided label smoothing: the target of D for real samples is 1 - smooth, not 1.
        Salimans et al., 2016, section 3.4.

    Attributes
    ----------
    probability : bool
        True where `real_probability` is a probability. Then a D that is sure of every sample
        leaves G little to learn from.
    relativistic : bool
        True where ``generator`` takes the real logits, too.
    """

    probability, relativistic = True, False

    def __init__(self, smooth: float = 0.0):
        self.smooth = checked(lambda s: 0 <= s < 1, self, "0 <= smooth < 1", smooth=smooth)

    def distance(self, a, target):
        """Mean cross-entropy of the logits a with a target from 0 to 1, and its gradient."""
        expect_logits(type(self).__name__, a)
        return binary_cross_entropy(a, target)

    def discriminator(self, real_logits: Array, fake_logits: Array) -> tuple[Array, Array, Array]:
        """Return D's loss, and its gradients with respect to real and fake logits (N, 1)."""
        value_real, dreal = self.distance(real_logits, 1 - self.smooth)
        value_fake, dfake = self.distance(fake_logits, 0)
        return value_real + value_fake, dreal, dfake

    def generator(self, fake_logits: Array) -> tuple[Array, Array]:
        """Return G's loss and its gradient: minus D's loss on fake samples."""
        value, dfake = self.distance(fake_logits, 0)
        return -value, -dfake

    def real_probability(self, logits: Array) -> Array:
        """Return D = sigmoid(a), the probability that a sample is real."""
        expect_logits(type(self).__name__, logits)
        return ops_of(logits).sigmoid(logits)


class NonSaturating(Minimax):
    """D as in `Minimax`; G minimises  mean -log D(G(z)).  Goodfellow et al., 2014, section 3.

    G's slope by the logit of a sample is D(G(z)) - 1: largest where D is sure of a fake.
    """

    def generator(self, fake_logits: Array) -> tuple[Array, Array]:
        """Return G's loss and its gradient: the distance of fake samples to the target 1."""
        return self.distance(fake_logits, 1)


class LeastSquares(NonSaturating):
    """D minimises  mean (a(x) - 1)^2 / 2 + mean a(G(z))^2 / 2;  G,  mean (a(G(z)) - 1)^2 / 2.

    Mao et al., 2017, equation 9 (their 0-1 coding). The slope grows with the distance to the
    target, on both sides of it: it does not saturate.
    """

    def distance(self, a, target):
        """mean (a - target)^2 / 2, and its gradient."""
        expect_logits(type(self).__name__, a)
        difference = a - target
        return (difference**2).mean() / 2, difference / a.size

    def real_probability(self, logits: Array) -> Array:
        """Return the logit, whose target is 1 or 0, clipped to [0, 1]."""
        expect_logits(type(self).__name__, logits)
        return ops_of(logits).xp.clip(logits, 0, 1)


# ---- D is a critic: only differences of its values have a meaning, or their side of a margin ---


class Wasserstein:
    """D, a critic, minimises  mean a(G(z)) - mean a(x);  G minimises  -mean a(G(z)).

    If the critic's slope is at most 1, D's smallest possible loss is minus the distance between the
    two distributions: Arjovsky et al., 2017, equation 2. The loss does not bound the slope. That
    paper does it by weight clipping; Gulrajani et al., 2017, do it by a penalty.

    Parameters
    ----------
    smooth : 0
        There are no labels to smooth.
    """

    probability = relativistic = False

    def __init__(self, smooth: float = 0.0):
        checked(lambda s: s == 0, self, "0, because there are no labels to smooth", smooth=smooth)

    def discriminator(self, real_logits: Array, fake_logits: Array) -> tuple[Array, Array, Array]:
        """Return D's loss, and its gradients with respect to real and fake logits (N, 1)."""
        expect_logits(type(self).__name__, real_logits, fake_logits)
        ones = ops_of(real_logits).xp.ones_like
        value = fake_logits.mean() - real_logits.mean()
        return value, -ones(real_logits) / real_logits.size, ones(fake_logits) / fake_logits.size

    def generator(self, fake_logits: Array) -> tuple[Array, Array]:
        """Return -mean a(G(z)) and its gradient, which is the same everywhere: it cannot vanish."""
        expect_logits(type(self).__name__, fake_logits)
        dfake = -ops_of(fake_logits).xp.ones_like(fake_logits) / fake_logits.size
        return -fake_logits.mean(), dfake

    def real_probability(self, logits: Array) -> Array:
        """Return the critic's value: a critic has no probability."""
        expect_logits(type(self).__name__, logits)
        return logits


class Hinge(Wasserstein):
    """D minimises  mean max(0, 1 - a(x)) + mean max(0, 1 + a(G(z)));  G,  -mean a(G(z)).

    Lim and Ye, "Geometric GAN", 2017; Miyato et al., 2018, equations 16 and 17. Samples beyond the
    margin do not change D; G's slope is that of `Wasserstein`.
    """

    def discriminator(self, real_logits: Array, fake_logits: Array) -> tuple[Array, Array, Array]:
        """Return D's loss, and its gradients with respect to real and fake logits (N, 1)."""
        expect_logits(type(self).__name__, real_logits, fake_logits)
        value_real, dreal = _hinge(1 - real_logits)
        value_fake, dfake = _hinge(1 + fake_logits)
        return value_real + value_fake, -dreal, dfake


class RelativisticPaired(Wasserstein):
    """D minimises  mean softplus(-(a(x) - a(G(z))));  G,  mean softplus(-(a(G(z)) - a(x))).

    Each real sample is compared with one generated sample. So it does not help G to put all its
    samples where D is highest: real samples are there, too. Jolicoeur-Martineau, 2019; with R1 and
    R2 it is the loss of R3GAN: Huang et al., 2024, equation 2.
    """

    relativistic = True

    def discriminator(self, real_logits: Array, fake_logits: Array) -> tuple[Array, Array, Array]:
        """Return D's loss, and its gradients with respect to real and fake logits (N, 1)."""
        value, dgap = binary_cross_entropy(_gap(real_logits, fake_logits), 1)
        return value, dgap, -dgap

    def generator(self, fake_logits: Array, real_logits: Array) -> Any:  # type: ignore[override]
        """Return D's loss with exchanged roles, and its gradient with respect to fake_logits."""
        return binary_cross_entropy(_gap(fake_logits, real_logits), 1)


# ---- D names the class, too --------------------------------------------------------------------


class AuxiliaryClassifier:
    """Add a classifier to another loss: ACGAN, Odena et al., 2017, equations 2 and 3.

    D has logits (N, 1 + K). The first column goes to the other loss; the rest are the logits of the
    K classes. D and G both minimise the cross-entropy of the labels as well, D on real and on
    generated samples.

    Parameters
    ----------
    game : object
        Another adversarial loss.
    """

    def __init__(self, game: Minimax | Wasserstein):
        self.game = game
        self.probability, self.relativistic = game.probability, game.relativistic

    def discriminator(self, real_logits: Array, fake_logits: Array, labels: Array) -> Any:
        """Return D's loss, and its gradients with respect to all logits.

        A real sample and the generated sample in the same place share one label: labels (N,).
        """
        value, *slopes = self.game.discriminator(real_logits[:, :1], fake_logits[:, :1])
        gradients = []
        for logits, slope in zip((real_logits, fake_logits), slopes, strict=True):
            cross_entropy, by_class = softmax_cross_entropy(logits[:, 1:], labels)
            value = value + cross_entropy
            gradients.append(ops_of(logits).xp.concatenate([slope, by_class], 1))
        return value, *gradients

    def generator(self, fake_logits: Array, *real: Array, labels: Array) -> tuple[Array, Array]:
        """Return G's loss plus the cross-entropy, and the gradient with respect to fake_logits."""
        value, slope = self.game.generator(fake_logits[:, :1], *(logits[:, :1] for logits in real))
        cross_entropy, by_class = softmax_cross_entropy(fake_logits[:, 1:], labels)
        return value + cross_entropy, ops_of(fake_logits).xp.concatenate([slope, by_class], 1)

    def real_probability(self, logits: Array) -> Array:
        """Return the other loss's ``real_probability`` of the first column."""
        return self.game.real_probability(logits[:, :1])


def _hinge(a):
    """mean max(0, a), and its gradient."""
    above = ops_of(a).xp.maximum(a, 0)
    return above.mean(), (a > 0).astype(a.dtype) / a.size


def _gap(a, b):
    """a - b, for logits that are compared in pairs."""
    expect_logits("RelativisticPaired", a, b)
    if a.shape != b.shape:
        shapes = f"{a.shape} and {b.shape}"
        raise ValueError(f"RelativisticPaired: expected logits of one shape, got {shapes}")
    return a - b


ADVERSARIAL: dict[str, Any] = {
    "minimax": Minimax, "non-saturating": NonSaturating, "least-squares": LeastSquares,
    "hinge": Hinge, "wasserstein": Wasserstein, "relativistic": RelativisticPaired,
}  # fmt: skip


def adversarial(name: str, **options: Any) -> Minimax | Wasserstein:
    """Make the adversarial loss called ``name``: one of the keys of `ADVERSARIAL`."""
    if name not in ADVERSARIAL:
        raise ValueError(f"loss: expected one of {', '.join(ADVERSARIAL)}, got {name!r}")
    return ADVERSARIAL[name](**options)
