"""What does a gradient penalty cost? A step of D with it, against one without, in turn.

python benchmarks/penalty.py --models mlp dcgan28
"""

import argparse
import time

import numpy as np
from machine import describe

from scratchgan.gan import Config, build, model
from scratchgan.penalties import Regulariser

STEPS = {"toy": 100, "mlp": 60, "dcgan28": 6, "dcgan32": 2}  # of D in a turn
PENALTIES = ("wgan-gp", "r1+r2")


def main():
    """Time the turns; print the medians and the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    print(describe())
    for name in options.models:
        shape = (4 * options.batch_size, *model(name).image_shape)
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        size = options.batch_size
        config = Config("random", name, loss="wasserstein", d_norm="none", batch_size=size)
        trainer = build(config, images, "numpy")
        x, _ = trainer.source.batch()
        seconds = {penalty: [] for penalty in ("none", *PENALTIES)}
        for _ in range(options.rounds):
            for penalty, turns in seconds.items():
                trainer.regulariser = None if penalty == "none" else Regulariser(penalty)
                trainer.d_step(x)
                start = time.perf_counter()
                for _ in range(STEPS[name]):
                    trainer.d_step(x)
                turns.append((time.perf_counter() - start) / STEPS[name])
        for penalty, turns in seconds.items():
            ratio = np.median(np.array(turns) / seconds["none"])
            print(f"{name:8} {penalty:8} {1000 * np.median(turns):8.2f} ms  {ratio:.2f}")


if __name__ == "__main__":
    main()
