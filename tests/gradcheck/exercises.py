"""The exercises of well-known courses as plain functions: right ones, and wrong ones.

`RIGHT` and `WRONG` list them with their inputs. A wrong pair has one mistake of a kind that
learners make.
"""

import numpy as np

# ---- layers with a cache ---------------------------------------------------------------------


def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)


def affine_mean(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw, db / len(dout)


def affine_no_bias_sum(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout


def affine_order(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dw, dx, db


def affine_no_reshape(dout, cache):
    x, w, _ = cache
    return dout @ w.T, x.reshape(len(x), -1).T @ dout, dout.sum(0)


def affine_no_transpose(dout, cache):
    x, w, _ = cache  # w is square, so that no error is raised
    return (dout @ w).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def relu_mask_of_dout(dout, cache):
    return dout * (dout > 0)


def relu_forgets_dout(dout, cache):
    return (cache > 0).astype(float)


def relu_in_place_backward(dout, cache):
    dout[cache <= 0] = 0
    return dout


def relu_in_place_forward(x):
    x[x < 0] = 0
    return x, x


def conv_forward(x, w, b, settings):
    stride, pad = settings["stride"], settings["pad"]
    (N, _, H, W), (F, _, HH, WW) = x.shape, w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows, columns = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    out = np.zeros((N, F, rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, None, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
            out[:, :, i, j] = (window * w).sum((2, 3, 4)) + b
    return out, (padded, w, settings)


def conv_backward(dout, cache, step=None, bias_axes=(0, 2, 3)):
    padded, w, settings = cache
    stride, pad = step or settings["stride"], settings["pad"]
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows = slice(i * stride, i * stride + w.shape[2])
            columns = slice(j * stride, j * stride + w.shape[3])
            d = dout[:, :, i, j][:, :, None, None, None]
            dpadded[:, :, rows, columns] += (w * d).sum(1)
            dw += (padded[:, None, :, rows, columns] * d).sum(0)
    db = dout.sum(bias_axes)
    return dpadded[:, :, pad:-pad, pad:-pad], dw, db


def conv_wrong_stride(dout, cache):
    return conv_backward(dout, cache, step=1)


def conv_bias_of_batch(dout, cache):
    dx, dw, _ = conv_backward(dout, cache)
    return dx, dw, dout[:, :, 0, 0].sum(0)


def conv_last_window(dout, cache):
    dout = dout.copy()
    dout[:, :, -1] = 0  # a loop that ends one row early
    return conv_backward(dout, cache)


def pool_forward(x, size):
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // size, size, W // size, size)
    return windows.max((3, 5)), (windows, x.shape)


def pool_backward(dout, cache):
    windows, shape = cache
    mask = windows == windows.max((3, 5), keepdims=True)
    return (mask * dout[:, :, :, None, :, None]).reshape(shape)


def pool_by_mean(dout, cache):
    windows, shape = cache
    spread = np.ones_like(windows) * dout[:, :, :, None, :, None]
    return (spread / (windows.shape[3] * windows.shape[5])).reshape(shape)


def pool_to_all(dout, cache):
    windows, shape = cache
    return (np.ones_like(windows) * dout[:, :, :, None, :, None]).reshape(shape)


def norm_forward(x, gamma, beta, axis, settings):
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    sigma = np.sqrt(var + settings["eps"])
    if "running_mean" in settings:
        settings["running_mean"] = 0.9 * settings["running_mean"] + 0.1 * mean[0]
    xhat = (x - mean) / sigma
    return gamma * xhat + beta, (x - mean, xhat, sigma, gamma, axis, settings)


def norm_backward(dout, cache, mean_path=True, var_path=True, divide=True):
    centred, xhat, sigma, gamma, axis, _ = cache
    n = centred.shape[axis] if divide else 1
    dxhat = dout * gamma
    dvar = -0.5 * (dxhat * centred).sum(axis, keepdims=True) / sigma**3
    dmean = -(dxhat / sigma).sum(axis, keepdims=True)
    dx = dxhat / sigma
    dx += 2 * dvar * centred / n if var_path else 0
    dx += dmean / n if mean_path else 0
    return dx, (dout * xhat).sum(0), dout.sum(0)


def batchnorm_forward(x, gamma, beta, settings):
    return norm_forward(x, gamma, beta, 0, settings)


def layernorm_forward(x, gamma, beta):
    return norm_forward(x, gamma, beta, 1, {"eps": 1e-5})


def batchnorm_no_mean_path(dout, cache):
    return norm_backward(dout, cache, mean_path=False)


def batchnorm_constant_variance(dout, cache):
    return norm_backward(dout, cache, var_path=False)


def batchnorm_no_division(dout, cache):
    return norm_backward(dout, cache, divide=False)


def batchnorm_gamma_of_output(dout, cache):
    centred, _, _, _, _, _ = cache
    dx, _, dbeta = norm_backward(dout, cache)
    return dx, (dout * centred).sum(0), dbeta


def layernorm_wrong_axis(dout, cache):
    return norm_backward(dout, (*cache[:4], 0, cache[5]))


def spatial_forward(x, gamma, beta, settings):
    N, C, H, W = x.shape
    out, cache = batchnorm_forward(x.transpose(0, 2, 3, 1).reshape(-1, C), gamma, beta, settings)
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), (cache, x.shape)


def spatial_backward(dout, cache):
    inner, (N, C, H, W) = cache
    dx, dgamma, dbeta = norm_backward(dout.transpose(0, 2, 3, 1).reshape(-1, C), inner)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta


def spatial_axes(dout, cache):
    inner, (N, C, H, W) = cache
    dx, dgamma, dbeta = norm_backward(dout.transpose(0, 2, 3, 1).reshape(-1, C), inner)
    return dx.reshape(N, C, H, W), dgamma, dbeta


def dropout_forward(x, settings):
    if "seed" in settings:
        np.random.seed(settings["seed"])
    mask = (np.random.rand(*x.shape) < settings["p"]) / settings["p"]
    return x * mask, (settings, mask)


def dropout_backward(dout, cache):
    return dout * cache[1]


def dropout_other_side(dout, cache):
    return dout * (cache[1] == 0) / cache[0]["p"]


def dropout_unscaled(dout, cache):
    return dout * (cache[1] > 0)


def rnn_forward(x, h, wx, wh, b):
    after = np.tanh(x @ wx + h @ wh + b)
    return after, (x, h, wx, wh, after)


def rnn_backward(dout, cache):
    x, h, wx, wh, after = cache
    da = dout * (1 - after**2)
    return da @ wx.T, da @ wh.T, x.T @ da, h.T @ da, da.sum(0)


def rnn_slope_of_output(dout, cache):
    x, h, wx, wh, after = cache
    return rnn_backward(dout, (x, h, wx, wh, np.tanh(after)))


def rnn_swapped(dout, cache):
    dx, dh, dwx, dwh, db = rnn_backward(dout, cache)
    return dh, dx, dwx, dwh, db  # x and h have the same shape


def embedding_forward(x, w):
    return w[x], (x, w.shape)


def embedding_backward(dout, cache):
    x, shape = cache
    dw = np.zeros(shape)
    np.add.at(dw, x, dout)
    return None, dw


def embedding_once(dout, cache):
    x, shape = cache
    dw = np.zeros(shape)
    dw[x] += dout
    return None, dw


def attention_forward(q, k, v):
    a = q @ k.T / np.sqrt(q.shape[1])
    p = np.exp(a - a.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p @ v, (q, k, v, p)


def attention_backward(dout, cache, scale=True):
    q, k, v, p = cache
    dp = dout @ v.T
    da = p * (dp - (dp * p).sum(1, keepdims=True)) / (np.sqrt(q.shape[1]) if scale else 1)
    return da @ k, da.T @ q, p.T @ dout


def attention_unscaled(dout, cache):
    return attention_backward(dout, cache, scale=False)


# ---- losses that return their gradient -------------------------------------------------------


def softmax_loss(x, y):
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), y]).mean()
    p[np.arange(len(x)), y] -= 1
    return loss, p / len(x)


def softmax_loss_not_divided(x, y):
    loss, dx = softmax_loss(x, y)
    return loss, dx * len(x)


def svm_loss(x, y):
    n = np.arange(len(x))
    margins = np.maximum(0, x - x[n, y][:, None] + 1)
    margins[n, y] = 0
    dx = (margins > 0).astype(float)
    dx[n, y] -= dx.sum(1)
    return margins.sum() / len(x), dx / len(x)


def svm_loss_without_right_class(x, y):
    loss, dx = svm_loss(x, y)
    dx[np.arange(len(x)), y] = 0
    return loss, dx


def linear_svm(w, x, y, strength):
    loss, dscores = svm_loss(x @ w, y)
    return loss + strength * (w * w).sum(), x.T @ dscores + 2 * strength * w


def linear_svm_half_the_penalty(w, x, y, strength):
    loss, dw = linear_svm(w, x, y, strength)
    return loss, dw - strength * w


def sigmoid_cross_entropy(x, t):
    loss = np.maximum(x, 0) - x * t + np.log1p(np.exp(-abs(x)))
    return loss.mean(), (1 / (1 + np.exp(-x)) - t) / x.size


def sigmoid_cross_entropy_sign(x, t):
    loss, dx = sigmoid_cross_entropy(x, t)
    return loss, -dx


def returned(dout, dx):
    return dout * dx


def only_dw(dout, dw):
    return dw, None, None, None


def of_logits(dout, dx):
    return dx, None


# ---- functions of one array ------------------------------------------------------------------


def sigmoid(x):
    z = np.exp(-abs(x))
    return np.where(x >= 0, 1, z) / (1 + z)


def tanh_of_exp(x):
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def swish(x):
    return x * sigmoid(x)


def dswish(x):
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def softmax(x):
    p = np.exp(x - x.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def dsoftmax(x, dy):
    p = softmax(x)
    return p * (dy - (p * dy).sum(1, keepdims=True))


# ---- the lists -------------------------------------------------------------------------------

R = np.random.default_rng(0)
X, W, B = R.standard_normal((4, 2, 3)), R.standard_normal((6, 5)), R.standard_normal(5)
IMAGES = R.standard_normal((2, 2, 4, 4))
CONV = IMAGES, R.standard_normal((2, 2, 3, 3)), R.standard_normal(2), {"stride": 2, "pad": 1}
NORM = R.standard_normal((5, 4)), R.standard_normal(4), R.standard_normal(4)
STATE = {"eps": 1e-5, "running_mean": np.zeros(4)}
SPATIAL = IMAGES, R.standard_normal(2), R.standard_normal(2), {"eps": 1e-5}
RNN = [R.standard_normal(shape) for shape in ((3, 4), (3, 4), (4, 4), (4, 4), (4,))]
SCORES, LABELS = R.standard_normal((5, 4)), np.array([0, 3, 1, 1, 2])
TARGETS = R.integers(0, 2, (5, 4)).astype(float)
LINEAR = R.standard_normal((3, 4)), R.standard_normal((5, 3)), LABELS, 0.1
DROPOUT = SCORES, {"p": 0.6, "seed": 3}
SQUARE = R.standard_normal((3, 4)), R.standard_normal((4, 4)), R.standard_normal(4)
ATTENTION = [R.standard_normal(shape) for shape in ((3, 4), (5, 4), (5, 2))]

RIGHT = [
    (affine_forward, affine_backward, (X, W, B)),
    (relu_forward, relu_backward, SCORES),
    (conv_forward, conv_backward, CONV),
    (pool_forward, pool_backward, (IMAGES, 2)),
    (batchnorm_forward, norm_backward, (*NORM, STATE)),
    (layernorm_forward, norm_backward, NORM),
    (spatial_forward, spatial_backward, SPATIAL),
    (dropout_forward, dropout_backward, DROPOUT),
    (rnn_forward, rnn_backward, RNN),
    (embedding_forward, embedding_backward, (LABELS, SCORES)),
    (attention_forward, attention_backward, ATTENTION),
    (softmax_loss, returned, (SCORES, LABELS)),
    (svm_loss, returned, (SCORES, LABELS)),
    (linear_svm, only_dw, LINEAR),
    (sigmoid_cross_entropy, of_logits, (SCORES, TARGETS)),
]

# With the rows that must fail, and words of the report.
WRONG = [
    (affine_forward, affine_mean, (X, W, B), ["db"], "every entry is 0.25 times"),
    (affine_forward, affine_no_bias_sum, (X, W, B), ["db"], "expected shape (5,), got (4, 5)"),
    (affine_forward, affine_order, (X, W, B), ["dx", "dw"], "expected shape (4, 2, 3), got (6, 5)"),
    (affine_forward, affine_no_reshape, (X, W, B), ["dx"], "got (4, 6)"),
    (affine_forward, affine_no_transpose, SQUARE, ["dx"], "a transpose"),
    (relu_forward, relu_mask_of_dout, SCORES, ["dx"], "entries differ"),
    (relu_forward, relu_forgets_dout, SCORES, ["dx"], "entries differ"),
    (relu_forward, relu_in_place_backward, SCORES, ["inputs left alone"], "backward writes"),
    (relu_in_place_forward, relu_backward, SCORES, ["inputs left alone"], "forward writes"),
    (conv_forward, conv_wrong_stride, CONV, ["dx", "dw"], "entries differ"),
    (conv_forward, conv_bias_of_batch, CONV, ["db"], "differ"),
    (conv_forward, conv_last_window, CONV, ["dx", "dw", "db"], "differ"),
    (pool_forward, pool_by_mean, (IMAGES, 2), ["dx"], "entries differ"),
    (pool_forward, pool_to_all, (IMAGES, 2), ["dx"], "entries differ"),
    (batchnorm_forward, batchnorm_no_mean_path, (*NORM, STATE), ["dx"], "a missing term"),
    (batchnorm_forward, batchnorm_constant_variance, (*NORM, STATE), ["dx"], "a missing term"),
    (batchnorm_forward, batchnorm_no_division, (*NORM, STATE), ["dx"], "differ"),
    (batchnorm_forward, batchnorm_gamma_of_output, (*NORM, STATE), ["dgamma"], "factor"),
    (layernorm_forward, layernorm_wrong_axis, NORM, ["dx"], "wrong axes"),
    (spatial_forward, spatial_axes, SPATIAL, ["dx"], "differ"),
    (dropout_forward, dropout_other_side, DROPOUT, ["dx"], "differ"),
    (dropout_forward, dropout_unscaled, DROPOUT, ["dx"], "every entry is 0.6 times"),
    (rnn_forward, rnn_slope_of_output, RNN, ["dx", "dh", "dwx", "dwh", "db"], "differ"),
    (rnn_forward, rnn_swapped, RNN, ["dx", "dh"], "differ"),
    (embedding_forward, embedding_once, (LABELS, SCORES), ["dw"], "only 4 of 20 entries differ"),
    (attention_forward, attention_unscaled, ATTENTION, ["dq", "dk"], "every entry is 2 times"),
    (softmax_loss_not_divided, returned, (SCORES, LABELS), ["dx"], "every entry is 5 times"),
    (svm_loss_without_right_class, returned, (SCORES, LABELS), ["dx"], "differ"),
    (linear_svm_half_the_penalty, only_dw, LINEAR, ["dw"], "differ"),
    (sigmoid_cross_entropy_sign, of_logits, (SCORES, TARGETS), ["dx"], "the wrong sign"),
]

RIGHT_SLOPES = [
    (swish, dswish),
    (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    (np.sin, np.cos),
    (np.exp, np.exp),
    (lambda x: np.logaddexp(0, x), sigmoid),
    (lambda x: np.maximum(x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1)),
    (lambda x: x**3, lambda x, dy: 3 * x**2 * dy),
    (softmax, dsoftmax),
    (lambda x: (x**2).sum(), lambda x: 2 * x),
    (lambda x: np.arctan(1e3 * x), lambda x: 1e3 / (1 + (1e3 * x) ** 2)),
    (lambda x: np.log(x + 9), lambda x: 1 / (x + 9)),
]

WRONG_SLOPES = [
    (swish, lambda x: sigmoid(x) * (1 + x), "dx", "differ"),
    (swish, lambda x: dswish(swish(x)), "dx", "differ"),  # the slope at y
    (sigmoid, lambda x: x * (1 - x), "dx", "differ"),  # written for y, called with x
    (np.tanh, lambda x: 1 - np.tanh(x), "dx", "differ"),
    (np.cos, np.sin, "dx", "wrong sign"),
    (np.exp, lambda x: x * np.exp(x - 1), "dx", "differ"),
    (lambda x: x**2, lambda x: x, "dx", "every entry is 0.5 times"),
    (lambda x: x**3, lambda x, dy: 3 * x**2, "dx", "differ"),  # without dy
    (softmax, lambda x: softmax(x) * (1 - softmax(x)), "dx", "write df(x, dy) -> dx"),
    (softmax, lambda x, dy: softmax(x) * dy, "dx", "differ"),
    (
        tanh_of_exp,
        lambda x: 1 - np.tanh(x) ** 2,
        "finite at large inputs",
        "inputs up to 100 in float32: y at",
    ),
    (lambda x: np.log(1 + np.exp(x)), sigmoid, "finite at large inputs", "got inf"),
    (
        sigmoid,
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
        "finite at large inputs",
        "in float32: dx at",
    ),
]
