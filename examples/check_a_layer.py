"""Write a layer, get its backward wrong, and let gradcheck find the mistake.

The layer is y = x * scale, with one learned scale for each column: x (N, C), scale (C,).
"""

import sys

import numpy as np

from scratchgan import Layer, Param
from scratchgan.gradcheck import check


class Scale(Layer):
    """The first try. Three things are wrong with its backward; can you see them?"""

    def __init__(self, columns=6):
        self.scale = Param(np.ones(columns))

    def forward(self, x, train=True):
        """y = x * scale."""
        self.x = x
        return x * self.scale.value, None

    def backward(self, dy, cache, into_params=True):
        """dscale = sum of x * dy,  dx = scale * dy."""
        self.scale.grad[...] = (self.x * dy).mean(0)
        return dy * self.scale.value


class ScalePutRight(Scale):
    """The same layer, as ``layers/base.py`` asks for it."""

    def forward(self, x, train=True):
        """y = x * scale."""
        return x * self.scale.value, x  # what backward needs travels in the cache, not on self

    def backward(self, dy, cache, into_params=True):
        """dscale += sum of x * dy,  dx = scale * dy."""
        if into_params:
            self.scale.grad += (cache * dy).sum(0)  # S sums over the batch, and so does dscale
        return dy * self.scale.value

    def double_backward(self, t, dy, cache):
        """B = <scale * t, dy>: linear in x, so only scale has a second-order gradient."""
        self.scale.grad += (t * dy).sum(0)
        return t * self.scale.value, None


def main():
    """Check both."""
    wrong, right = check(Scale(), (4, 6)), check(ScalePutRight(), (4, 6))
    print(wrong)
    print(
        "\nA mean where a sum belongs, a gradient replaced where it should add up (whether asked\n"
        "for or not), an input kept on self that the next batch overwrites. Put right:\n"
    )
    print(right)
    return 0 if right.passed and not wrong.passed else 1


if __name__ == "__main__":
    sys.exit(main())
