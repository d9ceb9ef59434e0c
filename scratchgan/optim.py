"""Optimisers. Each is a few operations on a network's flat vectors ``theta`` and ``grad``.

    adam = Adam(net, lr=2e-4, beta1=0.5)
    net.zero_grad(); ...backward...; adam.step()

All take ``lr`` as a number or as a schedule, a function of the number of steps already made;
``weight_decay`` shrinks theta by lr * weight_decay before each step, decoupled from the gradient
(Loshchilov and Hutter, 2019); ``clip_norm`` scales a longer gradient down to that length (Pascanu
et al., 2013); ``clip_weights`` = c clips theta to [-c, c] after each step, which bounds the slope
of a critic (Arjovsky et al., "Wasserstein GAN", 2017, algorithm 1). t counts steps from 1.
"""

import copy
import math

import numpy as np

from .backend import ops_of
from .layers.base import Layer

__all__ = [
    "EMA", "OPTIMISERS", "SGD", "Adam", "Optimiser", "RMSprop", "by_name", "cosine", "linear",
    "warmup",
]  # fmt: skip


class Optimiser:
    """What all have in common; a subclass names its moments and updates theta.

    Parameters
    ----------
    net : Layer
        Initialised.
    lr : float or callable, step -> float
    weight_decay : float
    clip_norm : float, optional
    clip_weights : float, optional
    """

    moments = ()  # names of the running averages: arrays as long as theta
    rates = ("lr",)  # names of what `update` takes that may change from step to step

    def __init__(self, net, lr, weight_decay=0.0, clip_norm=None, clip_weights=None):
        net.initialized()
        limits = {} if callable(lr) else {"lr": (lr, math.inf)}
        self.refuse(
            weight_decay=(weight_decay, math.inf),
            clip_norm=(clip_norm or 0, math.inf),
            clip_weights=(clip_weights or 0, math.inf),
            **limits,
        )
        self.net, self.lr, self.weight_decay = net, lr, weight_decay
        self.clip_norm, self.clip_weights = clip_norm, clip_weights
        # Found once, for most networks have none.
        self.dependent = [
            layer
            for layer in net.sublayers().values()
            if type(layer).after_update is not Layer.after_update
        ]
        self.t = 0
        for name in self.moments:
            setattr(self, name, ops_of(net.theta).xp.zeros_like(net.theta))

    def refuse(self, **limits):
        """Raise ValueError for an option that is not in [0, limit): name=(value, limit)."""
        for name, (value, limit) in limits.items():
            if not 0 <= value < limit:
                given = f"{type(self).__name__}({name}={value!r}) given"
                raise ValueError(f"{given}, a number from 0 to below {limit} wanted")

    def step(self):
        """Move theta once along the gradient that has been added up."""
        theta, grad, ops = self.net.theta, self.net.grad, ops_of(self.net.theta)
        # On a host: advance(). A step that a GPU repeats from a recording asks for it by this.
        shrink, *rates = ops.host_scalars(self.advance, 1 + len(self.rates))
        if self.clip_norm:
            norm = ops.xp.sqrt((grad * grad).sum())
            grad *= ops.xp.minimum(self.clip_norm / (norm + 1e-6), 1)  # not by 0 / 0
        if self.weight_decay:
            theta *= shrink
        self.update(ops, theta, grad, *rates)
        if self.clip_weights:
            ops.xp.clip(theta, -self.clip_weights, self.clip_weights, out=theta)
        for layer in self.dependent:
            layer.after_update()

    def advance(self):
        """Count a step; give the factor of weight decay in it, and the rates."""
        lr = self.lr(self.t) if callable(self.lr) else self.lr
        self.t += 1
        return 1 - lr * self.weight_decay, *self.rates_at(lr)

    def rates_at(self, lr):
        """The values of `rates` in step t."""
        return (lr,)

    def update(self, ops, theta, grad, *rates):
        """Write the new theta (and moments) in place."""
        raise NotImplementedError

    def state_dict(self):
        """t and the moments, as NumPy values."""
        moments = {name: getattr(self, name) for name in self.moments}
        return {"t": self.t} | {k: ops_of(a).to_host(a).copy() for k, a in moments.items()}

    def load_state_dict(self, state):
        """Take over a `state_dict`: all of it, or nothing."""
        for name in self.moments:
            wanted, given = getattr(self, name).shape, np.shape(state.get(name))
            if given != wanted:
                raise ValueError(f"{name}: shape {given} given, {wanted} wanted")
        self.t = int(state["t"])
        for name in self.moments:
            own = getattr(self, name)
            own[...] = ops_of(own).asarray(state[name], own.dtype)


