"""How long is one training step, and how long is it in PyTorch?

First both sides train from the same weights on the same noise and images, without dropout, whose
masks cannot be the same, and must find the same losses. Then they are timed in turn, block by
block, so that both meet the same machine.

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
from memory import peak_memory

from scratchgan.data import Batches, to_unit
from scratchgan.gan import MODELS, Config, build, draw_noise
from scratchgan.layers import Dense, Dropout

HERE = Path(__file__).parent
AGREE = 1e-4  # largest relative difference of a loss, over VALIDATED steps
VALIDATED = 10


def main():
    """Validate, time, measure the memory, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=list(MODELS), default="mlp")
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
        sides["PyTorch eager, fused Adam"] = Theirs(options, ours.trainer, fused=True)
    seconds = take_turns(sides, options)
    flops = step_flops(ours.trainer)
    print(f"{options.model}, batch {options.batch_size}, {options.rounds} rounds of blocks of")
    print(f"{options.steps} steps in turn; {flops / 1e9:.3f} GFLOP a step; ", end="")
    print(f"GEMM ceiling here {gemm_ceiling() / 1e9:.0f} GFLOP/s\n")
    print(f"{'':26}  {'ms/step':>8} {'spread':>13}  {'images/s':>8}  {'GFLOP/s':>7}  {'ratio':>5}")
    for name, times in seconds.items():
        middle = statistics.median(times)
        ratio = statistics.median(t / o for t, o in zip(times, seconds["scratchgan"], strict=True))
        low, high = 1000 * min(times), 1000 * max(times)
        print(
            f"{name:26}  {1000 * middle:8.2f} {low:6.2f}-{high:6.2f}  "
            f"{options.batch_size / middle:8.0f}  {flops / middle / 1e9:7.0f}  {ratio:5.2f}"
        )
    if options.against:
        size = options.batch_size
        own = memory_of("step.py", "--model", options.model, "--batch-size", size, "--memory")
        other = memory_of("torch_twin.py", options.model, size)
        print(f"\npeak memory of a process that trains: {own:.0f} MiB, PyTorch {other:.0f} MiB")


class Ours:
    """A step of the library's trainer: noise, batch, both networks, both optimisers."""

    def __init__(self, options):
        rng = np.random.default_rng(0)
        shape = (4096, *MODELS[options.model].image_shape)
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        config = Config("random images", options.model, batch_size=options.batch_size)
        self.trainer = build(config, images, "numpy")

    def step(self):
        """Both losses."""
        step = self.trainer.step()
        return float(step.d_loss), float(step.g_loss)


class Theirs:
    """The same in PyTorch; its images are ready as floats."""

    def __init__(self, options, trainer, fused=False):
        import torch
        from torch_twin import TorchGAN

        self.torch = torch
        self.gan = TorchGAN(options.model, options.batch_size, fused=fused)
        self.gan.load(trainer.generator, trainer.discriminator)
        self.images = torch.from_numpy(to_unit(trainer.images))
        self.batches = Batches(trainer.images, options.batch_size, np.random.default_rng(0))

    def step(self):
        """Both losses."""
        return self.gan.step_on(self.images, self.torch.from_numpy(self.batches.next()))


def validate(options):
    """Train both on the same draws; the largest relative difference of a loss, in words."""
    ours = Ours(options)
    theirs = Theirs(options, ours.trainer)
    trainer, torch = ours.trainer, theirs.torch
    theirs.gan.without_dropout()
    for layer in trainer.discriminator.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    rng = copy.deepcopy(trainer.rng)
    batches = Batches(trainer.images, trainer.batch_size, rng)
    worst = 0.0
    for _ in range(VALIDATED):
        x = theirs.images[torch.from_numpy(batches.next())]
        z = [torch.from_numpy(draw_noise(rng, *theirs.gan.noise_shape)) for _ in range(2)]
        for own, other in zip(ours.step(), theirs.gan.step(x, *z), strict=True):
            worst = max(worst, abs(own - other) / abs(other))
    if worst > AGREE:
        sys.exit(f"validation FAILED: losses differ by {worst:.1e}, {AGREE:.0e} allowed")
    return f"losses agree to {worst:.1e} over {VALIDATED} steps (dropout off for these)"


def take_turns(sides, options):
    """Seconds a step: one number a round for each side."""
    for side in sides.values():
        for _ in range(10):
            side.step()
    seconds = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            for _ in range(options.steps):
                side.step()
            seconds[name].append((time.perf_counter() - start) / options.steps)
    return seconds


def step_flops(trainer):
    """Multiplications and additions in the matrix products of one step.

    A product of a layer is 2 N I O, forward, for dw and for dx. D's step: G forward; D forward,
    dw, and dx but for the first layer, twice. G's step: G and D forward; D's dx; G's dw and dx.
    """

    def products(network):
        dense = [layer for layer in network.layers if isinstance(layer, Dense)]
        sizes = [2 * trainer.batch_size * layer.w.size for layer in dense]
        return sum(sizes), sum(sizes[1:])

    (g, g_upper), (d, d_upper) = products(trainer.generator), products(trainer.discriminator)
    return (g + 2 * (2 * d + d_upper)) + (g + d + d + g + g_upper)


def gemm_ceiling(n=2048):
    """The machine's best rate for a float32 matrix product, in FLOP/s."""
    a = np.random.default_rng(0).standard_normal((n, n), np.float32)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2 * n**3 / min(times)


def memory_of(*command):
    """MiB at its largest of a fresh process that trains one side alone."""
    command = [sys.executable, str(HERE / command[0]), *map(str, command[1:])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_own_memory(options):
    """Train a little, and print the peak memory of this process."""
    ours = Ours(options)
    for _ in range(20):
        ours.step()
    print(peak_memory())


if __name__ == "__main__":
    main()
