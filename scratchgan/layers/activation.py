"""Activations: y = f(x) entry by entry, with f' and f'' written in terms of y.

LeakyReLU   max(x, slope x)   f' = 1 or slope      f'' = 0
ReLU        max(x, 0)         f' = 1 or 0          f'' = 0
Tanh        tanh x            f' = 1 - y^2         f'' = -2 y f'
Sigmoid     1 / (1 + e^-x)    f' = y (1 - y)       f'' = (1 - 2 y) f'
Softplus    log(1 + e^x)      f' = 1 - e^-y        f'' = e^-y f'
"""

from ..backend import ops_of
from .base import Elementwise
from .options import checked


class LeakyReLU(Elementwise):
    """y = x where x > 0, slope * x elsewhere. At x = 0 the derivative is the slope.

    Parameters
    ----------
    slope : float in [0, 1)
    """

    shown: tuple[str, ...] = ("slope",)

    def __init__(self, slope: float = 0.2):
        self.slope = checked(lambda s: 0 <= s < 1, self, "0 <= slope < 1", slope=slope)

    def f(self, x):
        """max(x, slope * x)."""
        return ops_of(x).leaky_relu(x, self.slope)

    def backward(self, dy, cache, into_params=True):
        """dx = dy where y > 0, slope * dy elsewhere: y > 0 exactly where x > 0."""
        return ops_of(dy).leaky_relu_grad(dy, cache, self.slope)

    def double_backward(self, t, dy, cache):
        """J multiplies by the same factors as backward, and does not change with x."""
        return self.backward(t, cache), None


class ReLU(LeakyReLU):
    """y = max(x, 0)."""

    shown = ()

    def __init__(self):
        super().__init__(slope=0)


class Tanh(Elementwise):
    """y = tanh x."""

    def f(self, x):
        """tanh x."""
        return ops_of(x).tanh(x)

    def df(self, y):
        """1 - y^2."""
        return 1 - y * y

    def backward(self, dy, cache, into_params=True):
        """dx = (1 - y^2) dy."""
        return ops_of(dy).tanh_grad(dy, cache)

    def d2f(self, y):
        """-2 y (1 - y^2)."""
        return -2 * y * (1 - y * y)


class Sigmoid(Elementwise):
    """y = 1 / (1 + e^-x)."""

    def f(self, x):
        """1 / (1 + e^-x)."""
        return ops_of(x).sigmoid(x)

    def df(self, y):
        """y (1 - y)."""
        return y * (1 - y)

    def d2f(self, y):
        """(1 - 2 y) y (1 - y)."""
        return (1 - 2 * y) * y * (1 - y)


class Softplus(Elementwise):
    """y = log(1 + e^x)."""

    def f(self, x):
        """log(1 + e^x)."""
        return ops_of(x).softplus(x)

    def df(self, y):
        """1 - e^-y, which is the sigmoid of x."""
        return -ops_of(y).xp.expm1(-y)

    def d2f(self, y):
        """e^-y (1 - e^-y)."""
        return ops_of(y).xp.exp(-y) * self.df(y)
