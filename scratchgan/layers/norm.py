"""Normalisations: BatchNorm and LayerNorm, which differ only in the axes they average over.

Letters: m(.) is the mean over those axes, x̂ the normalised x, g = γ dy.

    forward           μ = m(x),  σ = sqrt(m((x - μ)^2) + ε),  x̂ = (x - μ) / σ,  y = γ x̂ + β
    tangent           P(t) = (t - m(t) - x̂ m(x̂ t)) / σ,       J t = γ P(t)
    backward          dx = P(g)                      because P is its own adjoint
    second order      B = <γ P(t), dy> = <P(t), g>,  and P moves with x through σ and x̂:
                      dB/dx = -((m(t' g') - 3 m(x̂ t) m(x̂ g)) x̂ + m(x̂ g) t' + m(x̂ t) g') / σ^2
                      with t' = t - m(t), g' = g - m(g)

To derive the last line, write one averaged group as vectors of length M:
B = M (m(t' g') - m(x̂ t) m(x̂ g)) / σ, with dσ = m(x̂ dx) and dx̂ = (dx - m(dx) - x̂ dσ) / σ.

The cache of both layers is x, μ, σ, and ``moving``: whether μ and σ depend on x, as they do in
training. `LayerNorm` moves x first, so that its μ is 0.
"""

import math

from ..backend import ops_of
from ..backend.sums import centred
from .base import Layer, Param
from .init import Shape, ones
from .options import checked, size, sizes


class _Normalisation(Layer):
    """Base class: γ and β have the shape of the trailing axes; a subclass defines the mean."""

    def __init__(self, shape, eps):
        self.eps = checked(lambda e: 0 < e < math.inf, self, "0 < eps < inf", eps=eps)
        self.gamma, self.beta = Param(shape=shape, init=ones), Param(shape=shape)

    def mean(self, a):
        """Compute the mean m(a), in a shape that broadcasts against a."""
        raise NotImplementedError

    def xhat(self, cache):
        """x̂ = (x - μ) / σ, where μ may be in float64: see ``batch_moments_``."""
        x, mean, sigma, _ = cache
        return (x - mean).astype(x.dtype, copy=False) / sigma

    def project(self, t, xhat, cache):
        """Compute P(t), the derivative of x̂ along t."""
        _, _, sigma, moving = cache
        if not moving:
            return t / sigma
        return (t - self.mean(t) - xhat * self.mean(xhat * t)) / sigma

    def backward(self, dy, cache, into_params=True):
        """dγ += sum of x̂ dy,  dβ += sum of dy,  dx = P(γ dy)."""
        xhat = self.xhat(cache)
        if into_params:
            self.gamma.grad += self._sum(xhat * dy)  # for in forward it was: y = γ x̂ + β
            self.beta.grad += self._sum(dy)
        return self.project(self.gamma.value * dy, xhat, cache)

    def double_backward(self, t, dy, cache):
        """B = <γ P(t), dy>; the formulas are at the top of the file."""
        _, _, sigma, moving = cache
        xhat = self.xhat(cache)
        pt = self.project(t, xhat, cache)
        self.gamma.grad += self._sum(pt * dy)
        if not moving:
            return self.gamma.value * pt, None
        g = self.gamma.value * dy
        t0, g0 = t - self.mean(t), g - self.mean(g)  # t' and g'
        xt, xg = self.mean(xhat * t), self.mean(xhat * g)
        along_x = (self.mean(t0 * g0) - 3 * xt * xg) * xhat
        return self.gamma.value * pt, -(along_x + xg * t0 + xt * g0) / sigma**2

    def _sum(self, a):
        """Sum over the leading axes, along which γ and β are broadcast."""
        return ops_of(a).sum_rows(a.reshape(-1, self.gamma.size)).reshape(self.gamma.shape)


