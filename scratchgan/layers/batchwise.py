"""Layers that show a discriminator several samples at once.

A generator that makes one good picture over and over is found out that way; a discriminator that
sees one sample at a time cannot notice it.

Letters of `MinibatchStd`: N samples of F numbers each (F = C, or H W C); m(.) the mean over the
batch, μ = m(x), σ = sqrt(m((x - μ)^2) + ε), x̂ = (x - μ) / σ, each (F,), as in ``norm.py``; k =
1 / (N F); τ the derivative of s along t.

    forward         s = sum of σ / F, one number;  y = x with s beside it, in one more channel
    backward        dσ/dx = x̂ / N in each column, so ds/dx = k x̂. Let dy = (dy_x, dy_s) and
                    d = sum of dy_s, because the new channel holds the same s everywhere. Then
                    dx = dy_x + d k x̂
    tangent         J t = t with τ beside it,  τ = sum of k x̂ t
    second order    B = <t, dy_x> + d τ, where only x̂ in τ depends on x. Its derivative along t is
                    P(t) = (t - m(t) - x̂ m(x̂ t)) / σ, which is its own adjoint (``norm.py``):
                    dB/dx = d k P(t)
"""

import math

from ..backend import ops_of
from ..backend.sums import centred
from .base import Layer, LinearMap
from .options import checked, size


class Pack(LinearMap):
    """(N, ..., C) -> (N/m, ..., m C): m samples side by side in the channels, judged as one.

    As the first layer of a discriminator, it turns any GAN into a PacGAN: Lin et al., "PacGAN: the
    power of two samples in generative adversarial networks", 2018. D has N/m logits then.

    Parameters
    ----------
    m : int
        Samples in a pack; neighbours in the batch. N must be a multiple of it.
    """

    shown = ("m",)

    def __init__(self, m: int):
        self.m = size(self, m=m)

    def apply(self, x):
        """Move the samples of a pack next to the channels, and join both axes."""
        self.expect_last(x, "C")
        N, *middle, C = x.shape
        if N % self.m:
            self.refuse(f"a multiple of {self.m} samples", f"input of shape {x.shape}")
        x = x.reshape(N // self.m, self.m, *middle, C)
        x = ops_of(x).xp.moveaxis(x, 1, -2)  # (N/m, ..., m, C)
        return x.reshape(N // self.m, *middle, self.m * C)

    def adjoint(self, dy, in_shape=None):
        """Take the packs apart: each number goes back to where it came from."""
        packs, *middle, channels = dy.shape
        dy = dy.reshape(packs, *middle, self.m, channels // self.m)
        dy = ops_of(dy).xp.moveaxis(dy, -2, 1)  # (N/m, m, ..., C)
        return dy.reshape(packs * self.m, *middle, channels // self.m)


class MinibatchStd(Layer):
    """Add one channel that says how much the samples of the batch differ.

    It holds the standard deviation over the batch, averaged over all numbers of a sample: Karras et
    al., "Progressive growing of GANs", 2018, section 3. Put it near the end of a discriminator. Do
    not combine it with a penalty on the slope at single samples: a logit depends on the whole
    batch. Evaluation does the same as training, because there are no running statistics.

    Parameters
    ----------
    eps : float
        Added to the variance: the square root has no derivative at 0.
    """

    def __init__(self, *, eps: float = 1e-8):
        self.eps = checked(lambda e: 0 < e < math.inf, self, "0 < eps < inf", eps=eps)

    def forward(self, x, train=True):
        """(N, C) or (N, H, W, C) -> one channel more; the cache is x̂ and σ."""
        self.expect_last(x, "C")
        if not len(x):
            self.refuse("at least one sample", f"input of shape {x.shape}")
        apart, sigma = centred(ops_of(x), x, 0, self.eps)  # σ (1, C) or (1, H, W, C)
        return _beside(x, sigma.mean()), (apart / sigma, sigma)

    def backward(self, dy, cache, into_params=True):
        """dx = dy_x + d k x̂, with d the sum of dy over the new channel."""
        xhat, _ = cache
        return dy[..., :-1] + dy[..., -1].sum() / xhat.size * xhat

    def double_backward(self, t, dy, cache):
        """J t = (t, τ) and dB/dx = d k P(t); the formulas are at the top of the file."""
        xhat, sigma = cache
        xt = xhat * t
        projected = (t - t.mean(0) - xhat * xt.mean(0)) / sigma
        return _beside(t, xt.sum() / t.size), dy[..., -1].sum() / t.size * projected

    def __repr__(self):
        return f"{type(self).__name__}(eps={self.eps})"


def _beside(x, number):
    """(..., C) -> (..., C + 1), the last channel filled with a number."""
    xp = ops_of(x).xp
    filled = xp.broadcast_to(number, (*x.shape[:-1], 1)).astype(x.dtype)
    return xp.concatenate([x, filled], -1)
