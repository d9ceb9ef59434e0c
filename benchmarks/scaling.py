"""How the time of a DCGAN's training step grows with batch size, width and image size.

Prints a table, and draws it into --out. One of the three is changed at a time.

    python benchmarks/scaling.py --out docs/scaling.png
"""

import argparse
import time

import matplotlib.pyplot as plt
import numpy as np
from machine import describe, gemm_ceiling
from step import step_flops
from tqdm import tqdm

from scratchgan.gan import Config, build, dcgan_name, model

BASE = {"batch size": 64, "width": 64, "image size": 32}
VALUES = {
    "batch size": (8, 16, 32, 64, 128, 256),
    "width": (8, 16, 32, 64, 128),
    "image size": (16, 32, 64, 128),
}


def main():
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default="scaling.png", help="the plot")
    parser.add_argument("--steps", type=int, default=7, help="timed steps; the fastest one counts")
    options = parser.parse_args()
    ceiling = gemm_ceiling() / 1e9
    settings = [(name, value) for name, values in VALUES.items() for value in values]
    found = {
        key: measure(BASE | dict([key]), options.steps)
        for key in tqdm(settings, unit="setting", leave=False)
    }
    print(f"{describe()}; float32; GEMM ceiling {ceiling:.0f} GFLOP/s")
    print(", ".join(f"{name} {value}" for name, value in BASE.items()), "unless said\n")
    print("| changed | to | ms a step | images/s | GFLOP a step | GFLOP/s | of the ceiling |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for (name, value), (seconds, flops) in found.items():
        images = (BASE | {name: value})["batch size"] / seconds
        rate = flops / seconds / 1e9
        print(f"| {name} | {value} | {1000 * seconds:.0f} | {images:.0f} | {flops / 1e9:.1f} "
              f"| {rate:.0f} | {rate / ceiling:.0%} |")  # fmt: skip
    draw(found, options.out)


def measure(setting, steps):
    """Seconds and FLOPs of a step."""
    name = dcgan_name(setting["image size"], 3, setting["width"], upsample=False, dropout=0.0)
    images = np.random.default_rng(0).integers(
        0, 256, (256, *model(name).image_shape), dtype=np.uint8
    )
    trainer = build(
        Config("random images", name, batch_size=setting["batch size"]), images, "numpy"
    )
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        trainer.step()
        times.append(time.perf_counter() - start)
    return min(times[1:]), step_flops(trainer)


def draw(found, out):
    """Time against each of the three, on logarithmic axes, with the time the FLOPs alone grow."""
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
    for panel, (name, values) in zip(panels, VALUES.items(), strict=True):
        seconds, flops = zip(*(found[name, value] for value in values), strict=True)
        best = max(f / s for s, f in zip(seconds, flops, strict=True))
        panel.loglog(values, [1000 * s for s in seconds], "o-", label="measured")
        panel.loglog(values, [1000 * f / best for f in flops], "--", color="grey",
                     label="at the best rate here")  # fmt: skip
        panel.set_xticks(values, map(str, values))
        panel.minorticks_off()
        panel.set_xlabel(name)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("ms a step")
    panels[0].legend()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
