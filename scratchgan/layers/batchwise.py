"""Layers that show a discriminator several samples at once.

A generator that makes one good picture over and over is found out that way, which sample by sample
it is not.

Letters of `MinibatchStd`: N samples of F numbers each (F = C, or H W C); m(.) the mean over the
batch, μ = m(x), σ = sqrt(m((x - μ)^2) + ε), x̂ = (x - μ) / σ, each (F,), as in ``norm.py``; k =
1 / (N F); τ the derivative of s along t.

    forward         s = sum of σ / F, one number;  y = x with s beside it, in one channel more
    backward        dσ/dx = x̂ / N in each column, so ds/dx = k x̂. With dy = (dy_x, dy_s) and
                    d = sum of dy_s, for all places of the new channel hold the same s:
                    dx = dy_x + d k x̂
    tangent         J t = t with τ beside it,  τ = sum of k x̂ t
    second order    B = <t, dy_x> + d τ, and of this only x̂ depends on x. Its derivative along t is
                    P(t) = (t - m(t) - x̂ m(x̂ t)) / σ, which is its own adjoint (``norm.py``):
                    dB/dx = d k P(t)
"""

from ..backend import ops_of
from .base import Layer, LinearMap, ShapeError

__all__ = ["MinibatchStd", "Pack"]


class Pack(LinearMap):
    """(N, ..., C) -> (N/m, ..., m C): m samples side by side in the channels, judged as one.

    Put first in a discriminator it makes a PacGAN of any GAN: Lin et al., "PacGAN: the power of
    two samples in generative adversarial networks", 2018. There are N/m logits then.

    Parameters
    ----------
    m : int
        Samples in a pack; neighbours in the batch. N must be a multiple of it.
    """

    def __init__(self, m):
        if not (isinstance(m, int) and m >= 1):
            raise ValueError(f"Pack(m={m!r}) given, an int >= 1 wanted")
        self.m = m

    def apply(self, x):
        """Bring the samples of a pack next to the channels, and join both axes."""
        self.expect(x, *("N", "H", "W")[: max(x.ndim - 1, 1)], "C")
        N, *middle, C = x.shape
        if N % self.m:
            raise ShapeError(
                f"{self}: input of shape {x.shape} given, a multiple of {self.m} samples wanted"
            )
        x = x.reshape(N // self.m, self.m, *middle, C)
        x = ops_of(x).xp.moveaxis(x, 1, -2)  # (N/m, ..., m, C)
        return x.reshape(N // self.m, *middle, self.m * C)

    def adjoint(self, dy, in_shape=None):
        """Take the packs apart: each number goes back to where it came from."""
        packs, *middle, channels = dy.shape
        dy = dy.reshape(packs, *middle, self.m, channels // self.m)
        dy = ops_of(dy).xp.moveaxis(dy, -2, 1)  # (N/m, m, ..., C)
        return dy.reshape(packs * self.m, *middle, channels // self.m)

    def __repr__(self):
        return f"Pack({self.m})"


class MinibatchStd(Layer):
    """One channel more, which says how much the samples of the batch differ.

    It holds the standard deviation over the batch, averaged over all numbers of a sample: Karras et
    al., "Progressive growing of GANs", 2018, section 3. It belongs near the end of a discriminator,
    and not beside a penalty on single samples' slopes: a logit depends on the whole batch. In
    evaluation it does the same, having no running statistics.

    Parameters
    ----------
    eps : float
        Added to the variance, which has no slope at 0 otherwise.
    """

    def __init__(self, *, eps=1e-8):
        if not eps > 0:
            raise ValueError(f"MinibatchStd(eps={eps!r}) given, eps > 0 wanted")
        self.eps = eps

    def forward(self, x, train=True):
        """(N, C) or (N, H, W, C) -> one channel more; the cache is x̂ and σ."""
        self.expect(x, *("N", "H", "W")[: max(x.ndim - 1, 1)], "C")
        if not len(x):
            raise ShapeError(f"{self}: input of shape {x.shape} given, a sample or more wanted")
        xp = ops_of(x).xp
        centred = x - x.mean(0)
        sigma = xp.sqrt((centred * centred).mean(0) + self.eps)  # (C,) or (H, W, C)
        return _beside(x, sigma.mean()), (centred / sigma, sigma)

    def backward(self, dy, cache, into_params=True):
        """dx = dy_x + d k x̂, with d the sum of dy over the new channel."""
        xhat, _ = cache
        return dy[..., :-1] + dy[..., -1].sum() / xhat.size * xhat

    def double_backward(self, t, dy, cache):
        """J t = (t, τ) and dB/dx = d k P(t): see the top of the file."""
        xhat, sigma = cache
        xt = xhat * t
        projected = (t - t.mean(0) - xhat * xt.mean(0)) / sigma
        return _beside(t, xt.sum() / t.size), dy[..., -1].sum() / t.size * projected

    def __repr__(self):
        return f"MinibatchStd(eps={self.eps})"


def _beside(x, number):
    """(..., C) -> (..., C + 1), the last channel filled with a number."""
    xp = ops_of(x).xp
    filled = xp.broadcast_to(number, (*x.shape[:-1], 1)).astype(x.dtype)
    return xp.concatenate([x, filled], -1)
