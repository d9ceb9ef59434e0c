"""Losses on logits. Each returns its value and the gradient that starts backprop.

A discriminator ends in a logit a; D = sigmoid(a) is its belief that a sample is real. Written in
a, with softplus(a) = log(1 + e^a), nothing can overflow and no slope is lost to rounding:

    -log D = softplus(-a)       -log(1 - D) = softplus(a)       d softplus(a)/da = sigmoid(a)

An adversarial loss has two sides, both to be minimised, each a mean over the batch of N:

    discriminator(real_logits, fake_logits) -> value, dreal, dfake
    generator(fake_logits)                  -> value, dfake

and a third method, ``belief(logits)``, reads a logit for people to look at: as a probability,
where the loss has one (``probability``).

=================  ==============================================  ===============================
                   D minimises the mean of                         G minimises the mean of
=================  ==============================================  ===============================
minimax            softplus(-a_r) + softplus(a_f)                  -softplus(a_f)
non-saturating     the same                                        softplus(-a_f)
least-squares      (a_r - 1)^2 / 2 + a_f^2 / 2                     (a_f - 1)^2 / 2
hinge              max(0, 1 - a_r) + max(0, 1 + a_f)               -a_f
wasserstein        a_f - a_r                                       -a_f
relativistic       softplus(-(a_r - a_f))                          softplus(-(a_f - a_r))
=================  ==============================================  ===============================
"""

import numpy as np

from .backend import ops_of

__all__ = [
    "ADVERSARIAL", "AuxiliaryClassifier", "Hinge", "LeastSquares", "Minimax", "NonSaturating",
    "RelativisticPaired", "Wasserstein", "adversarial", "binary_cross_entropy",
    "softmax_cross_entropy",
]  # fmt: skip


def binary_cross_entropy(logits, target):
    """Mean of -target log D - (1 - target) log(1 - D), with D = sigmoid(logits).

    Parameters
    ----------
    logits : array (N, ...)
    target : float in [0, 1], or array of the shape of logits

    Returns
    -------
    value : scalar
    dlogits : array, the shape of logits
    """
    if np.shape(target) not in ((), logits.shape):
        raise ValueError(f"target of shape {np.shape(target)} given, {logits.shape} wanted")
    ops = ops_of(logits)
    if np.shape(target):
        target = ops.asarray(target, logits.dtype)
    return ops.binary_cross_entropy(logits, target)


