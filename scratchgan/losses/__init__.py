"""Losses on logits. Each returns its value, and the gradient with which backprop starts.

A discriminator ends in a logit a, and D = sigmoid(a) is the probability that a sample is real.
Written in terms of a, with softplus(a) = log(1 + e^a), no loss overflows and no slope is lost to
rounding:

    -log D = softplus(-a)       -log(1 - D) = softplus(a)       d softplus(a)/da = sigmoid(a)

An adversarial loss has two sides. Each is to be minimised, and is a mean over the batch of N:

    discriminator(real_logits, fake_logits) -> value, dreal, dfake
    generator(fake_logits)                  -> value, dfake

The generator side of a relativistic loss takes the real logits, too. A third method,
``real_probability(logits)``, is for people who watch a run: the probability that a sample is real;
for a critic, which has none (``probability`` is False), its value. With a_r and a_f the logits of
real and of generated samples:

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

from .cross_entropy import binary_cross_entropy, softmax_cross_entropy
from .games import *  # noqa: F403
from .games import __all__ as _games

__all__ = [*_games, "binary_cross_entropy", "softmax_cross_entropy"]
