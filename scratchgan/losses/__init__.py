"""Losses on logits. Each returns its value and the gradient that starts backprop.

A discriminator ends in a logit a; D = sigmoid(a) is its belief that a sample is real. Written in
a, with softplus(a) = log(1 + e^a), nothing can overflow and no slope is lost to rounding:

    -log D = softplus(-a)       -log(1 - D) = softplus(a)       d softplus(a)/da = sigmoid(a)

An adversarial loss has two sides, both to be minimised, each a mean over the batch of N:

    discriminator(real_logits, fake_logits) -> value, dreal, dfake
    generator(fake_logits)                  -> value, dfake

(a relativistic one compares: its generator takes the real logits, too), and a third method,
``real_probability(logits)``, reads a logit for people to look at: as a probability, where the loss
has one (``probability``). With a_r and a_f the logits of real and of generated samples:

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

from .auxiliary import AuxiliaryClassifier
from .critics import Hinge, RelativisticPaired, Wasserstein
from .cross_entropy import binary_cross_entropy, softmax_cross_entropy
from .probabilities import LeastSquares, Minimax, NonSaturating

__all__ = [
    "ADVERSARIAL", "AuxiliaryClassifier", "Hinge", "LeastSquares", "Minimax", "NonSaturating",
    "RelativisticPaired", "Wasserstein", "adversarial", "binary_cross_entropy",
    "softmax_cross_entropy",
]  # fmt: skip

ADVERSARIAL = {
    "minimax": Minimax, "non-saturating": NonSaturating, "least-squares": LeastSquares,
    "hinge": Hinge, "wasserstein": Wasserstein, "relativistic": RelativisticPaired,
}  # fmt: skip


def adversarial(name, **options):
    """The adversarial loss called ``name``, one of the keys of `ADVERSARIAL`."""
    if name not in ADVERSARIAL:
        raise ValueError(f"loss {name!r} given, one of {', '.join(ADVERSARIAL)} wanted")
    return ADVERSARIAL[name](**options)