def softmax_cross_entropy(logits, labels):
    """Mean of -log p[label], with p = softmax(logits).

    Parameters
    ----------
    logits : array (N, K)
    labels : integer array (N,), values 0 to K - 1
        The range is looked at on the host only, as in `Embedding`: of labels on a device, the host
        would have to wait for them.

    Returns
    -------
    value : scalar
    dlogits : array (N, K)

    Raises
    ------
    ValueError
        The labels are not N integers in that range.
    """
    N, K = logits.shape
    ops = ops_of(logits)
    xp, on_host = ops.xp, ops.name == "numpy" or not isinstance(labels, ops.xp.ndarray)
    labels = np.asarray(labels) if on_host else labels
    if labels.shape != (N,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels {labels.dtype} {labels.shape} given, {N} integers wanted")
    if on_host and N and not 0 <= labels.min() <= labels.max() < K:
        raise ValueError(f"labels {labels.min()} to {labels.max()} given, 0 to {K - 1} wanted")
    labels = ops.asarray(labels)
    shifted = logits - logits.max(1, keepdims=True)  # (N, K): e^shifted cannot overflow
    e = xp.exp(shifted)
    total = e.sum(1, keepdims=True)  # (N, 1)
    rows = xp.arange(N)
    value = (xp.log(total[:, 0]) - shifted[rows, labels]).mean()
    dlogits = e / total
    dlogits[rows, labels] -= 1  # d value/da = p - [k = label]
    return value, dlogits / N


class Minimax:
    """The two-player game of Goodfellow et al., 2014, equation 1: G minimises what D maximises.

    D minimises  mean -log D(x) + mean -log(1 - D(G(z))),  G minimises  mean log(1 - D(G(z))).
    G's slope is -D(G(z)): it saturates, vanishing where D wins. To see that happen is what this
    loss is for; to train, take `NonSaturating`.

    Parameters
    ----------
    smooth : float in [0, 1)
        One-sided label smoothing: D is to say 1 - smooth for real samples, not 1.
        Salimans et al., 2016, section 3.4.

    Attributes
    ----------
    probability : bool
        Whether `belief` is one: then a D that is sure of everything leaves G little to learn from.
    relativistic : bool
        Whether ``generator`` takes the real logits, too.
    """

    probability, relativistic = True, False

    def __init__(self, smooth=0.0):
        if not 0 <= smooth < 1:
            raise ValueError(f"smooth={smooth!r} given, 0 <= smooth < 1 wanted")
        self.smooth = smooth

    def discriminator(self, real_logits, fake_logits):
        """Value, and its gradients by the logits (N, 1) of real and of fake samples."""
        value_real, dreal = binary_cross_entropy(real_logits, 1 - self.smooth)
        value_fake, dfake = binary_cross_entropy(fake_logits, 0)
        return value_real + value_fake, dreal, dfake

    def generator(self, fake_logits):
        """Mean log(1 - D(G(z))): the very term that D maximises, so the slope changes sign."""
        value, dfake = binary_cross_entropy(fake_logits, 0)
        return -value, -dfake

    def belief(self, logits):
        """D = sigmoid(a)."""
        return ops_of(logits).sigmoid(logits)


class NonSaturating(Minimax):
    """D as in `Minimax`; G minimises  mean -log D(G(z)).  Goodfellow et al., 2014, section 3.

    G's slope is D(G(z)) - 1: strongest where D is sure of a fake.
    """

    def generator(self, fake_logits):
        """mean -log D(G(z))."""
        return binary_cross_entropy(fake_logits, 1)


class LeastSquares(Minimax):
    """D minimises  mean (a(x) - 1)^2 / 2 + mean a(G(z))^2 / 2;  G,  mean (a(G(z)) - 1)^2 / 2.

    Mao et al., 2017, equation 9 (their 0-1 coding). The slope grows with the distance to the
    target, on both sides of it: it does not saturate.
    """

    def discriminator(self, real_logits, fake_logits):
        """Value, and its gradients by the logits (N, 1) of real and of fake samples."""
        value_real, dreal = _half_square(real_logits, 1 - self.smooth)
        value_fake, dfake = _half_square(fake_logits, 0)
        return value_real + value_fake, dreal, dfake

    def generator(self, fake_logits):
        """mean (a(G(z)) - 1)^2 / 2."""
        return _half_square(fake_logits, 1)

    def belief(self, logits):
        """The logit itself, which is to be 1 or 0, cut off there."""
        return ops_of(logits).xp.clip(logits, 0, 1)


class Wasserstein:
    """D, a critic, minimises  mean a(G(z)) - mean a(x);  G minimises  -mean a(G(z)).

    Among critics of slope 1 at most, minus D's least value is the distance between the two
    distributions: Arjovsky et al., 2017, equation 2. The slope must be bounded by other means:
    weight clipping there, a penalty in Gulrajani et al., 2017.

    Parameters
    ----------
    smooth : 0
        There are no labels to smooth.
    """

    probability = relativistic = False

    def __init__(self, smooth=0.0):
        if smooth:
            name = type(self).__name__
            raise ValueError(f"{name}(smooth={smooth!r}) given: it has no labels to smooth")

    def discriminator(self, real_logits, fake_logits):
        """Value, and its gradients by the logits (N, 1) of real and of fake samples."""
        ones = ops_of(real_logits).xp.ones_like
        value = fake_logits.mean() - real_logits.mean()
        return value, -ones(real_logits) / real_logits.size, ones(fake_logits) / fake_logits.size

    def generator(self, fake_logits):
        """-mean a(G(z)), whose slope is the same everywhere: it cannot vanish."""
        dfake = -ops_of(fake_logits).xp.ones_like(fake_logits) / fake_logits.size
        return -fake_logits.mean(), dfake

    def belief(self, logits):
        """The critic's value itself, of which only differences mean anything."""
        return logits


class Hinge(Wasserstein):
    """D minimises  mean max(0, 1 - a(x)) + mean max(0, 1 + a(G(z)));  G,  -mean a(G(z)).

    Lim and Ye, "Geometric GAN", 2017; Miyato et al., 2018, equations 16 and 17. D cares no more
    for samples beyond the margin; G's slope is that of `Wasserstein`.
    """

    def discriminator(self, real_logits, fake_logits):
        """Value, and its gradients by the logits (N, 1) of real and of fake samples."""
        value_real, dreal = _hinge(1 - real_logits)
        value_fake, dfake = _hinge(1 + fake_logits)
        return value_real + value_fake, -dreal, dfake


class RelativisticPaired(Wasserstein):
    """D minimises  mean softplus(-(a(x) - a(G(z))));  G,  mean softplus(-(a(G(z)) - a(x))).

    Each real sample is compared with one generated sample, so that it does not help G to put all
    its samples where D is highest: there are real ones to be kept up with. Jolicoeur-Martineau,
    2019; with R1 and R2 the game of R3GAN: Huang et al., 2024, equation 2.
    """

    relativistic = True

    def discriminator(self, real_logits, fake_logits):
        """Value, and its gradients by the logits (N, 1) of real and of fake samples."""
        value, dgap = binary_cross_entropy(_gap(real_logits, fake_logits), 1)
        return value, dgap, -dgap

    def generator(self, fake_logits, real_logits):
        """The same with the roles exchanged; the gradient is that by the fake logits."""
        return binary_cross_entropy(_gap(fake_logits, real_logits), 1)


class AuxiliaryClassifier:
    """A game in which D names the class, too: ACGAN, Odena et al., 2017, equations 2 and 3.

    Of the logits (N, 1 + K) the first column plays the game, and the others are those of the K
    classes: D and G both minimise the cross-entropy of the labels besides, D on real and
    generated samples.

    Parameters
    ----------
    game : object
        An adversarial loss.
    """

    def __init__(self, game):
        self.game = game
        self.probability, self.relativistic = game.probability, game.relativistic

    def discriminator(self, real_logits, fake_logits, labels):
        """Value, and its gradients by all logits; one label (N,) for both samples of a place."""
        value, *slopes = self.game.discriminator(real_logits[:, :1], fake_logits[:, :1])
        gradients = []
        for logits, slope in zip((real_logits, fake_logits), slopes, strict=True):
            cross_entropy, by_class = softmax_cross_entropy(logits[:, 1:], labels)
            value = value + cross_entropy
            gradients.append(ops_of(logits).xp.concatenate([slope, by_class], 1))
        return value, *gradients

    def generator(self, fake_logits, *real_logits, labels):
        """The game's value and the cross-entropy, and their gradient by the fake logits."""
        against = [logits[:, :1] for logits in real_logits]
        value, slope = self.game.generator(fake_logits[:, :1], *against)
        cross_entropy, by_class = softmax_cross_entropy(fake_logits[:, 1:], labels)
        dfake = ops_of(fake_logits).xp.concatenate([slope, by_class], 1)
        return value + cross_entropy, dfake

    def belief(self, logits):
        """The game's."""
        return self.game.belief(logits[:, :1])


ADVERSARIAL = {
    "minimax": Minimax, "non-saturating": NonSaturating, "least-squares": LeastSquares,
    "hinge": Hinge, "wasserstein": Wasserstein, "relativistic": RelativisticPaired,
}  # fmt: skip


def adversarial(name, **options):
    """The adversarial loss called ``name``, one of the keys of `ADVERSARIAL`."""
    if name not in ADVERSARIAL:
        raise ValueError(f"loss {name!r} given, one of {', '.join(ADVERSARIAL)} wanted")
    return ADVERSARIAL[name](**options)


def _half_square(a, target):
    difference = a - target
    return (difference**2).mean() / 2, difference / a.size


def _hinge(a):
    """mean max(0, a), and its gradient."""
    above = ops_of(a).xp.maximum(a, 0)
    return above.mean(), (a > 0).astype(a.dtype) / a.size


def _gap(a, b):
    """a - b, for logits that are compared one by one."""
    if a.shape != b.shape:
        raise ValueError(f"logits of shape {a.shape} and {b.shape} given, as many of each wanted")
    return a - b
