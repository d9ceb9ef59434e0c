"""Write a layer, get its backward wrong, and let gradcheck find the mistake.

The layer is y = x * scale, with one learned scale for each column: x (N, C), scale (C,).
"""

import sys

import numpy as np

from scratchgan import Layer, Param
from scratchgan.gradcheck import check


class Scale(Layer):
    """A first try. Its backward has three mistakes: can you see them?"""

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


class CorrectedScale(Scale):
    """A corrected `Scale`: it keeps the three rules of ``layers/base.py``."""

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
    """Check both layers and print the reports."""
    wrong, right = check(Scale(), (4, 6)), check(CorrectedScale(), (4, 6))
    print(wrong)
    print(
        "\nThe three mistakes: dscale is a mean, and should be a sum. It replaces Param.grad, and\n"
        "should be added, but not with into_params=False. x is kept on self, where the next batch\n"
        "overwrites it, and should be in the cache. Corrected:\n"
    )
    print(right)
    return 0 if right.passed and not wrong.passed else 1


if __name__ == "__main__":
    sys.exit(main())
