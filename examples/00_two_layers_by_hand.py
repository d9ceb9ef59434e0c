"""Two layers, a loss, backprop, a check of the gradient, and Adam: all by hand, in NumPy alone.

The network is a discriminator, one half of a GAN. It sees an image of 8x8 pixels and gives the
probability that the image is a real handwritten digit. The fakes are digits with shuffled pixels.
In a GAN, a second network makes the fakes: see the next example, 01_gan_from_parts.py.

Letters: N images in a batch, I = 64 pixels, H = 32 hidden units.

    x (N, I)   images, pixels in [-1, 1]         w1 (I, H)  b1 (H,)   first layer
    t (N, 1)   targets: 1 real, 0 fake           w2 (H, 1)  b2 (1,)   second layer
    a (N, 1)   logits; D = sigmoid(a) is the probability that x is real

S is the loss, a single number. d<name> always stands for dS/d<name>, an array of the shape of
<name>: it says how S changes with each entry of <name>.
"""

import numpy as np
from sklearn.datasets import load_digits

SLOPE = 0.2  # LeakyReLU multiplies negative numbers by this


def forward(p, x):
    """Compute the logits a, and keep in a cache what `backward` will need."""
    w1, b1, w2, b2 = p
    u = x @ w1 + b1  # (N, H)
    h = np.where(u > 0, u, SLOPE * u)  # (N, H), LeakyReLU
    a = h @ w2 + b2  # (N, 1)
    return a, (x, u, h)


def sigmoid(a):
    """Compute 1 / (1 + e^-a), in a form that cannot overflow."""
    return (1 + np.tanh(a / 2)) / 2


def softplus(a):
    """Compute log(1 + e^a), in a form that cannot overflow. Its derivative is sigmoid(a)."""
    return np.logaddexp(0, a)


def loss(a, t):
    """Compute S, the mean of -t log D - (1 - t) log(1 - D), and da.

    With D = sigmoid(a), -log D is softplus(-a) and -log(1 - D) is softplus(a). So the logarithm of
    a D that was rounded to 0 is never taken.
    """
    S = np.mean(t * softplus(-a) + (1 - t) * softplus(a))
    da = (sigmoid(a) - t) / len(a)  # (N, 1), for -t (1 - D) + (1 - t) D = D - t; 1 / N: the mean
    return S, da


def backward(p, da, cache):
    """Compute all gradients: the chain rule, from the last line of `forward` to its first."""
    (w1, _, w2, _), (x, u, h) = p, cache
    # In the forward pass this was: a = h @ w2 + b2
    dw2 = h.T @ da  # (H, 1)
    db2 = da.sum(0)  # (1,): b2 was added to each of the N rows
    dh = da @ w2.T  # (N, H)
    # In the forward pass this was: h = u where u > 0, SLOPE * u elsewhere
    du = np.where(u > 0, dh, SLOPE * dh)  # (N, H)
    # In the forward pass this was: u = x @ w1 + b1
    dw1 = x.T @ du  # (I, H)
    db1 = du.sum(0)  # (H,)
    dx = du @ w1.T  # (N, I): nobody needs it here, but a generator will learn from it
    return dw1, db1, dw2, db2, dx


def check_gradient(p, x, t, eps=1e-6):
    """Compare backprop with finite differences, (S(entry + eps) - S(entry - eps)) / (2 eps).

    In each array, the entry with the largest gradient is checked: where the true gradient is zero,
    a wrong formula may give zero, too. All arrays are float64; float32 would be too coarse.
    """
    a, cache = forward(p, x)
    gradients = backward(p, loss(a, t)[1], cache)
    print("largest entry of     backprop   finite difference")
    names = ["dw1", "db1", "dw2", "db2", "dx"]
    for name, array, gradient in zip(names, [*p, x], gradients, strict=True):
        index = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        before, S = array[index], []
        for value in (before + eps, before - eps, before):
            array[index] = value
            S.append(loss(forward(p, x)[0], t)[0])
        difference = (S[0] - S[1]) / (2 * eps)
        print(f"{name:16}  {gradient[index]: .8f}         {difference: .8f}")
        assert abs(gradient[index] - difference) < 1e-8, f"{name} is wrong"


def adam(p, gradients, m, v, step, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Move all parameters against their gradients, in place. Kingma and Ba, 2015, algorithm 1."""
    for i, g in enumerate(gradients):
        m[i] = beta1 * m[i] + (1 - beta1) * g  # running mean of the gradient
        v[i] = beta2 * v[i] + (1 - beta2) * g**2  # and of its square
        m_hat = m[i] / (1 - beta1**step)  # both start at zero: this corrects for it
        v_hat = v[i] / (1 - beta2**step)
        p[i] -= lr * m_hat / (np.sqrt(v_hat) + eps)


def real_and_fake(rng, digits):
    """Put digits and shuffled copies of them into one batch: x (2n, 64), t (2n, 1)."""
    x = np.concatenate([digits, rng.permuted(digits, axis=1)])  # each image in its own order
    return x, np.repeat([[1.0], [0.0]], len(digits), axis=0)


def main(steps=1000):
    """Check the gradient, train, and show what the network has learned."""
    rng = np.random.default_rng(0)
    digits = load_digits().data / 8 - 1  # (1797, 64), from 0..16 to [-1, 1], float64
    w1, w2 = rng.normal(0, 1 / np.sqrt(64), (64, 32)), rng.normal(0, 1 / np.sqrt(32), (32, 1))
    p = [w1, np.zeros(32), w2, np.zeros(1)]
    check_gradient(p, *real_and_fake(rng, digits[:8]))

    x_test, t_test = real_and_fake(rng, digits[1500:])
    m, v = [0, 0, 0, 0], [0, 0, 0, 0]  # one running mean for each array of p
    print("\n  step    loss   right on images that it never saw")
    for step in range(1, steps + 1):
        x, t = real_and_fake(rng, rng.choice(digits[:1500], 64))  # (128, 64), (128, 1)
        a, cache = forward(p, x)
        S, da = loss(a, t)
        *gradients, _ = backward(p, da, cache)  # without dx
        adam(p, gradients, m, v, step)
        if step in (1, 10, 100, steps):
            accuracy = np.mean((forward(p, x_test)[0] > 0) == t_test)
            print(f"{step:6}  {S:.4f}   {accuracy:.1%}")

    pair = x_test[[0, 297]]  # (2, 64): a digit, and the same digit shuffled
    D = sigmoid(forward(p, pair)[0])  # (2, 1)
    print(f"\nreal with probability {D[0, 0]:.4f}       and this one with {D[1, 0]:.4f}")
    shades = np.array([*" .:oO@"])[np.rint(2.5 * (pair + 1)).astype(int)].reshape(2, 8, 8)
    for digit, shuffled in zip(*shades.repeat(2, axis=2), strict=True):
        print(f"    {''.join(digit)}             {''.join(shuffled)}")


if __name__ == "__main__":
    main()
