"""Where the time of a training step goes, and how near each part is to what the machine can do.

Every operation of the backend is timed where the layers call it. Products of matrices are held
against the machine's best product, passes over memory against its best copy; each array that a
pass must read or write counts once.

    python benchmarks/parts.py --model dcgan64
"""

import argparse
import math
import time
from types import SimpleNamespace

import numpy as np
from machine import copy_ceiling, describe, gemm_ceiling
from step import OF_IMAGES, Ours

from scratchgan.backend.cpu import ops

# How many arrays of the size of its largest one an operation reads and writes.
PASSES = {
    "adam_": 7, "add_bias_": 2, "add_rows_": 1, "batch_moments_": 1, "batch_norm": 2,
    "batch_norm_grad": 3, "batch_norm_sums_": 2, "ema_": 3, "leaky_relu": 2, "leaky_relu_grad": 3,
    "tanh": 2, "tanh_grad": 3,
}  # fmt: skip
FLOPS = {
    "conv2d": lambda y, x, w, *_: 2 * y[..., 0].size * w.size,
    "conv2d_adjoint": lambda dx, dy, w, *_: 2 * dy[..., 0].size * w.size,
    "conv2d_weight_grad": lambda dw, x, dy, *_: 2 * dy[..., 0].size * dw.size,
    "matmul": lambda y, a, b: 2 * a.size * b.shape[1],
}


def main():
    """Time the parts of some steps, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=OF_IMAGES, default="dcgan64")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    ours = Ours(options)
    gemm, copy = gemm_ceiling(), copy_ceiling()
    for _ in range(2):
        ours.step()
    parts = {name: watch(name) for name in (*FLOPS, *PASSES)}
    start = time.perf_counter()
    for _ in range(options.steps):
        ours.step()
    total = time.perf_counter() - start
    print(f"{describe()}; {options.model}, batch {options.batch_size}, float32")
    print(f"ceilings: {gemm / 1e9:.0f} GFLOP/s, {copy / 1e9:.0f} GB/s\n")
    print("| part | calls | ms | share | rate | of the ceiling |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, part in sorted(parts.items(), key=lambda item: -item[1].seconds):
        if part.seconds < 0.002 * total:
            continue
        unit, ceiling = ("GFLOP/s", gemm) if name in FLOPS else ("GB/s", copy)
        rate = part.work / part.seconds
        print(
            f"| `{name}` | {part.calls / options.steps:.0f} "
            f"| {1000 * part.seconds / options.steps:.1f} | {part.seconds / total:.1%} "
            f"| {rate / 1e9:.0f} {unit} | {rate / ceiling:.0%} |"
        )
    rest = total - sum(part.seconds for part in parts.values())
    print(f"| the rest | | {1000 * rest / options.steps:.1f} | {rest / total:.1%} | | |")
    print(f"| a step | | {1000 * total / options.steps:.1f} | | | |")


def watch(name):
    """Time every call of an operation from now on, and count its work: FLOPs or bytes."""
    function = getattr(ops, name)
    part = SimpleNamespace(seconds=0.0, calls=0, work=0)

    def timed(*arguments):
        start = time.perf_counter()
        result = function(*arguments)
        part.seconds += time.perf_counter() - start
        part.calls += 1
        if name in FLOPS:
            part.work += FLOPS[name](result, *arguments)
        else:
            arrays = [a for a in arguments if isinstance(a, np.ndarray)]
            part.work += PASSES[name] * max(math.prod(a.shape) * a.itemsize for a in arrays)
        return result

    setattr(ops, name, timed)
    return part


if __name__ == "__main__":
    main()
