"""Games in which only differences of D's logits, or their side of a margin, mean anything."""

from ..backend import ops_of
from .cross_entropy import binary_cross_entropy

__all__ = ["Hinge", "RelativisticPaired", "Wasserstein"]


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

    def real_probability(self, logits):
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


def _hinge(a):
    """mean max(0, a), and its gradient."""
    above = ops_of(a).xp.maximum(a, 0)
    return above.mean(), (a > 0).astype(a.dtype) / a.size


def _gap(a, b):
    """a - b, for logits that are compared one by one."""
    if a.shape != b.shape:
        raise ValueError(f"logits of shape {a.shape} and {b.shape} given, as many of each wanted")
    return a - b