class SGD(Optimiser):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity.  (Polyak, 1964.)"""

    moments = ("velocity",)

    def __init__(self, net, lr, momentum=0.0, **common):
        super().__init__(net, lr, **common)
        self.refuse(momentum=(momentum, 1))
        self.momentum = momentum

    def update(self, ops, theta, grad, lr):
        """The formula above."""
        ops.sgd_(theta, grad, self.velocity, lr, self.momentum)


class RMSprop(Optimiser):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (sqrt(square) + eps).

    Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.
    """

    moments = ("square",)

    def __init__(self, net, lr=1e-3, alpha=0.99, eps=1e-8, **common):
        super().__init__(net, lr, **common)
        self.refuse(alpha=(alpha, 1), eps=(eps, math.inf))
        self.alpha, self.eps = alpha, eps

    def update(self, ops, theta, grad, lr):
        """The formula above."""
        ops.rmsprop_(theta, grad, self.square, lr, self.alpha, self.eps)


class Adam(Optimiser):
    """Running mean m and square v of the gradient, both corrected for their start at zero.

        m = beta1 * m + (1 - beta1) * grad          m_hat = m / (1 - beta1^t)
        v = beta2 * v + (1 - beta2) * grad^2        v_hat = v / (1 - beta2^t)
        theta -= lr * m_hat / (sqrt(v_hat) + eps)

    Kingma and Ba, 2015, algorithm 1. The defaults are those that GANs use (Radford et al., 2016).
    """

    moments = ("m", "v")
    rates = ("rate", "eps")

    def __init__(self, net, lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8, **common):
        super().__init__(net, lr, **common)
        self.refuse(beta1=(beta1, 1), beta2=(beta2, 1), eps=(eps, math.inf))
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def rates_at(self, lr):
        """With these, theta -= rate * m / (sqrt(v) + eps) is the third line above."""
        correct = (1 - self.beta2**self.t) ** 0.5
        return lr * correct / (1 - self.beta1**self.t), self.eps * correct

    def update(self, ops, theta, grad, rate, eps):
        """The formula above, with fewer passes over the arrays."""
        ops.adam_(theta, grad, self.m, self.v, rate, self.beta1, self.beta2, eps)


class EMA:
    """A copy of a network whose parameters are the running mean of the original's.

        theta_mean = decay * theta_mean + (1 - decay) * theta

    Samples of a GAN improve much by it: the mean stands still where the player circles around it
    (Yazıcı et al., "The unusual effectiveness of averaging in GAN training", 2019).

    Parameters
    ----------
    net : Layer
        Initialised.
    decay : float in [0, 1)
        Early on (t + 1) / (t + 10), while that is less: the start should not be remembered. (A
        rule of thumb of TensorFlow's ``ExponentialMovingAverage``.)

    Attributes
    ----------
    mean : Layer
        The copy. Its running statistics are the original's newest.
    """

    def __init__(self, net, decay=0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"EMA(decay={decay!r}) given, 0 <= decay < 1 wanted")
        self.net, self.decay = net, decay
        self.mean = copy.deepcopy(net)
        self.t = 0

    def update(self):
        """Take in the parameters that the network has now."""
        ops = ops_of(self.net.theta)
        (decay,) = ops.host_scalars(self.advance, 1)
        ops.ema_(self.mean.theta, self.net.theta, decay)
        pairs = zip(self.mean.sublayers().values(), self.net.sublayers().values(), strict=True)
        for mean, live in pairs:
            for name in live.buffers:
                getattr(mean, name)[...] = getattr(live, name)

    def advance(self):
        """Count a step; give the decay in it."""
        self.t += 1
        return (min(self.decay, (self.t + 1) / (self.t + 10)),)


def linear(lr, steps, start=0):
    """Schedule: lr until ``start``, then on a straight line down to 0 at ``steps``."""
    return lambda step: lr * min(1.0, max(0.0, (steps - step) / max(steps - start, 1)))


def cosine(lr, steps):
    """Schedule: lr * (1 + cos(pi * step / steps)) / 2.  Loshchilov and Hutter, 2017."""
    return lambda step: lr * (1 + math.cos(math.pi * min(step / steps, 1))) / 2


def warmup(schedule, steps):
    """Schedule: ``schedule``, which may be a plain number, reached on a line over ``steps``."""
    after = schedule if callable(schedule) else lambda step: schedule
    return lambda step: after(step) * min(1.0, (step + 1) / steps)


OPTIMISERS = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}


def by_name(name, net, **options):
    """The optimiser called ``name``, one of the keys of `OPTIMISERS`, for a network."""
    if name not in OPTIMISERS:
        raise ValueError(f"optimiser {name!r} given, one of {', '.join(OPTIMISERS)} wanted")
    return OPTIMISERS[name](net, **options)
