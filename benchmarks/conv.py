"""Every convolution of the DCGANs - forward, input gradient, weight gradient - against PyTorch's.

First each product is checked in float64 against PyTorch; then both are timed in float32, in turn,
and the ratio says how many times as long PyTorch takes (above 1: ours is faster).

    python benchmarks/conv.py
    python benchmarks/conv.py --models dcgan28 --rounds 21
"""

import argparse
import statistics
import sys
import time

import numpy as np
from machine import describe, gemm_ceiling, let_threads_sleep

from scratchgan.backend.conv_reference import out_size
from scratchgan.backend.cpu import ops
from scratchgan.gan import MODELS
from scratchgan.layers import Conv2D, ConvTranspose2D

AGREE = 1e-10  # largest difference in float64, relative to the largest entry
CALLS = 3  # in a row, after one that is not timed
MODELS = {name: model for name, model in MODELS.items() if name.startswith("dcgan")}


def main():
    """Check and time each shape, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=11, help="turns of each library")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is not installed; pip install -e '.[reference]'")
    print(f"{describe()}, PyTorch {torch.__version__} ({torch.get_num_threads()} threads)")
    print(f"batch {options.batch_size}, float32, median of {options.rounds} rounds; ", end="")
    print(f"GEMM ceiling here {gemm_ceiling() / 1e9:.0f} GFLOP/s\n")
    print(f"{'':34}  {'GFLOP/s (and PyTorch ratio)':^40}")
    print(f"{'H x W x C -> O, kernel/stride/pad':34}  {'forward':>13} {'dx':>13} {'dw':>13}")
    for shape in shapes(options.models):
        cells = []
        for product in "forward", "dx", "dw":
            validate(shape, product)
            own, other, flops = race(shape, product, options)
            ratio = statistics.median(b / a for a, b in zip(own, other, strict=True))
            cells.append(f"{flops / statistics.median(own) / 1e9:6.0f} ({ratio:4.2f})")
        (H, W, C, O), kernel, stride, pad = shape  # noqa: E741
        name = f"{H} x {W} x {C} -> {O}, {kernel}/{stride}/{pad}"
        print(f"{name:34}  {' '.join(f'{c:>13}' for c in cells)}", flush=True)


def shapes(models):
    """((H, W, C, O), kernel, stride, padding) of each convolution in the models, once.

    A transposed convolution is listed as the convolution whose adjoint it is.
    """
    found = {}
    for name in models:
        model = MODELS[name]
        starts = (1, model.z_dim), (1, *model.image_shape)
        for network, start in zip((model.generator(), model.discriminator()), starts, strict=True):
            x = np.zeros(start, np.float32)
            for layer in network.initialize().layers:
                y, _ = layer.forward(x, train=False)
                if isinstance(layer, (Conv2D, ConvTranspose2D)):
                    large, small = (x, y) if isinstance(layer, Conv2D) else (y, x)
                    shape = (*large.shape[1:], small.shape[3])
                    found[shape, layer.kernel[0], layer.stride[0], layer.padding[0]] = True
                x = y
    return sorted(found, reverse=True)


class Sides:
    """One shape's arrays, and its three products in either library."""

    def __init__(self, shape, batch, dtype):
        import torch

        (H, W, C, O), k, s, p = shape  # noqa: E741
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((batch, H, W, C)).astype(dtype)
        self.w = rng.standard_normal((k, k, C, O)).astype(dtype)
        small = (out_size(n, k, s, (p, p)) for n in (H, W))
        self.dy = rng.standard_normal((batch, *small, O)).astype(dtype)
        self.size, self.kernel, self.stride, self.pad = (H, W), (k, k), (s, s), ((p, p), (p, p))
        self.torch, self.step, self.p = torch, s, p

        def channels_first(a, *order):  # PyTorch's own order
            return torch.from_numpy(a.transpose(order).copy())

        self.tx = channels_first(self.x, 0, 3, 1, 2)
        self.tw = channels_first(self.w, 3, 2, 0, 1)
        self.tdy = channels_first(self.dy, 0, 3, 1, 2)

    def ours(self, product):
        """The product by the library, channels last."""
        if product == "forward":
            return ops.conv2d(self.x, self.w, self.stride, self.pad)
        if product == "dx":
            return ops.conv2d_adjoint(self.dy, self.w, self.stride, self.pad, self.size)
        return ops.conv2d_weight_grad(self.x, self.dy, self.kernel, self.stride, self.pad)

    def theirs(self, product):
        """The product by PyTorch, channels first."""
        if product == "forward":
            return self.torch.nn.functional.conv2d(
                self.tx, self.tw, stride=self.step, padding=self.p
            )
        mask = [product == "dx", product == "dw", False]
        found = self.torch.ops.aten.convolution_backward(
            self.tdy, self.tx, self.tw, None, [self.step] * 2, [self.p] * 2, [1, 1], False, [0, 0],
            1, mask,
        )  # fmt: skip
        return found[mask.index(True)]


def validate(shape, product):
    """Stop unless both find the same in float64."""
    sides = Sides(shape, 3, "float64")
    order = (2, 3, 1, 0) if product == "dw" else (0, 2, 3, 1)
    own, other = sides.ours(product), sides.theirs(product).numpy().transpose(order)
    error = np.abs(own - other).max() / np.abs(other).max()
    if not error <= AGREE:
        sys.exit(f"validation FAILED: {shape} {product}: {error:.1e}, {AGREE} allowed")


def race(shape, product, options):
    """Seconds a call of ours and of theirs, round by round, and the FLOPs of one call."""
    sides = Sides(shape, options.batch_size, "float32")
    times = {sides.ours: [], sides.theirs: []}
    for _ in range(options.rounds):
        for side, found in times.items():
            let_threads_sleep()
            side(product)
            start = time.perf_counter()
            for _ in range(CALLS):
                side(product)
            found.append((time.perf_counter() - start) / CALLS)
    return *times.values(), 2 * sides.dy[..., 0].size * sides.w.size


if __name__ == "__main__":
    main()
