"""Penalties on the weights, and on the slope of a discriminator, with their exact gradient.

Let a = D(x) be the logits of a batch, g = da/dx (one gradient g_n for each sample), and P(g) a
penalty. Training needs dP/dθ, the derivative of a derivative. It takes no new calculus.

**The trick.** P depends on θ only through g. Let u = dP/dg, one number for each number of x, and
hold u fixed from then on. By the chain rule, and with J = da/dx,

    dP/dθ = u . dg/dθ = d<u, g>/dθ = d<J u, 1>/dθ

J u is how much the logits move when x moves along u: a directional derivative, a *forward* pass.
So the second order is the ordinary gradient, by θ, of a forward quantity.

**Two dense layers.** D(x) = w2 . f(x W1), h = x W1. When x moves along u, h moves by u W1 and f(h)
by f'(h) * (u W1), so B = <J u, 1> = w2 . (f'(h) * (u W1)). Where do the parameters stand in it?

* W1, once as the map that u goes through: dB/dW1 = u^T (w2 * f'(h)). That is the layer's own
  weight gradient x^T dh, with the tangent u where x was.
* w2: dB/dw2 = f'(h) * (u W1), in the same way.
* W1 once more, inside h, because f' depends on h: dB/dh = w2 * f''(h) * (u W1), and ordinary
  backprop takes it down from h. LeakyReLU is piecewise linear: f'' = 0, so this term is 0.

**The bilinear picture.** A linear layer y = x W paired with a gradient dy is the number
<x W, dy>: linear in x, in W, and in dy. First order asks for it at (x, dy), second order at
(u, dy): a tangent goes up where x went, and the same three formulas (`LinearMap`) answer.

         x ──W──> y              u ──W──> u W
              ·                       ·                  dW += x^T dy     first order
         dx <─W^T── dy           (dx) <─W^T── dy         dW += u^T dy     second order

Each layer's `double_backward` does its share of this, and `Sequential` takes the gradients of B
down. Two backprops at x + εu and x - εu look like a substitute, but fail in float32: at the kinks
of a LeakyReLU the relative error of their difference is 18 to 460 %.

**Where.** A penalty applies at certain points: WGAN-GP's between real and generated samples, R1's
at the real ones. `Regulariser` joins the two for a trainer.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .backend import Array, ops_of
from .backend.sums import centred, lengths
from .layers import BatchNorm, Layer
from .layers.base import expect_floats
from .layers.options import checked, size

THROUGH_BATCHNORM = (
    "gradient penalty through BatchNorm: D's slope at one sample depends on the others of its "
    "batch, which the penalty does not allow for; use LayerNorm or no normalisation"
)
Penalty: TypeAlias = Callable[[Array], tuple[Array, Array]]  # g -> (value, dvalue/dg)


def gradient_penalty(net: Layer, x: Any, penalty: Penalty) -> Array:
    """Return the value of a penalty on g = dD/dx, and add its gradient to ``net.grad``.

    Parameters
    ----------
    net : Layer
        A discriminator (N, ...) -> (N, 1); if there are more columns, the first is D. BatchNorm
        causes a warning: a logit then depends on the whole batch, and g_n is not the slope of D at
        x_n.
    x : array (N, ...), or a pair (x, labels)
        Where the slope is penalised. With labels, only the slope along x is.
    penalty : callable, g -> (value, dvalue/dg)
        Made by `wgan_gp`, `r1`, ...; g has a row for each logit.

    Returns
    -------
    value : scalar
    """
    if any(isinstance(layer, BatchNorm) for layer in net.sublayers().values()):
        warnings.warn(THROUGH_BATCHNORM, stacklevel=2)
    logits, cache = net.forward(x)
    da = ops_of(logits).xp.zeros_like(logits)
    da[:, 0] = 1
    g = net.backward(da, cache, into_params=False)  # (N, ...): g_n = d a_n/d x_n
    # A row for each logit: behind a `Pack`, one logit judges several samples together.
    value, u = penalty(g.reshape(len(logits), -1))
    net.double_backward(u.reshape(g.shape), da, cache)  # its results J u and dP/dx are not needed
    return value


def l2(net: Layer, weight: float) -> Array:
    """Return weight / 2 * sum of w^2 over the weights (not biases), and add its gradient.

    Parameters
    ----------
    net : Layer
    weight : float

    Returns
    -------
    value : scalar
    """
    value = 0.0
    for key, param in net.params().items():
        if key.rpartition(".")[2] == "w":
            value += weight / 2 * (param.value * param.value).sum()
            param.grad += weight * param.value
    return value


# ---- P(g) ------------------------------------------------------------------------------------


def wgan_gp(weight: float = 10.0, target: float = 1.0, one_sided: bool = False) -> Penalty:
    """weight * mean over n of (|g_n| - target)^2.  Gulrajani et al., 2017, equation 3.

    Its gradient is right for any |g_n| that the dtype holds; the value is infinite where the square
    of |g_n| is.

    Parameters
    ----------
    weight, target : float
    one_sided : bool
        Penalise only |g_n| > target: Petzka et al., 2018, equation 8.
    """
    weight, target = _number(wgan_gp, weight=weight), _number(wgan_gp, target=target)

    def penalty(g):
        expect_floats("wgan_gp", "gradient", g)
        xp = ops_of(g).xp
        # (N, D), (N,), (N,): g_n = scale_n * flat_n, so |g_n| is over all numbers of a sample.
        flat, norm, scale = lengths(ops_of(g), g.reshape(len(g), -1))
        over = norm * scale - target
        if one_sided:
            over = xp.maximum(over, 0)
        # d|g|/dg = g/|g|. At g = 0 the norm has no derivative; 0 is its shortest subgradient.
        slope = 2 * weight / len(g) * over / xp.where(norm > 0, norm, 1)
        return weight * (over**2).mean(), (flat * slope[:, None]).reshape(g.shape)

    return penalty


def r1(gamma: float = 10.0) -> Penalty:
    """gamma / 2 * mean over n of |g_n|^2, at real samples.  Mescheder et al., 2018, equation 9."""
    gamma = _number(r1, gamma=gamma)

    def penalty(g):
        expect_floats("r1", "gradient", g)
        return gamma / 2 * (g * g).sum() / len(g), gamma / len(g) * g

    return penalty


def r2(gamma: float = 10.0) -> Penalty:
    """gamma / 2 * mean over n of |g_n|^2, at generated samples.  Mescheder et al., equation 10."""
    return r1(gamma)


def dragan(weight: float = 10.0, target: float = 1.0) -> Penalty:
    """weight * mean of (|g_n| - target)^2, at points near real samples.  Kodali et al., 2017."""
    return wgan_gp(weight, target)


def _number(penalty, **option):
    """Return a penalty's option; raise ValueError unless it is finite and not negative."""
    return checked(lambda v: 0 <= v < np.inf, penalty, "a finite number >= 0", **option)


