"""Spectral normalisation: weights whose matrix lengthens no vector.

Miyato et al., "Spectral normalization for generative adversarial networks", 2018. A discriminator
of such dense layers, with LeakyReLUs between them, has a slope of about 1 at most, everywhere.
(Of a convolution, W is what one patch is multiplied by; a pixel in many patches can weigh more.)

Letters: W the weights as a matrix of R rows, the last axis being its C columns (dense (I, O);
convolution (KH KW C, O)); u (R,) and v (C,) the singular vectors that belong to the largest
singular value s.

    forward         s = u^T W v,  Ŵ = W / s,  y = A(Ŵ) x + b                    (equation 8)
    power iteration v <- W^T u / |W^T u|,  u <- W v / |W v|                     (algorithm 1)

One such iteration after each update of W is enough, for W has hardly turned since the last one.
Between updates u and v stay as they are, so that forward is a function of x and W alone, and its
gradient is exact, however far u and v still are from the true singular vectors: s is linear in W
then, ds = u^T dW v = <u v^T, dW>, and the quotient rule gives

    dŴ = dW / s - W ds / s^2 = (dW - Ŵ <u v^T, dW>) / s

for a small change dW. Let G = dS/dŴ, which is the weight gradient of the layer inside, and S
change by <G, dŴ>. All that stands beside dW there is the gradient:

    dS/dW = (G - <G, Ŵ> u v^T) / s                                              (equation 9)

The second order needs nothing new: B = <A(Ŵ) t, dy> depends on W through Ŵ alone, too.
"""

import copy

from ..backend import ops_of
from .base import Layer, LinearMap, Param

__all__ = ["SpectralNorm"]

START = 15  # iterations from random vectors, when the weights are drawn


class SpectralNorm(Layer):
    """y = A(W / s) x + b, with s the largest singular value of W.

    The optimiser's `step` keeps s up to date; after writing into W by hand call `after_update`,
    a few times. An all-zero W has no direction: it is divided by 1, and u and v stay as they are.

    Parameters
    ----------
    layer : LinearMap
        With weights: `Dense`, `Conv2D` or `ConvTranspose2D`. Its W and b are the ones learned,
        under the keys ``"layer.w"`` and ``"layer.b"``.

    Raises
    ------
    TypeError
        The layer is no LinearMap, or has no weights.
    """

    buffers = ("u", "v")
    u = v = None

    def __init__(self, layer):
        if not (isinstance(layer, LinearMap) and layer.w is not None):
            raise TypeError(f"SpectralNorm({layer!r}) given, a Dense or a convolution wanted")
        self.layer = layer

    def matrix(self):
        """W, the weights with their last axis as columns: (R, C)."""
        w = self.layer.w.value
        return w.reshape(-1, w.shape[-1])

    def reset(self, rng, ops, dtype):
        """Random directions first, then as many iterations as bring them near."""
        self.u, self.v = (ops.asarray(rng.standard_normal(n), dtype) for n in self.matrix().shape)
        for a in (self.u, self.v):
            a /= ops.xp.sqrt((a * a).sum())
        for _ in range(START):
            self.after_update()

    def after_update(self):
        """One power iteration: v <- W^T u / |W^T u|, then u <- W v / |W v|."""
        W = self.matrix()
        _turn(self.v, _times(W.T, self.u))
        _turn(self.u, _times(W, self.v))

    def forward(self, x, train=True):
        """y = A(Ŵ) x + b; the cache is x, the layer with Ŵ for weights, s, u and v."""
        if self.u is None:
            self.initialized()  # says what to do
        W, u, v = self.matrix(), self.u.copy(), self.v.copy()  # the next update changes them
        s = (u * _times(W, v)).sum()
        s = ops_of(W).xp.where(s != 0, s, 1)
        inner = copy.copy(self.layer)
        inner.w = Param(shape=self.layer.w.shape)
        inner.w.value = (W / s).reshape(inner.w.shape)  # Ŵ
        y, _ = inner.forward(x, train)
        return y, (x, inner, s, u, v)

    def backward(self, dy, cache, into_params=True):
        """dx = A(Ŵ)^T dy,  dW += (G - <G, Ŵ> u v^T) / s with G = dS/dŴ,  db += sum of dy."""
        x, inner, *_ = cache
        if into_params:
            self.add_to_w(inner.weight_grad(x, dy), cache)
        if into_params and self.layer.b is not None:
            ops_of(dy).add_rows_(self.layer.b.grad, dy.reshape(-1, dy.shape[-1]))
        return None if into_params == "only" else inner.adjoint(dy, x.shape)

    def double_backward(self, t, dy, cache):
        """B = <A(Ŵ) t, dy>: dB/dŴ is weight_grad(t, dy), and goes on to W as G does."""
        inner = cache[1]
        self.add_to_w(inner.weight_grad(t, dy), cache)
        return inner.apply(t), None

    def add_to_w(self, G, cache):
        """dW += (G - <G, Ŵ> u v^T) / s, for it was: Ŵ = W / s, s = u^T W v."""
        _, inner, s, u, v = cache
        along = (G * inner.w.value).sum()
        uv = (u[:, None] * v).reshape(G.shape)  # (R, C), in the shape of the weights
        self.layer.w.grad += (G - along * uv) / s

    def __repr__(self):
        return f"SpectralNorm({self.layer})"


def _times(W, a):
    """W a, of a matrix and a vector."""
    return ops_of(W).matmul(W, a[:, None])[:, 0]


def _turn(a, towards):
    """Make a the unit vector in this direction; a vector of zeros has none, and a stays."""
    xp = ops_of(a).xp
    length = xp.sqrt((towards * towards).sum())
    a[...] = xp.where(length > 0, towards / xp.where(length > 0, length, 1), a)
