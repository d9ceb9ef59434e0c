"""Games in which D's logit stands for a probability, or is to be 1 or 0: there are labels."""

from ..backend import ops_of
from .cross_entropy import binary_cross_entropy

__all__ = ["LeastSquares", "Minimax", "NonSaturating"]


class Minimax:
    """The two-player game of Goodfellow et al., 2014, equation 1: G minimises what D maximises.

    D minimises  mean -log D(x) + mean -log(1 - D(G(z))),  G minimises  mean log(1 - D(G(z))).
    Its slope by a sample's logit is -D(G(z)): it saturates, vanishing where D wins. To see that
    happen is what this loss is for; to train, take `NonSaturating`.

    Parameters
    ----------
    smooth : float in [0, 1)
        One-sided label smoothing: D is to say 1 - smooth for real samples, not 1.
        Salimans et al., 2016, section 3.4.

    Attributes
    ----------
    probability : bool
        Whether `real_probability` is one: then a D that is sure of everything leaves G little to
        learn from.
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

    def real_probability(self, logits):
        """D = sigmoid(a)."""
        return ops_of(logits).sigmoid(logits)


class NonSaturating(Minimax):
    """D as in `Minimax`; G minimises  mean -log D(G(z)).  Goodfellow et al., 2014, section 3.

    Its slope by a sample's logit is D(G(z)) - 1: strongest where D is sure of a fake.
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

    def real_probability(self, logits):
        """The logit itself, which is to be 1 or 0, cut off there."""
        return ops_of(logits).xp.clip(logits, 0, 1)


def _half_square(a, target):
    difference = a - target
    return (difference**2).mean() / 2, difference / a.size
