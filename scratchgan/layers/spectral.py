"""Spectral normalisation: weights divided by their largest singular value.

Miyato et al., "Spectral normalization for generative adversarial networks", 2018. Such a weight
matrix makes no vector longer. So a discriminator of such dense layers, with LeakyReLUs between
them, has a slope of about 1 at most, everywhere. (In a convolution, W multiplies single patches.
A pixel lies in many patches, so the slope can be larger.)

Letters: W the weights as a matrix of R rows and C columns, where C is their last axis (dense
(I, O); convolution (KH KW C, O)); s its largest singular value; u (R,) and v (C,) the singular
vectors that belong to s.

    forward         s = u^T W v,  Ŵ = W / s,  y = A(Ŵ) x + b                    (equation 8)
    power iteration v <- W^T u / |W^T u|,  u <- W v / |W v|                     (algorithm 1)

One iteration after each update of W is enough, because W has hardly changed since the last. Between
updates u and v stay as they are. So forward is a function of x and W alone, and its gradient is
exact, even while u and v are still far from the true singular vectors. With u and v fixed, s is
linear in W, ds = u^T dW v = <u v^T, dW>, and the quotient rule gives

    dŴ = dW / s - W ds / s^2 = (dW - Ŵ <u v^T, dW>) / s

for a small change dW. Let G = dS/dŴ: the weight gradient of the layer inside. Then S changes by
<G, dŴ>, and the factor that multiplies dW in it is the gradient:

    dS/dW = (G - <G, Ŵ> u v^T) / s                                              (equation 9)

The second order needs nothing new: B = <A(Ŵ) t, dy> depends on W through Ŵ alone, too.
"""

from ..backend import ops_of
from ..backend.sums import lengths
from .base import Layer, LinearMap, Param, skips_dx

START = 15  # power iterations from random vectors, when the weights are drawn


class SpectralNorm(Layer):
    """y = A(W / s) x + b, with s the largest singular value of W.

    The optimiser's `step` keeps s up to date. If you write into W by hand, call `after_update` a
    few times. Weights that are all zero have no singular vector: they are divided by 1, and u and v
    stay as they are.

    Parameters
    ----------
    layer : LinearMap
        With weights: `Dense`, `Conv2D` or `ConvTranspose2D`. Its W and b are learned, under the
        keys ``"layer.w"`` and ``"layer.b"``.

    Raises
    ------
    TypeError
        The layer is no LinearMap, or has no weights.
    """

    buffers = ("u", "v")
    u = v = None
    shown = ("layer",)

    def __init__(self, layer: LinearMap):
        if not (isinstance(layer, LinearMap) and layer.w is not None):
            raise TypeError(f"SpectralNorm: expected a Dense or a convolution, got {layer!r}")
        self.layer = layer

    def matrix(self):
        """Return W, the weights with their last axis as columns: (R, C)."""
        w = self.layer.w.value
        return w.reshape(-1, w.shape[-1])

    def reset(self, rng, ops, dtype):
        """Start from random unit vectors, and iterate until they are near the singular vectors."""
        self.u, self.v = (ops.asarray(rng.standard_normal(n), dtype) for n in self.matrix().shape)
        for a in (self.u, self.v):
            a /= ops.xp.sqrt((a * a).sum())
        for _ in range(START):
            self.after_update()

    def after_update(self):
        """Make one power iteration: v <- W^T u / |W^T u|, then u <- W v / |W v|."""
        W = self.matrix()
        ops, xp = ops_of(W), ops_of(W).xp
        for matrix, source, target in ((W.T, self.u, self.v), (W, self.v, self.u)):
            a = ops.matmul(matrix, source[:, None])[:, 0]
            (a,), (length,), _ = lengths(ops, a[None])
            # A zero vector has no direction: then the old vector is kept.
            target[...] = xp.where(length > 0, a / xp.where(length > 0, length, 1), target)

    def forward(self, x, train=True):
        """y = A(Ŵ) x + b; the cache is x, the layer with weights Ŵ, s, u and v."""
        if self.u is None:
            self.initialized()  # raises, and says what to do
        W, u, v = self.matrix(), self.u.copy(), self.v.copy()  # the next update changes them
        s = (u * ops_of(W).matmul(W, v[:, None])[:, 0]).sum()
        s = ops_of(W).xp.where(s != 0, s, 1)
        inner = object.__new__(type(self.layer))  # unlike copy.copy, it does not walk the tree
        vars(inner).update(vars(self.layer), w=Param(shape=self.layer.w.shape))
        inner.w.value = (W / s).reshape(inner.w.shape)  # Ŵ
        y, _ = inner.forward(x, train)
        return y, (x, inner, s, u, v)

    @skips_dx
    def backward(self, dy, cache, into_params=True):
        """dx = A(Ŵ)^T dy,  dW += (G - <G, Ŵ> u v^T) / s with G = dS/dŴ,  db += sum of dy."""
        x, inner, *_ = cache
        if into_params:
            self.add_to_w(inner.weight_grad(x, dy), cache)
        if into_params and self.layer.b is not None:
            ops_of(dy).add_rows_(self.layer.b.grad, dy.reshape(-1, dy.shape[-1]))
        return None if into_params == "only" else inner.adjoint(dy, x.shape)

    def double_backward(self, t, dy, cache):
        """B = <A(Ŵ) t, dy>: dB/dŴ is weight_grad(t, dy), and reaches W as G does."""
        inner = cache[1]
        self.add_to_w(inner.weight_grad(t, dy), cache)
        return inner.apply(t), None

    def add_to_w(self, G, cache):
        """dW += (G - <G, Ŵ> u v^T) / s, for in forward it was: Ŵ = W / s, s = u^T W v."""
        _, inner, s, u, v = cache
        along = (G * inner.w.value).sum()
        uv = (u[:, None] * v).reshape(G.shape)  # (R, C), in the shape of the weights
        self.layer.w.grad += (G - along * uv) / s
