"""A game for a D that names classes, too."""

from ..backend import ops_of
from .cross_entropy import softmax_cross_entropy

__all__ = ["AuxiliaryClassifier"]


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

    def real_probability(self, logits):
        """The game's."""
        return self.game.real_probability(logits[:, :1])