class BatchNorm(_Normalisation):
    """Normalise each channel over the batch and over all pixels: Ioffe and Szegedy, 2015.

    In training, mean and variance are those of the batch, and their running averages are updated:
    ``running = decay * running + (1 - decay) * batch`` (this variance has M - 1 in its denominator,
    as in algorithm 2 of the paper). Evaluation uses the running averages.

    Parameters
    ----------
    channels : int
        Length of the last axis.
    eps : float
    decay : float in [0, 1]
        The share of the running averages that is kept.
    """

    buffers = ("running_mean", "running_var")
    running_mean = running_var = None

    def __init__(self, channels: int, *, eps: float = 1e-5, decay: float = 0.9):
        super().__init__((size(self, channels=channels),), eps)
        self.decay = checked(lambda d: 0 <= d <= 1, self, "0 <= decay <= 1", decay=decay)

    def reset(self, rng, ops, dtype):
        """Start with mean 0 and variance 1."""
        self.running_mean = ops.xp.zeros(self.gamma.shape, dtype)
        self.running_var = ops.xp.ones(self.gamma.shape, dtype)

    def mean(self, a):
        """Average over all axes but the channels: (..., C) -> (C,)."""
        C = a.shape[-1]
        return ops_of(a).sum_rows(a.reshape(-1, C)) / (a.size // C)

    def forward(self, x, train=True):
        """y = γ x̂ + β:  (N, C) or (N, H, W, C) -> the same shape."""
        self.expect_last(x, *self.gamma.shape)
        ops = ops_of(x)
        if train:
            if x.size < 2 * self.gamma.size:
                self.refuse("at least two values per channel", f"input of shape {x.shape}")
            running = self.running_mean, self.running_var
            mean, sigma = ops.batch_moments_(*running, x, self.decay, self.eps)  # (C,) each
        else:  # copies, for the cache: training will change the originals
            mean, sigma = self.running_mean.copy(), ops.xp.sqrt(self.running_var + self.eps)
        y = ops.batch_norm(x, mean, sigma, self.gamma.value, self.beta.value)  # γ x̂ + β
        return y, (x, mean, sigma, train)

    def backward(self, dy, cache, into_params=True):
        """dγ += q,  dβ += s,  dx = γ (dy - s / M - x̂ q / M) / σ, with s = sum dy, q = sum x̂ dy.

        M is the number of values of a channel. This is P(γ dy) = γ P(dy), because γ is constant
        over the axes of the mean.
        """
        x, mean, sigma, moving = cache
        ops, gamma = ops_of(dy), self.gamma.value
        into = (self.gamma.grad, self.beta.grad) if into_params else (None, None)
        s, q = ops.batch_norm_sums_(*into, dy, x, mean, sigma)  # (C,) each
        if not moving:
            return gamma / sigma * dy
        return ops.batch_norm_grad(dy, x, mean, sigma, gamma, s, q)

    def __repr__(self):
        return f"{type(self).__name__}({self.gamma.shape[0]})"


class LayerNorm(_Normalisation):
    """Normalise each sample over its trailing axes: Ba, Kiros and Hinton, 2016.

    Parameters
    ----------
    shape : int or tuple of int
        The trailing axes, such as C or (H, W, C); γ and β have this shape.
    eps : float
    """

    def __init__(self, shape: int | Shape, *, eps: float = 1e-5):
        axes = sizes(self, shape=shape)
        checked(lambda _: axes, self, "at least one axis", shape=shape)
        super().__init__(axes, eps)
        self.axes = tuple(range(-len(self.gamma.shape), 0))

    def mean(self, a):
        """Average over the trailing axes: (N, ..., *shape) -> (N, ..., 1, ...)."""
        return a.mean(self.axes, keepdims=True)

    def forward(self, x, train=True):
        """y = γ x̂ + β:  (N, ..., *shape) -> the same shape."""
        self.expect_last(x, *self.gamma.shape)
        x, sigma = centred(ops_of(x), x, self.axes, self.eps)
        cache = x, 0, sigma, True
        return self.gamma.value * self.xhat(cache) + self.beta.value, cache

    def __repr__(self):
        return f"{type(self).__name__}({self.gamma.shape})"
