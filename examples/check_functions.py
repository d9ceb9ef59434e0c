"""Check plain functions, as written in course exercises: two right ones and a wrong one.

A forward returns its output and a cache; its backward takes the gradient of the output and the
cache. An activation comes with its slope.
"""

import sys

import numpy as np

from scratchgan.gradcheck import check_function, check_functions


def swish(x):
    """y = x s, where s = sigmoid(x)."""
    return x / (1 + np.exp(-x))


def swish_slope(x):
    """dy/dx = s (1 + x (1 - s))."""
    s = 1 / (1 + np.exp(-x))
    return s * (1 + x * (1 - s))


def affine_forward(x, w, b):
    """Out = x w + b: x (N, D), w (D, M), b (M,), out (N, M)."""
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    """A first try, with two mistakes: can you see them?"""
    x, w = cache
    dout /= len(x)
    return dout @ w.T, x.T @ dout, dout.sum(0)


def corrected_backward(dout, cache):
    """dx = dout w^T,  dw = x^T dout,  db = sum of dout over the batch."""
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def main():
    """Check all functions and print the reports."""
    rng = np.random.default_rng(0)
    activation = check_function(swish, swish_slope, rng.standard_normal((4, 6)))
    inputs = [rng.standard_normal(shape) for shape in ((4, 6), (6, 3), (3,))]
    wrong = check_functions(affine_forward, affine_backward, inputs)
    right = check_functions(affine_forward, corrected_backward, inputs)
    print(activation, wrong, sep="\n\n")
    print(
        "\nThe two mistakes: dout is divided by the number of samples, which belongs into the\n"
        "backward of a loss that is a mean. And it is divided in place, so that the caller's\n"
        "array changes, too. Corrected:\n"
    )
    print(right)
    return 0 if activation.passed and right.passed and not wrong.passed else 1


if __name__ == "__main__":
    sys.exit(main())
