"""Penalties on the weights, and on the slope of a discriminator, with their exact gradient.

Let a = D(x) be the logits of a batch, g = da/dx (one gradient g_n for each sample), and P(g) a
penalty. Training needs dP/dθ, the derivative of a derivative. It takes no new calculus.

**The trick.** P depends on θ only through g. Put u = dP/dg, one number for each number of x, and
from then on hold it fixed. By the chain rule, and with J = da/dx,

    dP/dθ = u . dg/dθ = d<u, g>/dθ = d<J u, 1>/dθ

J u is how much the logits move when x moves along u: a directional derivative, a *forward* pass.
So the second order is the ordinary gradient, by θ, of a forward quantity.

**Two dense layers.** D(x) = w2 . f(x W1), h = x W1. Moving x along u moves h by u W1, and f(h)
by f'(h) * (u W1), so B = <J u, 1> = w2 . (f'(h) * (u W1)). What is in it?

* W1, once as the map that u goes through: dB/dW1 = u^T (w2 * f'(h)). That is the layer's own
  weight gradient x^T dh, with the tangent u where x was.
* w2: dB/dw2 = f'(h) * (u W1), the same again.
* W1 once more, inside h, for f' bends: dB/dh = w2 * f''(h) * (u W1), and from h on ordinary
  backprop takes it down. LeakyReLU is made of straight lines: f'' = 0, and nothing comes down.

**The bilinear picture.** A linear layer y = x W paired with a gradient dy is the number
<x W, dy>: linear in x, in W, and in dy. First order asks for it at (x, dy), second order at
(u, dy): a tangent goes up where x went, and the same three formulas (`LinearMap`) answer.

         x ──W──> y              u ──W──> u W
              ·                       ·                  dW += x^T dy     first order
         dx <─W^T── dy           (dx) <─W^T── dy         dW += u^T dy     second order

Each layer's `double_backward` does its share of this, and `Sequential` sends what bends down.
Two backprops at x + εu and x - εu would seem to do: in float32, at the kinks of a LeakyReLU, their
difference is off by 18 to 460 %.

**Where.** A penalty is for certain points: WGAN-GP's between real and generated samples, R1's at
the real ones. `Regulariser` ties the two together for a trainer.
"""

import warnings

from .backend import ops_of
from .layers import BatchNorm

__all__ = [
    "PENALTIES", "Regulariser", "around", "dragan", "gradient_penalty", "interpolate", "l2", "r1",
    "r2", "wgan_gp",
]  # fmt: skip


def gradient_penalty(net, x, penalty):
    """The value of a penalty on dD/dx; its gradient is added to ``net.grad``.

    Parameters
    ----------
    net : Layer
        A discriminator (N, ...) -> (N, 1); of more columns, the first is D. With BatchNorm there is
        a warning: then a logit depends on the whole batch, and g_n is not the slope of D at x_n.
    x : array (N, ...), or a pair (x, labels)
        Where the slope is penalised; that along x, where there are labels.
    penalty : callable, g -> (value, dvalue/dg)
        Made by `wgan_gp`, `r1`, ...; g has a row for each logit.

    Returns
    -------
    value : scalar
    """
    if any(isinstance(layer, BatchNorm) for layer in net.sublayers().values()):
        warnings.warn(
            "gradient penalty through BatchNorm: D's slope at one sample then depends on the "
            "others of its batch, which is not what is to be penalised; take LayerNorm or none",
            stacklevel=2,
        )
    logits, cache = net.forward(x)
    da = ops_of(logits).xp.zeros_like(logits)
    da[:, 0] = 1
    g = net.backward(da, cache, into_params=False)  # (N, ...): g_n = d a_n/d x_n
    # A row for each logit: of a `Pack`, the samples that are judged together.
    value, u = penalty(g.reshape(len(logits), -1))
    u = u.reshape(g.shape)
    _, bend = net.double_backward(u, da, cache)
    del bend  # dP/dx: nobody asks where the samples should go
    return value


