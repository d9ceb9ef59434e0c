"""Any network of ours, with the same parameters, computed by PyTorch and its autograd.

Import it from test modules that need PyTorch: without the package they are skipped.
"""

import numpy as np
import pytest

from scratchgan import (
    BatchNorm,
    ConcatLabels,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Pack,
    Projection,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    UpSample2D,
)
from scratchgan.catalogue import Labelled

from .compare import assert_close

torch = pytest.importorskip("torch")
torch.set_num_threads(1)
F = torch.nn.functional

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


def nchw(x):
    """Channels last -> PyTorch's channels first."""
    return x.movedim(-1, 1).contiguous()


def nhwc(x):
    """PyTorch's channels first -> channels last."""
    return x.movedim(1, -1).contiguous()


class Twin:
    """A network of ours as a PyTorch function.

    Parameters
    ----------
    net : Layer
        Initialised. Its state is copied; nothing is shared.
    """

    def __init__(self, net):
        self.net = net
        self.state = {key: torch.tensor(a) for key, a in net.state_dict().items()}
        self.params = {key: self.state[key].requires_grad_() for key in net.params()}

    def __call__(self, x, train=True):
        return self._run(self.net, "", x, train)

    def _run(self, layer, path, x, train):
        get = lambda name: self.state.get(f"{path}{name}")  # noqa: E731
        match layer:
            case Labelled():
                return self._run(
                    layer.layers[0], f"{path}0.", (x, torch.tensor(layer.labels)), train
                )
            case Sequential():
                y = x
                for i, part in enumerate(layer.layers):
                    y = self._run(part, f"{path}{i}.", y, train)
                return x + y if isinstance(layer, Residual) else y
            case Dense():
                y = x @ get("w")
                return y if layer.b is None else y + get("b")
            case Conv2D():
                w = get("w").permute(3, 2, 0, 1).contiguous()
                y = F.conv2d(nchw(x), w, get("b"), stride=layer.stride, padding=layer.padding)
                return nhwc(y)
            case ConvTranspose2D():
                w = get("w").permute(3, 2, 0, 1).contiguous()
                options = layer.stride, layer.padding, layer.output_padding
                return nhwc(F.conv_transpose2d(nchw(x), w, get("b"), *options))
            case BatchNorm():
                running = get("running_mean"), get("running_var")
                weights = get("gamma"), get("beta")
                y = F.batch_norm(nchw(x), *running, *weights, train, 1 - layer.decay, layer.eps)
                return nhwc(y)
            case LayerNorm():
                return F.layer_norm(x, layer.gamma.shape, get("gamma"), get("beta"), layer.eps)
            case LeakyReLU():
                return F.leaky_relu(x, layer.slope)
            case Tanh():
                return torch.tanh(x)
            case Sigmoid():
                return torch.sigmoid(x)
            case Softplus():
                return F.softplus(x, threshold=1000)
            case Flatten():
                return x.flatten(1)
            case Reshape():
                return x.reshape(len(x), *layer.shape)
            case UpSample2D():
                return nhwc(F.interpolate(nchw(x), scale_factor=layer.factor, mode="nearest"))
            case Embedding():
                return F.embedding(x, get("w"))
            case ConcatLabels():
                x, labels = x
                e = self._run(layer.embedding, f"{path}embedding.", labels, train)
                return self._run(layer.net, f"{path}net.", torch.cat([x.flatten(1), e], 1), train)
            case Projection():
                x, labels = x
                e = self._run(layer.embedding, f"{path}embedding.", labels, train)
                phi = self._run(layer.body, f"{path}body.", x, train)
                logits = self._run(layer.head, f"{path}head.", phi, train)
                return logits + torch.einsum("nf,nf->n", e, phi)[:, None]
            case SpectralNorm():
                w, u, v = get("layer.w"), get("u"), get("v")
                s = u @ w.reshape(len(u), len(v)) @ v
                state, self.state = self.state, self.state | {f"{path}layer.w": w / s}
                y = self._run(layer.layer, f"{path}layer.", x, train)
                self.state = state
                return y
            case Pack():
                return torch.cat([x[i :: layer.m] for i in range(layer.m)], -1)
            case MinibatchStd():
                s = (x.var(0, correction=0) + layer.eps).sqrt().mean()
                return torch.cat([x, s.expand(*x.shape[:-1], 1)], -1)
        raise NotImplementedError(f"no twin of {layer}")

    def grads(self, value, *inputs):
        """Gradients of a scalar, with zeros where it does not depend on something.

        Returns
        -------
        by_inputs : list of array
        by_params : dict of array
        """
        wanted = [*inputs, *self.params.values()]
        found = torch.autograd.grad(
            value, wanted, allow_unused=True, materialize_grads=True, retain_graph=True
        )
        arrays = [g.detach().numpy() for g in found]
        by_params = dict(zip(self.params, arrays[len(inputs) :], strict=True))
        return arrays[: len(inputs)], by_params


