"""Optimisers. Each is a few operations on a network's flat vectors ``theta`` and ``grad``.

    adam = Adam(net, lr=2e-4, beta1=0.5)
    net.zero_grad(); ...backward...; adam.step()

All have these options. t counts steps from 1.

    lr            a number, or a schedule: a function of the number of steps already made
    weight_decay  shrink theta by lr * weight_decay before each step, decoupled from the gradient
                  (Loshchilov and Hutter, 2019)
    clip_norm     scale a longer gradient down to this length (Pascanu et al., 2013)
    clip_weights  clip theta to [-c, c] after each step, which bounds the slope of a critic
                  (Arjovsky et al., "Wasserstein GAN", 2017, algorithm 1)
"""

import copy
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .backend import ops_of
from .backend.sums import lengths
from .layers.base import Layer
from .layers.options import checked

Schedule: TypeAlias = Callable[[int], float]
Rate: TypeAlias = float | Schedule


class Optimiser:
    """Base class: a subclass names its moments, and updates theta.

    Parameters
    ----------
    net : Layer
        Initialised.
    lr : float or callable, step -> float
    weight_decay : float
    clip_norm : float, optional
    clip_weights : float, optional

    Attributes
    ----------
    moments : tuple of str
        Names of the running averages: arrays as long as theta.
    rates : tuple of str
        Names of the arguments of `update` that can change from step to step.
    """

    moments: tuple[str, ...] = ()
    rates: tuple[str, ...] = ("lr",)

    def __init__(
        self, net: Layer, lr: Rate, weight_decay: float = 0.0,
        clip_norm: float | None = None, clip_weights: float | None = None,
    ):  # fmt: skip
        self.net, self.t = net.initialized(), 0
        self.lr = lr if callable(lr) else self.below(math.inf, lr=lr)
        self.weight_decay = self.below(math.inf, weight_decay=weight_decay)
        self.clip_norm = self.below(math.inf, clip_norm=clip_norm or 0)
        self.clip_weights = self.below(math.inf, clip_weights=clip_weights or 0)
        # The layers to call after each step. They are listed once: most networks have none.
        layers = net.sublayers().values()
        self.dependent = [a for a in layers if type(a).after_update is not Layer.after_update]
        for name in self.moments:
            setattr(self, name, ops_of(net.theta).xp.zeros_like(net.theta))

    def below(self, limit, **option):
        """Return the value of an option; raise ValueError unless it is in [0, limit)."""
        (name,) = option
        return checked(lambda v: 0 <= v < limit, self, f"0 <= {name} < {limit}", **option)

    def step(self) -> None:
        """Update theta once, from the accumulated gradient."""
        theta, grad, ops = self.net.theta, self.net.grad, ops_of(self.net.theta)
        # On the CPU this is advance(). A CUDA graph repeats the step with numbers from the host.
        shrink, *rates = ops.host_scalars(self.advance, 1 + len(self.rates))
        if self.clip_norm:
            _, norm, scale = lengths(ops, grad[None])  # |grad| = norm * scale
            # The 1e-6 prevents 0 / 0.
            grad *= ops.xp.minimum(self.clip_norm / scale / (norm + 1e-6 / scale), 1)
        if self.weight_decay:
            theta *= shrink
        self.update(ops, theta, grad, *rates)
        if self.clip_weights:
            ops.xp.clip(theta, -self.clip_weights, self.clip_weights, out=theta)
        for layer in self.dependent:
            layer.after_update()

    def advance(self):
        """Count a step; return its factor of weight decay, and its rates."""
        lr = float(self.lr(self.t)) if callable(self.lr) else self.lr
        self.t += 1
        return 1 - lr * self.weight_decay, *self.rates_at(lr)

    def rates_at(self, lr):
        """Return the values of `rates` in step t."""
        return (lr,)

    def update(self, ops, theta, grad, *rates):
        """Write the new theta (and moments) in place."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return t and copies of the moments, as NumPy values."""
        moments = {name: getattr(self, name) for name in self.moments}
        return {"t": self.t} | {k: ops_of(a).to_host(a).copy() for k, a in moments.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict`: all of it, or nothing.

        Raises
        ------
        ValueError
            A moment is missing or has another shape. Then nothing has changed.
        """
        moments = {name: getattr(self, name) for name in self.moments}
        shapes = {name: np.shape(value) for name, value in state.items()}
        for name, own in moments.items():
            if shapes.get(name) != own.shape:
                raise ValueError(f"{name}: expected shape {own.shape}, got {shapes.get(name)}")
        self.t = int(state["t"])
        for name, own in moments.items():
            own[...] = ops_of(own).asarray(state[name], own.dtype)


class SGD(Optimiser):
    """velocity = momentum * velocity + grad;  theta -= lr * velocity.  (Polyak, 1964.)"""

    moments = ("velocity",)

    def __init__(self, net: Layer, lr: Rate, momentum: float = 0.0, **common: Any):
        super().__init__(net, lr, **common)
        self.momentum = self.below(1, momentum=momentum)

    def update(self, ops, theta, grad, lr):
        """Update theta and velocity by the formula of `SGD`."""
        ops.sgd_(theta, grad, self.velocity, lr, self.momentum)


class RMSprop(Optimiser):
    """square = alpha * square + (1 - alpha) * grad^2;  theta -= lr * grad / (sqrt(square) + eps).

    Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.
    """

    moments = ("square",)

    def __init__(
        self, net: Layer, lr: Rate = 1e-3, alpha: float = 0.99, eps: float = 1e-8, **common: Any
    ):
        super().__init__(net, lr, **common)
        self.alpha, self.eps = self.below(1, alpha=alpha), self.below(math.inf, eps=eps)

    def update(self, ops, theta, grad, lr):
        """Update theta and square by the formula of `RMSprop`."""
        ops.rmsprop_(theta, grad, self.square, lr, self.alpha, self.eps)


class Adam(Optimiser):
    """Divide the gradient's running mean by the root of its running mean square.

        m = beta1 * m + (1 - beta1) * grad          m_hat = m / (1 - beta1^t)
        v = beta2 * v + (1 - beta2) * grad^2        v_hat = v / (1 - beta2^t)
        theta -= lr * m_hat / (sqrt(v_hat) + eps)

    Kingma and Ba, 2015, algorithm 1. The defaults are those that GANs use (Radford et al., 2016).
    A gradient whose square the dtype cannot hold counts as the largest whose square it can hold.
    """

    moments = ("m", "v")
    rates = ("rate", "eps")

    def __init__(
        self, net: Layer, lr: Rate = 2e-4, beta1: float = 0.5, beta2: float = 0.999,
        eps: float = 1e-8, **common: Any,
    ):  # fmt: skip
        super().__init__(net, lr, **common)
        self.beta1, self.beta2 = self.below(1, beta1=beta1), self.below(1, beta2=beta2)
        self.eps = self.below(math.inf, eps=eps)

    def rates_at(self, lr):
        """Return rate and eps such that Adam's step is theta -= rate * m / (sqrt(v) + eps)."""
        correct = (1 - self.beta2**self.t) ** 0.5
        return lr * correct / (1 - self.beta1**self.t), self.eps * correct

    def update(self, ops, theta, grad, rate, eps):
        """Update theta, m and v by Adam's formula, with fewer passes over the arrays."""
        ops.adam_(theta, grad, self.m, self.v, rate, self.beta1, self.beta2, eps)


class EMA:
    """Exponential moving average: a copy of a network, with the running mean of its parameters.

        theta_mean = decay * theta_mean + (1 - decay) * theta

    It improves the samples of a GAN much: the players circle around a point, and their mean is near
    that point (Yazıcı et al., "The unusual effectiveness of averaging in GAN training", 2019).

    Parameters
    ----------
    net : Layer
        Initialised.
    decay : float in [0, 1)
        Early steps use (t + 1) / (t + 10) while that is smaller, so the start is soon forgotten.
        (A rule of thumb of TensorFlow's ``ExponentialMovingAverage``.)

    Attributes
    ----------
    mean : Layer
        The copy. BatchNorm's running statistics are averaged, too: the newest ones fit the newest
        parameters, not their mean (on MNIST, averaged ones lower the FID by a twelfth). All other
        buffers are the newest ones of the network.
    """

    def __init__(self, net: Layer, decay: float = 0.999):
        self.decay = checked(lambda d: 0 <= d < 1, self, "0 <= decay < 1", decay=decay)
        self.net, self.mean, self.t = net, copy.deepcopy(net), 0
        pairs = zip(self.mean.sublayers().values(), net.sublayers().values(), strict=True)
        self.buffers = [(mean, live, name) for mean, live in pairs for name in live.buffers]

    def update(self) -> None:
        """Update the running mean with the network's current parameters."""
        ops = ops_of(self.net.theta)
        (decay,) = ops.host_scalars(self.advance, 1)
        ops.ema_(self.mean.theta, self.net.theta, decay)
        for mean, live, name in self.buffers:
            if name.startswith("running"):
                ops.ema_(getattr(mean, name), getattr(live, name), decay)
            else:  # a mean of directions would not be one
                getattr(mean, name)[...] = getattr(live, name)

    def advance(self):
        """Count a step; return its decay."""
        self.t += 1
        return (min(self.decay, (self.t + 1) / (self.t + 10)),)


def linear(lr: float, steps: int, start: int = 0) -> Schedule:
    """Schedule: lr until ``start``, then a linear decay to 0 at ``steps``; lr if steps is 0."""
    if not _length(linear, steps):
        return lambda step: lr
    return lambda step: lr * min(1.0, max(0.0, (steps - step) / max(steps - start, 1)))


def cosine(lr: float, steps: int) -> Schedule:
    """Schedule: lr * (1 + cos(pi * step / steps)) / 2; lr if steps is 0.

    Loshchilov and Hutter, 2017.
    """
    if not _length(cosine, steps):
        return lambda step: lr
    return lambda step: lr * (1 + math.cos(math.pi * min(step / steps, 1))) / 2


def warmup(schedule: Rate, steps: int) -> Schedule:
    """Schedule: a linear warm-up over ``steps``, then another schedule or a constant rate."""
    after = schedule if callable(schedule) else lambda step: schedule
    if not _length(warmup, steps):
        return after
    return lambda step: after(step) * min(1.0, (step + 1) / steps)


def _length(schedule, steps):
    """Return the number of steps of a schedule; raise ValueError unless it is finite and >= 0."""
    return checked(lambda n: 0 <= n < math.inf, schedule, "0 <= steps < inf", steps=steps)


SCHEDULES = {"constant": lambda lr, steps: lr, "cosine": cosine, "linear": linear}
OPTIMISERS = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}


def by_name(name: str, net: Layer, **options: Any) -> Optimiser:
    """Make the optimiser called ``name``, one of the keys of `OPTIMISERS`, for a network."""
    if name not in OPTIMISERS:
        raise ValueError(f"optimiser: expected one of {', '.join(OPTIMISERS)}, got {name!r}")
    return OPTIMISERS[name](net, **options)