def l2(net, weight):
    """weight / 2 * sum of w^2 over a network's weights (not biases); the gradient is added.

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


def wgan_gp(weight=10.0, target=1.0, one_sided=False):
    """weight * mean over n of (|g_n| - target)^2.  Gulrajani et al., 2017, equation 3.

    Parameters
    ----------
    weight, target : float
    one_sided : bool
        Penalise only |g_n| > target: Petzka et al., 2018, equation 8.
    """

    def penalty(g):
        xp = ops_of(g).xp
        flat = g.reshape(len(g), -1)
        norm = xp.sqrt((flat * flat).sum(1))  # (N,): over all numbers of a sample
        over = norm - target
        if one_sided:
            over = xp.maximum(over, 0)
        # d|g|/dg = g/|g|; at g = 0, where the norm has no slope, 0 is the one of least length.
        scale = 2 * weight / len(g) * over / xp.where(norm > 0, norm, 1)
        return weight * (over**2).mean(), (flat * scale[:, None]).reshape(g.shape)

    return penalty


def r1(gamma=10.0):
    """gamma / 2 * mean over n of |g_n|^2, at real samples.  Mescheder et al., 2018, equation 9."""

    def penalty(g):
        return gamma / 2 * (g * g).sum() / len(g), gamma / len(g) * g

    return penalty


def r2(gamma=10.0):
    """The formula of `r1`, at generated samples.  Mescheder et al., 2018, equation 10."""
    return r1(gamma)


def dragan(weight=10.0, target=1.0):
    """The formula of `wgan_gp`, at noise around real samples.  Kodali et al., 2017, equation 5."""
    return wgan_gp(weight, target)


# ---- where -----------------------------------------------------------------------------------


def interpolate(real, fake, rng):
    """A random point on the line from each real sample to a fake one: one alpha a sample.

    Parameters
    ----------
    real, fake : array (N, ...)
    rng : np.random.Generator

    Returns
    -------
    array (N, ...)
        alpha * real + (1 - alpha) * fake, alpha ~ U(0, 1).  Gulrajani et al., algorithm 1.
    """
    shape = (len(real),) + (1,) * (real.ndim - 1)
    alpha = ops_of(real).host_array(lambda: rng.random(shape), shape, real.dtype)
    return alpha * real + (1 - alpha) * fake


def around(real, rng, scale=0.5):
    """A random point near each sample: x + δ.  Kodali et al., 2017, section 2.3.

    Parameters
    ----------
    real : array (N, ...)
    rng : np.random.Generator
    scale : float
        δ ~ N(0, c^2 I), with c this many standard deviations of all numbers of the batch: the
        paper leaves c open, and a half is what implementations take.

    Returns
    -------
    array (N, ...)
    """
    shape = real.shape
    noise = ops_of(real).host_array(lambda: rng.standard_normal(shape), shape, real.dtype)
    return real + scale * real.std() * noise


# Each with the points it is for, from real and generated samples. "r1+r2" adds both values.
PENALTIES = {
    "wgan-gp": (wgan_gp, lambda real, fake, rng: [interpolate(real, fake, rng)]),
    "wgan-lp": (
        lambda weight=10.0: wgan_gp(weight, one_sided=True),
        lambda real, fake, rng: [interpolate(real, fake, rng)],
    ),
    "dragan": (dragan, lambda real, fake, rng: [around(real, rng)]),
    "r1": (r1, lambda real, fake, rng: [real]),
    "r2": (r2, lambda real, fake, rng: [fake]),
    "r1+r2": (r1, lambda real, fake, rng: [real, fake]),
}


class Regulariser:
    """A penalty on D's slope together with the points it is for, as a trainer needs it.

    Parameters
    ----------
    name : str
        One of the keys of `PENALTIES`.
    weight : float, optional
        Its ``weight`` or ``gamma``, where it is not to be the paper's.
    every : int
        Only at every so-many-th step, and then so many times stronger: "lazy" regularisation,
        Karras et al., 2020, section 3.1. (They slow Adam down a little, too; this does not.)
    """

    def __init__(self, name, weight=None, every=1):
        if name not in PENALTIES:
            raise ValueError(f"penalty {name!r} given, one of {', '.join(PENALTIES)} wanted")
        if weight is not None and not weight > 0:
            raise ValueError(f"penalty weight {weight!r} given, a number above 0 wanted")
        if every < 1:
            raise ValueError(f"a penalty every {every!r} steps given, 1 or more wanted")
        make, self.points = PENALTIES[name]
        self.penalty = make() if weight is None else make(weight)
        self.every = every

    def __call__(self, net, real, fake, rng, step, with_labels=lambda x: x):
        """The value, for the gradient that was added to ``net.grad``.

        Parameters
        ----------
        net : Layer
        real, fake : array (N, ...)
        rng : np.random.Generator
        step : int
            Counted from 0: the penalty is due in steps 0, every, 2 * every, ...
        with_labels : callable, array -> input of a conditional net

        Returns
        -------
        value : scalar
        """
        if step % self.every:
            return 0.0

        def lazy(g):
            value, u = self.penalty(g)
            return self.every * value, self.every * u

        points = self.points(real, fake, rng)
        return sum(gradient_penalty(net, with_labels(x), lazy) for x in points)