def prepare(layer, shape, dtype, seed):
    """The layer initialised and moved off its start, and random x and t."""
    rng = np.random.default_rng(seed)
    net = layer.initialize(rng, dtype=dtype)
    net.theta += 0.3 * rng.standard_normal(net.theta.shape).astype(dtype)
    x, t = rng.standard_normal((2, *shape)).astype(dtype)
    return net, x, t, rng


def assert_params_agree(net, wanted, tolerance, what):
    """Our accumulated gradients against those of a twin."""
    for key, param in net.params().items():
        assert_close(param.grad, wanted[key], tolerance, f"{what}: d{key} of {net}")


def assert_first_order_agrees(layer, shape, dtype, seed=0, train=True):
    """y, dx, all parameter gradients and all running statistics, of ours and of the twin's."""
    tolerance = TOLERANCE[dtype]
    net, x, _, rng = prepare(layer, shape, dtype, seed)
    for name in ("running_mean", "running_var"):  # off their start, too
        for part in net.sublayers().values():
            if name in part.buffers:
                getattr(part, name)[...] = rng.uniform(0.5, 2, getattr(part, name).shape)
    twin = Twin(net)
    y, cache = net.forward(x, train)
    dy = rng.standard_normal(y.shape).astype(dtype)
    net.zero_grad()
    dx = net.backward(dy, cache)

    x_ = torch.tensor(x, requires_grad=True)
    y_ = twin(x_, train)
    (dx_,), by_params = twin.grads((y_ * torch.tensor(dy)).sum(), x_)
    assert y.dtype == dx.dtype == dtype
    assert_close(y, y_.detach(), tolerance, f"y of {net}")
    assert_close(dx, dx_, tolerance, f"dx of {net}")
    assert_params_agree(net, by_params, tolerance, "backward")
    for key, value in net.state_dict().items():
        assert_close(value, twin.state[key].detach(), tolerance, f"{key} of {net}")


def assert_second_order_agrees(layer, shape, dtype, seed=0, train=True):
    """J t, dB/dx and dB/dθ for B = <J t, dy>, against autograd used twice."""
    tolerance = TOLERANCE[dtype]
    net, x, t, rng = prepare(layer, shape, dtype, seed)
    twin = Twin(net)
    y, cache = net.forward(x, train)
    dy = rng.standard_normal(y.shape).astype(dtype)
    net.zero_grad()
    jt, bend = net.double_backward(t, dy, cache)

    x_, dy_ = (torch.tensor(a, requires_grad=True) for a in (x, dy))
    (dx_,) = torch.autograd.grad(twin(x_, train), x_, dy_, create_graph=True)
    # B = <t, J^T dy> is linear in dy, so that its gradient there is J t.
    (bend_, jt_), by_params = twin.grads((dx_ * torch.tensor(t)).sum(), x_, dy_)
    assert_close(jt, jt_, tolerance, f"J t of {net}")
    assert_close(np.zeros_like(x) if bend is None else bend, bend_, tolerance, f"dB/dx of {net}")
    assert_params_agree(net, by_params, tolerance, "double_backward")
