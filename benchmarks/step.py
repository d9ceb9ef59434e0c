"""How long is one training step, and how long is it in PyTorch?

First both sides train from the same weights on the same noise and images, in float64 and without
dropout, whose masks cannot be the same, and must find the same losses and gradients. Then they are
timed in float32, in turn, block by block, so that both meet the same machine.

    python benchmarks/step.py --model mlp --against torch
"""

import argparse
import copy
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from machine import describe, gemm_ceiling, let_threads_sleep, peak_memory

from scratchgan.data import Batches, to_unit
from scratchgan.gan import MODELS, Config, build, draw_noise
from scratchgan.layers import Dropout, LinearMap

OF_IMAGES = [name for name in MODELS if name != "toy"]
HERE = Path(__file__).parent
AGREE = 1e-7  # largest relative difference of a loss or a gradient
VALIDATED = 3


def main():
    """Validate, time, measure the memory, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=OF_IMAGES, default="mlp")
    parser.add_argument("--against", choices=["torch"], help="time this too, and print the ratio")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of timed blocks")
    parser.add_argument("--steps", type=int, default=40, help="steps in a block")
    parser.add_argument("--memory", action="store_true", help="only print the peak memory, in MiB")
    options = parser.parse_args()
    if options.memory:
        print_own_memory(options)
        return
    ours = Ours(options)
    sides = {"scratchgan": ours}
    if options.against:
        if importlib.util.find_spec("torch") is None:
            sys.exit("--against torch: PyTorch is not installed; pip install -e '.[reference]'")
        print(f"validation: {validate(options)}")
        sides["PyTorch eager"] = Theirs(options, ours.trainer)
        sides["PyTorch, D frozen for G"] = Theirs(options, ours.trainer, frozen=True)
        sides["PyTorch, and fused Adam"] = Theirs(options, ours.trainer, frozen=True, fused=True)
    seconds = take_turns(sides, options)
    flops, ceiling = step_flops(ours.trainer), gemm_ceiling()
    print(describe())
    print(f"{options.model}, batch {options.batch_size}, {options.rounds} rounds of blocks of")
    print(f"{options.steps} steps in turn; {flops / 1e9:.3f} GFLOP a step; ", end="")
    print(f"GEMM ceiling {ceiling / 1e9:.0f} GFLOP/s\n")
    print(f"{'':26}  {'ms/step':>8} {'spread':>15}  {'images/s':>8}  {'GFLOP/s':>7} {'of GEMM':>8}"
          f"  {'ratio':>5}")  # fmt: skip
    for name, times in seconds.items():
        middle = statistics.median(times)
        ratio = statistics.median(t / o for t, o in zip(times, seconds["scratchgan"], strict=True))
        low, high = 1000 * min(times), 1000 * max(times)
        print(
            f"{name:26}  {1000 * middle:8.2f} {low:7.2f}-{high:7.2f}  "
            f"{options.batch_size / middle:8.0f}  {flops / middle / 1e9:7.0f} "
            f"{flops / middle / ceiling:8.0%}  {ratio:5.2f}"
        )
    if options.against:
        size = options.batch_size
        own = memory_of("step.py", "--model", options.model, "--batch-size", size, "--memory")
        other = memory_of("torch_twin.py", options.model, size)
        print(f"\npeak memory of a process that trains: {own:.0f} MiB, PyTorch {other:.0f} MiB")


class Ours:
    """A step of the library's trainer: noise, batch, both networks, both optimisers."""

    def __init__(self, options, dtype="float32"):
        rng = np.random.default_rng(0)
        shape = (1024, *MODELS[options.model].image_shape)
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        config = Config("random images", options.model, batch_size=options.batch_size, dtype=dtype)
        self.trainer = build(config, images, "numpy")

    def step(self):
        """Both losses."""
        step = self.trainer.step()
        return float(step.d_loss), float(step.g_loss)


