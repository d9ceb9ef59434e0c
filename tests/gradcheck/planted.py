"""Wrong layers: each is a right one with exactly one mistake, of a kind people really make.

`PLANTED` lists them, with the rows that must fail. Compare a class with its base class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scratchgan import (
    BatchNorm,
    ConcatLabels,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Pack,
    Projection,
    ReLU,
    Residual,
    Sequential,
    Softplus,
    SpectralNorm,
    Tanh,
    UpSample2D,
)
from scratchgan.catalogue import Labelled
from scratchgan.layers.base import skips_dx

# ---- wrong first derivatives -----------------------------------------------------------------


class SignOfDx(Dense):
    def adjoint(self, dy, in_shape=None):
        return -(dy @ self.w.value.T)


class SignOfBias(Dense):
    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad += self.weight_grad(cache, dy)
            self.b.grad -= dy.sum(0)
        return self.adjoint(dy)


class NoTranspose(Dense):
    def adjoint(self, dy, in_shape=None):
        return dy @ self.w.value


class TransposedWeightGrad(Dense):
    def weight_grad(self, x, dy):
        return dy.T @ x


class DividedByN(Dense):
    def weight_grad(self, x, dy):
        return x.T @ dy / len(x)


class Doubled(Dense):
    def weight_grad(self, x, dy):
        return 2 * (x.T @ dy)


class BiasOverWrongAxis(Dense):
    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad += self.weight_grad(cache, dy)
            self.b.grad += dy.sum(1)
        return self.adjoint(dy)


class WrongShapeOfDx(Conv2D):
    def adjoint(self, dy, in_shape=None):
        return super().adjoint(dy)  # the smallest size, not that of x


class Square(Layer):
    """A right layer: y = x^2."""

    def forward(self, x, train=True):
        return x * x, x

    def backward(self, dy, cache, into_params=True):
        return 2 * cache * dy

    def double_backward(self, t, dy, cache):
        return 2 * cache * t, 2 * t * dy


class SquareWithoutTwo(Square):
    def backward(self, dy, cache, into_params=True):
        return cache * dy


class UnscaledDropout(Dropout):
    def backward(self, dy, cache, into_params=True):
        return dy if cache is None else dy * (cache > 0)


class FreshMask(Dropout):
    def backward(self, dy, cache, into_params=True):
        return dy if cache is None else super().forward(dy)[0]


class SlopeOnWrongSide(LeakyReLU):
    def backward(self, dy, cache, into_params=True):
        return np.where(cache > 0, self.slope * dy, dy)


class MaskFromGradient(ReLU):
    def backward(self, dy, cache, into_params=True):
        return np.where(dy > 0, dy, 0)


class TanhOfInput(Tanh):
    def forward(self, x, train=True):
        return self.f(x), x


class FlattenColumnsFirst(Flatten):
    def adjoint(self, dy, in_shape=None):
        return dy.reshape(in_shape, order="F")


class UpSampleByMean(UpSample2D):
    def adjoint(self, dy, in_shape=None):
        return super().adjoint(dy) / self.factor**2


class ForgotIdentity(Residual):
    def backward(self, dy, cache, into_params=True):
        return Sequential.backward(self, dy, cache, into_params)


class LastSampleForgotten(Dense):
    def weight_grad(self, x, dy):
        return x[:-1].T @ dy[:-1]


class SingleInside(Softplus):
    """A slope that went through float32, and lost half of its digits."""

    def df(self, y):
        return (1 - np.exp(-y.astype("float32"))).astype(y.dtype)


class RoundedConstant(Dense):
    def adjoint(self, dy, in_shape=None):
        return 1.000001 * super().adjoint(dy, in_shape)


class ClipsGradient(Softplus):
    def backward(self, dy, cache, into_params=True):
        return np.clip(super().backward(dy, cache, into_params), -0.5, 0.5)


class TanhByExp(Tanh):
    def f(self, x):
        return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


class SoftplusByExp(Softplus):
    def f(self, x):
        return np.log(1 + np.exp(x))


class DoubledInEvaluation(Tanh):
    """Its forward is the same in both modes."""

    def forward(self, x, train=True):
        y, cache = super().forward(x, train)
        return y, (cache, train)

    def backward(self, dy, cache, into_params=True):
        return super().backward(dy if cache[1] else 2 * dy, cache[0], into_params)

    def double_backward(self, t, dy, cache):
        return super().double_backward(t, dy, cache[0])


# ---- convolutions ----------------------------------------------------------------------------


class AdjointWithoutStride(Conv2D):
    def adjoint(self, dy, in_shape=None):
        stride, self.stride = self.stride, (1, 1)
        dx = super().adjoint(dy, in_shape)
        self.stride = stride
        return dx


class AdjointOffByOne(Conv2D):
    def adjoint(self, dy, in_shape=None):
        return np.roll(super().adjoint(dy, in_shape), 1, axis=1)


class WeightGradOffByOne(Conv2D):
    def weight_grad(self, x, dy):
        return super().weight_grad(np.roll(x, 1, axis=2), dy)


class FlippedKernel(Conv2D):
    def adjoint(self, dy, in_shape=None):
        w, self.w.value = self.w.value, self.w.value[::-1, ::-1]
        dx = super().adjoint(dy, in_shape)
        self.w.value = w
        return dx


class DroppedOutputPadding(ConvTranspose2D):
    def adjoint(self, dy, in_shape=None):
        rows, columns = (n - o for n, o in zip(dy.shape[1:3], self.output_padding, strict=True))
        return super().adjoint(dy[:, :rows, :columns])


class SwappedWeightGrad(ConvTranspose2D):
    """The weight gradient of a Conv2D: two public projects have it."""

    def weight_grad(self, x, dy):
        right = super().weight_grad(x, dy)
        return right.transpose(0, 1, 3, 2).reshape(right.shape)


# ---- normalisations --------------------------------------------------------------------------


class GeneralBatchNorm(BatchNorm):
    """Right, and with the backward of all normalisations, which goes through `project`."""

    backward = BatchNorm.__base__.backward


class WrongAxes(GeneralBatchNorm):
    """The mean of each pixel over the batch, in the projection only."""

    def project(self, t, xhat, cache):
        _, _, sigma, moving = cache
        if not moving:
            return t / sigma
        return (t - t.mean(0) - xhat * (xhat * t).mean(0)) / sigma


class NoMeanTerm(GeneralBatchNorm):
    def project(self, t, xhat, cache):
        _, _, sigma, moving = cache
        return (t - xhat * self.mean(xhat * t)) / sigma if moving else t / sigma


class NoVarianceTerm(GeneralBatchNorm):
    def project(self, t, xhat, cache):
        _, _, sigma, moving = cache
        return (t - self.mean(t)) / sigma if moving else t / sigma


class ForgottenEps(BatchNorm):
    def backward(self, dy, cache, into_params=True):
        x, mean, sigma, moving = cache
        without = x, mean, np.sqrt(sigma**2 - self.eps), moving
        return super().backward(dy, without, into_params)


class GammaGradOfOutput(LayerNorm):
    def backward(self, dy, cache, into_params=True):
        x, mean, _, _ = cache
        if into_params:
            self.gamma.grad += self._sum((x - mean) * dy)
            self.beta.grad += self._sum(dy)
        return self.project(self.gamma.value * dy, self.xhat(cache), cache)


class ForgottenGamma(LayerNorm):
    def backward(self, dy, cache, into_params=True):
        super().backward(dy, cache, into_params)
        return self.project(dy, self.xhat(cache), cache)


class BatchGradientInEvaluation(BatchNorm):
    def forward(self, x, train=True):
        y, (x, mean, sigma, _) = super().forward(x, train)
        return y, (x, mean, sigma, True)


# ---- labels ----------------------------------------------------------------------------------


class LastOfEqualLabels(Embedding):
    """Fancy indexing adds only once to a row that is named twice."""

    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad[cache] += dy


class LearnsLabelsForG(ConcatLabels):
    def backward(self, dy, cache, into_params=True):
        dh = self.net.backward(dy, cache[3], into_params)
        self.embedding.backward(dh[:, -cache[1].shape[1] :], cache[2])
        return dh[:, : -cache[1].shape[1]].reshape(cache[0])


class ForgotBendOfLabels(ConcatLabels):
    def double_backward(self, t, dy, cache):
        before = self.embedding.grad.copy()
        result = super().double_backward(t, dy, cache)
        self.embedding.grad[...] = before
        return result


class ForgotProjectionInDx(Projection):
    def _dphi(self, dy, cache, into_params):
        return super()._dphi(dy, cache, into_params) - dy * cache[4]


class ForgotProjectionOfTangent(Projection):
    def double_backward(self, t, dy, cache):
        before = self.embedding.grad.copy()
        result = super().double_backward(t, dy, cache)
        self.embedding.grad[...] = before
        return result


# ---- spectral normalisation, several samples at once -----------------------------------------


class ForgotThatSMoves(SpectralNorm):
    """The singular value treated as a constant."""

    def add_to_w(self, G, cache):
        self.layer.w.grad += G / cache[2]


class IteratesInForward(SpectralNorm):
    """As many do: forward is no function of x and W then."""

    def forward(self, x, train=True):
        self.after_update()
        return super().forward(x, train)


class UndividedAtSecondOrder(SpectralNorm):
    """The layer inside, but with W where Ŵ should be."""

    def double_backward(self, t, dy, cache):
        x, _, *rest = cache
        return super().double_backward(t, dy, (x, self.layer, *rest))


class DeviationOfOneFeature(MinibatchStd):
    """Forgets that s is a mean over all features."""

    def backward(self, dy, cache, into_params=True):
        xhat, _ = cache
        return dy[..., :-1] + dy[..., -1].sum() / len(xhat) * xhat


class DeviationOfOwnSample(MinibatchStd):
    """Forgets that s stands beside every sample."""

    def backward(self, dy, cache, into_params=True):
        xhat, _ = cache
        return dy[..., :-1] + dy[..., -1:] / xhat.size * xhat


class NoCurvatureOfDeviation(MinibatchStd):
    def double_backward(self, t, dy, cache):
        return super().double_backward(t, dy, cache)[0], None


class PackOfStrangers(Pack):
    def adjoint(self, dy, in_shape=None):
        return dy.reshape(in_shape)


# ---- broken contract -------------------------------------------------------------------------


class KeepsInput(Dense):
    """The fault of two public GANs: D(fake) overwrites what D(real) needs."""

    def forward(self, x, train=True):
        self.x = x
        return super().forward(x, train)

    def backward(self, dy, cache, into_params=True):
        return super().backward(dy, self.x, into_params)


class ReusesBuffer(Tanh):
    buffer = None

    def forward(self, x, train=True):
        if self.buffer is None or self.buffer.shape != x.shape or self.buffer.dtype != x.dtype:
            self.buffer = np.empty_like(x)
        y = np.tanh(x, out=self.buffer)
        return y.copy(), y


class ReplacesGradient(Dense):
    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad[...] = self.weight_grad(cache, dy)
            self.b.grad[...] = dy.sum(0)
        return self.adjoint(dy)


class DoublesDxForG(Tanh):
    def backward(self, dy, cache, into_params=True):
        return super().backward(dy, cache) * (1 if into_params else 2)


class NeedsNoIntoParams(Tanh):
    def backward(self, dy, cache):
        return super().backward(dy, cache)


class LearnsInEvaluation(BatchNorm):
    def backward(self, dy, cache, into_params=True):
        return super().backward(dy, cache, into_params or not cache[3])


class ChangesXInEvaluation(ReLU):
    def forward(self, x, train=True):
        if not train:
            np.maximum(x, 0, out=x)
        return super().forward(x, train)


class RebindsGradient(Dense):
    def backward(self, dy, cache, into_params=True):
        if into_params:
            self.w.grad = self.w.grad + self.weight_grad(cache, dy)
            self.b.grad += dy.sum(0)
        return self.adjoint(dy)


class ReplacesGradientWithoutDx(Dense):
    @skips_dx
    def backward(self, dy, cache, into_params=True):
        if into_params != "only":
            return super().backward(dy, cache, into_params)
        self.w.grad[...] = self.weight_grad(cache, dy)
        self.b.grad[...] = dy.sum(0)
        return None


class WritesIntoDy(LeakyReLU):
    def backward(self, dy, cache, into_params=True):
        dy[cache <= 0] *= self.slope
        return dy


class WritesIntoX(LeakyReLU):
    def forward(self, x, train=True):
        x[x <= 0] *= self.slope
        return x.copy(), x.copy()


class WritesIntoXOnce(ReLU):
    """After the first time it changes nothing any more."""

    def forward(self, x, train=True):
        np.maximum(x, 0, out=x)
        return x.copy(), x.copy()


class TrainsInBackward(Dense):
    def backward(self, dy, cache, into_params=True):
        dx = super().backward(dy, cache, into_params)
        self.w.value -= 1e-3 * self.weight_grad(cache, dy)
        return dx


class IgnoresIntoParams(Dense):
    def backward(self, dy, cache, into_params=True):
        return super().backward(dy, cache, True)


class OnlyWithoutBias(Dense):
    @skips_dx
    def backward(self, dy, cache, into_params=True):
        if into_params != "only":
            return super().backward(dy, cache, into_params)
        self.w.grad += self.weight_grad(cache, dy)
        return None


class TakesOnlyForFalse(Dense):
    """The switch compared with True: "only" adds no gradients then."""

    @skips_dx
    def backward(self, dy, cache, into_params=True):
        return super().backward(dy, cache, into_params is True)


class ConsumesCache(Tanh):
    def forward(self, x, train=True):
        y = self.f(x)
        return y, [y]

    def backward(self, dy, cache, into_params=True):
        return self.df(cache.pop()) * dy

    def double_backward(self, t, dy, cache):
        return super().double_backward(t, dy, cache[0])


class ScalesCache(Tanh):
    def forward(self, x, train=True):
        y = self.f(x)
        return y, y.copy()

    def backward(self, dy, cache, into_params=True):
        dx = self.df(cache) * dy
        cache *= 0.5
        return dx


class SpoilsCache(ScalesCache):
    def backward(self, dy, cache, into_params=True):
        dx = self.df(cache) * dy
        cache.fill(np.nan)
        return dx


class UpcastsOutput(Tanh):
    def f(self, x):
        return np.tanh(x) * np.ones(1)


class UpcastsGradient(Softplus):
    def df(self, y):
        return np.float64(1) - np.exp(-y)


class RollsDice(Tanh):
    def forward(self, x, train=True):
        y = self.f(x) + 1e-3 * np.random.default_rng().random(x.shape)
        return y, y


# ---- wrong second order ----------------------------------------------------------------------


class TwoInsteadOfThree(LayerNorm):
    def double_backward(self, t, dy, cache):
        sigma, xhat = cache[2], self.xhat(cache)
        jt, bend = super().double_backward(t, dy, cache)
        xt, xg = self.mean(xhat * t), self.mean(xhat * self.gamma.value * dy)
        return jt, bend - xt * xg * xhat / sigma**2


class NoCurvature(LayerNorm):
    def double_backward(self, t, dy, cache):
        return super().double_backward(t, dy, cache)[0], None


class NoGammaAtSecondOrder(LayerNorm):
    def double_backward(self, t, dy, cache):
        before = self.gamma.grad.copy()
        result = super().double_backward(t, dy, cache)
        self.gamma.grad[...] = before
        return result


class BendsInEvaluation(BatchNorm):
    def double_backward(self, t, dy, cache):
        return super().double_backward(t, dy, (*cache[:3], True))


class SignOfCurvature(Tanh):
    def d2f(self, y):
        return 2 * y * (1 - y * y)


class NoSecondDerivative(Softplus):
    def d2f(self, y):
        return None


class InputInsteadOfTangent(Dense):
    def double_backward(self, t, dy, cache):
        self.w.grad += self.weight_grad(cache, dy)
        return self.apply(t), None


class BiasAtSecondOrder(Dense):
    def double_backward(self, t, dy, cache):
        self.backward(dy, t)
        return self.apply(t), None


class TangentWithBias(Dense):
    def double_backward(self, t, dy, cache):
        self.w.grad += self.weight_grad(t, dy)
        return self.forward(t)[0], None


class ForgotIdentityOfTangent(Residual):
    def double_backward(self, t, dy, cache):
        return Sequential.double_backward(self, t, dy, cache)


class DropsCurvature(Sequential):
    def double_backward(self, t, dy, cache):
        return super().double_backward(t, dy, cache)[0], None


class KeepsCurvatureFromParams(Sequential):
    """What bends below does not reach the parameters of the layers before."""

    def double_backward(self, t, dy, cache):
        first = self.layers[0].grad.copy()
        jt, bend = super().double_backward(t, dy, cache)
        self.layers[0].grad[...] = first
        return jt, bend


class ReplacesAtSecondOrder(Dense):
    def double_backward(self, t, dy, cache):
        self.w.grad[...] = self.weight_grad(t, dy)
        return self.apply(t), None


class TrainsAtSecondOrder(Dense):
    def double_backward(self, t, dy, cache):
        result = super().double_backward(t, dy, cache)
        self.w.value -= 1e-3 * self.w.grad
        return result


class SpoilsCacheAtSecondOrder(ScalesCache):
    def backward(self, dy, cache, into_params=True):
        return self.df(cache) * dy

    def double_backward(self, t, dy, cache):
        result = super().double_backward(t, dy, cache)
        cache *= 0.5
        return result


class UpcastsAtSecondOrder(Tanh):
    def d2f(self, y):
        return np.float64(-2) * y * self.df(y)


# ---- the list --------------------------------------------------------------------------------


@dataclass
class Planted:
    """A mistake, and how the report must show it.

    Attributes
    ----------
    wrong, right : type
    arguments : tuple, keywords : dict
        Arguments of both constructors.
    shape : tuple
        The input shape, with the batch axis.
    rows : set of str
        Rows that must fail; ``*`` stands for anything.
    says : str
        A part of the report's text.
    around : callable, layer -> Layer
        Wraps a layer that cannot be checked by itself.
    """

    wrong: type
    right: type
    arguments: tuple
    shape: tuple
    rows: set
    says: str = ""
    keywords: dict = None
    around: Callable = lambda layer: layer

    def __str__(self):
        return self.wrong.__name__

    def make(self, kind):
        return self.around(kind(*self.arguments, **(self.keywords or {})))


def _dense(wrong, *rows, says="", n_out=5):
    return Planted(wrong, Dense, (5, n_out), (4, 5), set(rows), says)


def _conv(wrong, *rows):
    keywords = {"kernel": 3, "stride": 2, "padding": 1}
    return Planted(wrong, Conv2D, (2, 3), (2, 6, 7, 2), set(rows), keywords=keywords)


def _transposed(wrong, *rows):
    keywords = {"kernel": 3, "stride": 2, "padding": 1, "output_padding": 1}
    return Planted(wrong, ConvTranspose2D, (3, 2), (2, 3, 4, 3), set(rows), keywords=keywords)


def _batch_norm(wrong, *rows):
    return Planted(wrong, BatchNorm, (3,), (2, 3, 4, 3), set(rows))


def _layer_norm(wrong, *rows):
    return Planted(wrong, LayerNorm, (5,), (4, 5), set(rows))


def _spectral(wrong, *rows):
    return Planted(wrong, SpectralNorm, (Dense(5, 4),), (4, 5), set(rows))


def _entries(wrong, right, *rows, says="", arguments=()):
    return Planted(wrong, right, arguments, (4, 6), set(rows), says)


def _nested(wrong, right, *rows):
    layers = Dense(5, 6), Tanh(), Dense(6, 5)
    return Planted(wrong, right, layers, (4, 5), set(rows))


def _labelled(wrong, right, arguments, *rows, around=lambda net: net):
    """Four classes, one of them twice among the labels, and one never."""
    around_all = lambda layer: Labelled(around(layer), [2, 0, 1, 2])  # noqa: E731
    return Planted(wrong, right, arguments, (4, 5), set(rows), around=around_all)


_CONCAT = Sequential(Dense(8, 5), Tanh(), Dense(5, 2)), Embedding(4, 3)
_PROJECTION = Sequential(Dense(5, 6), Tanh()), Embedding(4, 6), Dense(6, 1)

_ADJOINT = "<apply(x), dy> = <x, adjoint(dy)>"
_WEIGHTS = "<apply(x), dy> = <w, weight_grad(x, dy)>"
_TANGENT = "<J t, dy> = <t, J^T dy>"
_UNTOUCHED = "x, dy and weights left alone"
_TWICE = "a cache can be used twice"
_ONLY = 'into_params="only"'

PLANTED = [
    _dense(SignOfDx, "dx", _ADJOINT, _TANGENT, says="every entry has the wrong sign"),
    _dense(SignOfBias, "db", says="every entry has the wrong sign"),
    _dense(NoTranspose, "dx", _ADJOINT, says="entries differ in no simple way"),
    _dense(TransposedWeightGrad, "dw", _WEIGHTS, says="a transpose"),
    _dense(DividedByN, "dw", _WEIGHTS, says="every entry is 0.25 times what it should be"),
    _dense(Doubled, "dw", "second order dw", _WEIGHTS, says="every entry is 2 times"),
    _dense(BiasOverWrongAxis, "db", n_out=4),
    _conv(AdjointWithoutStride, "dx", _ADJOINT),
    _conv(AdjointOffByOne, "dx", _ADJOINT),
    _conv(WeightGradOffByOne, "dw", _WEIGHTS),
    _conv(FlippedKernel, "dx", _ADJOINT),
    Planted(
        WrongShapeOfDx,
        Conv2D,
        (2, 3),
        (2, 6, 6, 2),
        {"dx has the shape of x"},
        keywords={"kernel": 3, "stride": 2},
    ),
    _transposed(DroppedOutputPadding, "dx", _ADJOINT),
    _transposed(SwappedWeightGrad, "dw", _WEIGHTS),
    _entries(SquareWithoutTwo, Square, "dx", says="every entry is 0.5 times"),
    _entries(UnscaledDropout, Dropout, "dx", says="every entry is 0.7 times", arguments=(0.3,)),
    _entries(FreshMask, Dropout, "dx", arguments=(0.3,)),
    _entries(SlopeOnWrongSide, LeakyReLU, "dx"),
    _entries(MaskFromGradient, ReLU, "dx"),
    _entries(TanhOfInput, Tanh, "dx"),
    Planted(FlattenColumnsFirst, Flatten, (), (2, 3, 4, 2), {"dx", _ADJOINT}),
    Planted(UpSampleByMean, UpSample2D, (2,), (2, 3, 4, 2), {"dx", _ADJOINT}, "is 0.25 times"),
    _nested(ForgotIdentity, Residual, "dx"),
    _dense(LastSampleForgotten, "dw", _WEIGHTS),
    _entries(SingleInside, Softplus, "dx", says="a constant that was rounded"),
    _dense(RoundedConstant, "dx", _ADJOINT, says="every entry is 1.000001 times"),
    _entries(ClipsGradient, Softplus, "dx"),
    _entries(TanhByExp, Tanh, "finite at large inputs", says="overflows in float32"),
    _entries(SoftplusByExp, Softplus, "finite at large inputs", says="inputs up to"),
    _entries(DoubledInEvaluation, Tanh, "dx (evaluation)", says="is 2 times"),
    _batch_norm(WrongAxes, "dx"),
    _batch_norm(LearnsInEvaluation, "into_params=False (evaluation)"),
    _batch_norm(NoMeanTerm, "dx"),
    _batch_norm(NoVarianceTerm, "dx"),
    _batch_norm(ForgottenEps, "dx"),
    _layer_norm(GammaGradOfOutput, "dgamma"),
    _layer_norm(ForgottenGamma, "dx"),
    _batch_norm(BatchGradientInEvaluation, "dx (evaluation)"),
    _labelled(
        LastOfEqualLabels,
        Embedding,
        (4, 3),
        "d0.embedding.w",
        around=lambda embedding: ConcatLabels(_CONCAT[0], embedding),
    ),
    _labelled(LearnsLabelsForG, ConcatLabels, _CONCAT, "into_params=False"),
    _labelled(ForgotBendOfLabels, ConcatLabels, _CONCAT, "second order d0.embedding.w"),
    _labelled(ForgotProjectionInDx, Projection, _PROJECTION, "dx"),
    _labelled(ForgotProjectionOfTangent, Projection, _PROJECTION, "second order d0.embedding.w"),
    _spectral(ForgotThatSMoves, "dlayer.w", "second order dlayer.w"),
    _spectral(IteratesInForward, "forward repeats itself"),
    _spectral(UndividedAtSecondOrder, "second order dlayer.w", _TANGENT),
    _entries(DeviationOfOneFeature, MinibatchStd, "dx"),
    _entries(DeviationOfOwnSample, MinibatchStd, "dx"),
    _entries(NoCurvatureOfDeviation, MinibatchStd, "second order dx", says="zero everywhere"),
    Planted(PackOfStrangers, Pack, (2,), (4, 3, 2), {"dx", _ADJOINT}),
    _dense(KeepsInput, "two batches in flight"),
    _entries(ReusesBuffer, Tanh, "two batches in flight"),
    _dense(ReplacesGradient, "gradients add up"),
    _entries(DoublesDxForG, Tanh, "into_params=False"),
    _entries(NeedsNoIntoParams, Tanh, "backward runs", says="TypeError"),
    _entries(ChangesXInEvaluation, ReLU, _UNTOUCHED + " (evaluation)"),
    _dense(RebindsGradient, "gradients stay views"),
    _dense(ReplacesGradientWithoutDx, _ONLY),
    _entries(WritesIntoDy, LeakyReLU, _UNTOUCHED),
    _entries(WritesIntoX, LeakyReLU, _UNTOUCHED),
    _entries(WritesIntoXOnce, ReLU, _UNTOUCHED),
    _dense(TrainsInBackward, _UNTOUCHED),
    _dense(IgnoresIntoParams, "into_params=False"),
    _dense(OnlyWithoutBias, _ONLY),
    _dense(TakesOnlyForFalse, _ONLY),
    _entries(ConsumesCache, Tanh, "backward runs", says="IndexError: pop from empty list"),
    _entries(ScalesCache, Tanh, _TWICE),
    _entries(SpoilsCache, Tanh, _TWICE),
    _entries(UpcastsOutput, Tanh, "float32 stays float32", says="y is float64"),
    _entries(UpcastsGradient, Softplus, "float32 stays float32", says="dx is float64"),
    _entries(RollsDice, Tanh, "forward repeats itself"),
    _layer_norm(TwoInsteadOfThree, "second order dx"),
    _layer_norm(NoCurvature, "second order dx"),
    _layer_norm(NoGammaAtSecondOrder, "second order dgamma"),
    _batch_norm(BendsInEvaluation, "second order dx (evaluation)"),
    _entries(SignOfCurvature, Tanh, "second order dx", says="every entry has the wrong sign"),
    _entries(NoSecondDerivative, Softplus, "second order dx", says="zero everywhere"),
    _dense(InputInsteadOfTangent, "second order dw"),
    _dense(BiasAtSecondOrder, "second order db", says="the true gradient is zero"),
    _dense(TangentWithBias, _TANGENT),
    _nested(ForgotIdentityOfTangent, Residual, _TANGENT),
    _nested(DropsCurvature, Sequential, "second order dx"),
    _nested(KeepsCurvatureFromParams, Sequential, "second order d0.w"),
    _dense(ReplacesAtSecondOrder, "double_backward*"),
    _dense(TrainsAtSecondOrder, "double_backward*"),
    _entries(SpoilsCacheAtSecondOrder, Tanh, "double_backward*"),
    _entries(UpcastsAtSecondOrder, Tanh, "float32 stays float32"),
]