# ---- where -----------------------------------------------------------------------------------


def interpolate(real: Array, fake: Array, rng: np.random.Generator) -> Array:
    """Draw a point on the line from each real sample to a fake one, with one alpha per sample.

    Parameters
    ----------
    real, fake : array (N, ...)
    rng : np.random.Generator

    Returns
    -------
    array (N, ...)
        alpha * real + (1 - alpha) * fake, alpha ~ U(0, 1).  Gulrajani et al., algorithm 1.
    """
    expect_floats("interpolate", "samples", real, fake)
    shape = (len(real),) + (1,) * (real.ndim - 1)
    alpha = ops_of(real).host_array(lambda: rng.random(shape), shape, real.dtype)
    return alpha * real + (1 - alpha) * fake


def around(real: Array, rng: np.random.Generator, scale: float = 0.5) -> Array:
    """Draw a point near each sample: x + δ.  Kodali et al., 2017, section 2.3.

    Parameters
    ----------
    real : array (N, ...)
    rng : np.random.Generator
    scale : float
        δ ~ N(0, c^2 I), with c this multiple of the standard deviation of all numbers in the batch.
        The paper leaves c open; implementations take a half.

    Returns
    -------
    array (N, ...)
    """
    expect_floats("around", "samples", real)
    ops, shape = ops_of(real), real.shape
    noise = ops.host_array(lambda: rng.standard_normal(shape), shape, real.dtype)
    _, std = centred(ops, real, None, 0)
    return real + scale * std * noise


def _between(real, fake, rng):
    return [interpolate(real, fake, rng)]


# Each penalty with the points where it applies. "r1+r2" adds the values at both.
PENALTIES: dict[str, Any] = {
    "wgan-gp": (wgan_gp, _between),
    "wgan-lp": (partial(wgan_gp, one_sided=True), _between),
    "dragan": (dragan, lambda real, fake, rng: [around(real, rng)]),
    "r1": (r1, lambda real, fake, rng: [real]),
    "r2": (r2, lambda real, fake, rng: [fake]),
    "r1+r2": (r1, lambda real, fake, rng: [real, fake]),
}


class Regulariser:
    """A penalty on D's slope, with the points where it applies, as a trainer needs it.

    Parameters
    ----------
    name : str
        One of the keys of `PENALTIES`.
    weight : float, optional
        Its ``weight`` or ``gamma``; the paper's unless given.
    every : int
        Apply it only in every n-th step, n times as strong, where n is ``every``: "lazy"
        regularisation, Karras et al., 2020, section 3.1. (They also slow Adam down a little; this
        does not.)

    Raises
    ------
    ValueError
        An unknown name, or a weight or interval that is not positive.
    """

    def __init__(self, name: str, weight: float | None = None, every: int = 1):
        if name not in PENALTIES:
            raise ValueError(f"penalty: expected one of {', '.join(PENALTIES)}, got {name!r}")
        fits = lambda w: w is None or 0 < w < np.inf  # noqa: E731
        weight = checked(fits, self, "a penalty weight > 0", weight=weight)
        self.every = size(self, every=every)
        make, self.points = PENALTIES[name]
        self.penalty = make() if weight is None else make(weight)

    def __call__(self, net, real, fake, rng, step, labels=None):
        """Return the penalty's value, and add its gradient to ``net.grad``.

        Parameters
        ----------
        net : Layer
        real, fake : array (N, ...)
        rng : np.random.Generator
        step : int
            Counted from 0: the penalty applies in steps 0, every, 2 * every, ...
        labels : integer array (N,), optional
            Of both real and fake, for a net that takes pairs (x, labels).

        Returns
        -------
        value : scalar
        """
        if step % self.every:
            return 0.0

        def lazy(g):
            return [self.every * a for a in self.penalty(g)]

        pairs = (x if labels is None else (x, labels) for x in self.points(real, fake, rng))
        return sum(gradient_penalty(net, pair, lazy) for pair in pairs)