class Theirs:
    """The same in PyTorch; its images are ready as floats."""

    def __init__(self, options, trainer, **form):
        import torch
        from torch_twin import TorchGAN

        self.torch = torch
        self.gan = TorchGAN(options.model, options.batch_size, **form)
        self.gan.load(trainer.generator, trainer.discriminator)
        images = to_unit(trainer.images).astype(trainer.generator.theta.dtype)
        self.images = torch.from_numpy(images)
        if options.model.startswith("dcgan"):  # channels first, PyTorch's own order
            self.images = self.images.permute(0, 3, 1, 2).contiguous()
        self.batches = Batches(trainer.images, options.batch_size, np.random.default_rng(0))

    def step(self):
        """Both losses."""
        return self.gan.step_on(self.images, self.torch.from_numpy(self.batches.next()))


def validate(options):
    """Train both on the same draws in float64; the largest relative differences, in words.

    In float32 one activation in millions rounds to the other side of a LeakyReLU's kink, which
    alone is 1e-3 of a gradient of the first layer; and Adam magnifies what differs.
    """
    ours = Ours(options, "float64")
    theirs = Theirs(options, ours.trainer, frozen=True, dtype="float64")
    trainer, torch = ours.trainer, theirs.torch
    theirs.gan.without_dropout()
    for layer in trainer.discriminator.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    rng = copy.deepcopy(trainer.rng)
    batches = Batches(trainer.images, trainer.batch_size, rng)
    loss = gradient = 0.0
    for _ in range(VALIDATED):
        x = theirs.images[torch.from_numpy(batches.next())]
        z = [draw_noise(rng, *theirs.gan.noise_shape).astype("float64") for _ in range(2)]
        found = theirs.gan.step(x, *map(torch.from_numpy, z))
        for own, other in zip(ours.step(), found, strict=True):
            loss = max(loss, abs(own - other) / abs(other))
        for own, other in theirs.gan.gradients(trainer.generator, trainer.discriminator):
            gradient = max(gradient, np.abs(own - other).max() / np.abs(other).max())
    if not max(loss, gradient) <= AGREE:
        sys.exit(f"validation FAILED: losses {loss:.1e}, gradients {gradient:.1e}, {AGREE} allowed")
    return f"losses agree to {loss:.1e}, gradients to {gradient:.1e}, over {VALIDATED} steps"


def take_turns(sides, options):
    """Seconds a step: one number a round for each side."""
    for side in sides.values():
        for _ in range(min(10, options.steps)):
            side.step()
    seconds = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, side in sides.items():
            let_threads_sleep()
            side.step()
            start = time.perf_counter()
            for _ in range(options.steps):
                side.step()
            seconds[name].append((time.perf_counter() - start) / options.steps)
    return seconds


def step_flops(trainer):
    """Multiplications and additions in the matrix products of one step.

    A layer has three products of one size: forward, dw and dx. D's step: G forward; D forward,
    dw, and dx but for the first layer, twice. G's step: G and D forward; D's dx; G's dw and dx.
    """

    def products(network, x):
        sizes = []
        for layer in network.layers:
            y, _ = layer.forward(x, train=False)
            if isinstance(layer, LinearMap) and layer.w is not None:
                # Each pixel of the smaller image meets every weight once; dense: one pixel.
                pixels = min(x.size // x.shape[-1], y.size // y.shape[-1])
                sizes.append(2 * trainer.batch_size * pixels * layer.w.size)
            x = y
        return sum(sizes), sum(sizes[1:])

    z, image = (1, trainer.z_dim), (1, *trainer.images.shape[1:])
    g, g_upper = products(trainer.generator, np.zeros(z, np.float32))
    d, d_upper = products(trainer.discriminator, np.zeros(image, np.float32))
    return (g + 2 * (2 * d + d_upper)) + (g + d + d + g + g_upper)


def memory_of(*command):
    """MiB at its largest of a fresh process that trains one side alone."""
    command = [sys.executable, str(HERE / command[0]), *map(str, command[1:])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_own_memory(options):
    """Train a little, and print the peak memory of this process."""
    ours = Ours(options)
    for _ in range(5):
        ours.step()
    print(peak_memory())


if __name__ == "__main__":
    main()
