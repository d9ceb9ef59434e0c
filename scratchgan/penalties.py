"""Penalties on the weights, and on the slope of a discriminator, with their exact gradient.

Let a = D(x) be the logits of a batch, g = da/dx (one gradient g_n for each sample), and P(g) a
penalty. Training needs dP/dθ, the derivative of a derivative. It takes no new calculus: put
u = dP/dg and hold it fixed. Then

    dP/dθ = u . dg/dθ = d<u, g>/dθ = d<J u, 1>/dθ ,     J = da/dx

so it is the derivative of how much the logits move along u, which is what `double_backward`
adds to the gradients.
"""

from .backend import ops_of

__all__ = ["gradient_penalty", "interpolate", "l2", "r1", "wgan_gp"]


def gradient_penalty(net, x, penalty):
    """The value of a penalty on dD/dx; its gradient is added to ``net.grad``.

    Parameters
    ----------
    net : Layer
        A discriminator (N, ...) -> (N, 1). Without BatchNorm: there a sample's gradient would
        depend on the other samples of the batch.
    x : array (N, ...), or a pair (x, labels)
        Where the slope is penalised; that along x, where there are labels.
    penalty : callable, g -> (value, dvalue/dg)
        Made by `wgan_gp` or `r1`; g has the shape of x.

    Returns
    -------
    value : scalar
    """
    logits, cache = net.forward(x)
    ones = ops_of(logits).xp.ones_like(logits)
    g = net.backward(ones, cache, into_params=False)  # (N, ...): g_n = d a_n/d x_n
    value, u = penalty(g)
    _, bend = net.double_backward(u, ones, cache)
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


def wgan_gp(weight=10.0, target=1.0, one_sided=False):
    """weight * mean over n of (|g_n| - target)^2.  Gulrajani et al., 2017, equation 3.

    Parameters
    ----------
    weight, target : float
    one_sided : bool
        Penalise only |g_n| > target.
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
    alpha = rng.random((len(real),) + (1,) * (real.ndim - 1))
    alpha = ops_of(real).asarray(alpha, real.dtype)
    return alpha * real + (1 - alpha) * fake
