"""Watch a GAN learn points in the plane: D's field, G's samples, and where D sends them.

    python examples/toy_2d.py --data ring --preset r3gan
    python examples/toy_2d.py --data grid --preset gan        # and see it collapse

The animation shows D's logit at every place of the plane (orange: real), real points in black and
generated points in green. Arrows at some of these show the direction in which G's loss falls.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import trange

from scratchgan.cli import exit_status
from scratchgan.data import grid, grid_modes, ring, ring_modes, swiss_roll, two_moons
from scratchgan.gan import PRESETS, Config, build, draw_noise
from scratchgan.metrics import count_modes
from scratchgan.plots import field_frame, save_animation

# Name: (points, (modes, sigma) of a mixture or None, the divisor that brings them to [-1, 1]).
DATA = {
    "ring": (ring, (ring_modes(), 0.01), 1), "grid": (grid, (grid_modes(), 0.05), 4),
    "swiss_roll": (swiss_roll, None, 2), "two_moons": (two_moons, None, 2),
}  # fmt: skip
LIMIT = 1.5  # the picture shows the square [-LIMIT, LIMIT]^2
SIDE = 60  # pixels of D's field along each axis
ARROWS = 100


def main():
    """Read the command line, train, draw, and count the modes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=list(DATA), default="ring")
    # A D that judges packs of samples has no logit for a single place of the plane.
    presets = [name for name in PRESETS if "pack" not in PRESETS[name].settings]
    parser.add_argument("--preset", choices=presets, default="r3gan")
    # Presets are for images; for points in the plane their rates are too small.
    parser.add_argument(
        "--faster", type=float, default=5.0, help="multiply the preset's learning rates by this"
    )
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/toy_2d"))
    options = parser.parse_args()
    points, mixture, scale = DATA[options.data]
    rng = np.random.default_rng(options.seed)
    x = points(100_000, rng) / np.float32(scale)
    recipe = {"ema": 0.99} | PRESETS[options.preset].settings
    recipe |= {name: options.faster * recipe[name] for name in ("g_lr", "d_lr")}
    config = Config(options.data, "toy", seed=options.seed, **recipe)
    trainer = build(config, x, "numpy")  # too small to gain from a GPU
    z = draw_noise(rng, 2500, trainer.z_dim)
    (options.out / "frames").mkdir(parents=True, exist_ok=True)
    frames = []
    for step in trange(options.steps + 1, unit="step"):
        if step % max(options.steps // max(options.frames, 1), 1) == 0:
            frames.append(options.out / "frames" / f"{step:06}.png")
            title = f"{options.data}, {options.preset}, step {step}"
            draw(trainer, x[:1000], z[:500], frames[-1], title)
        trainer.step()
    save_animation(frames, options.out / "toy.gif")
    print(f"{options.out}: toy.gif, frames/")
    if mixture:
        samples, _ = trainer.best_generator.forward(z, train=False)
        found = count_modes(scale * samples, *mixture)
        print(
            f"{found.modes} of {len(mixture[0])} modes, {found.good:.1%} good samples, "
            f"reverse KL {found.reverse_kl:.3f}"
        )


def draw(trainer, real, z, path, title):
    """Draw one frame of the animation."""
    D = trainer.discriminator
    ticks = np.linspace(-LIMIT, LIMIT, SIDE, dtype=np.float32)
    plane = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)  # (SIDE * SIDE, 2)
    field, _ = D.forward(plane, train=False)
    fake, _ = trainer.best_generator.forward(z, train=False)  # (M, 2)
    logits, cache = D.forward(fake[:ARROWS], train=False)
    against = [D.forward(real[:ARROWS], train=False)[0]] if trainer.loss.relativistic else []
    _, dlogits = trainer.loss.generator(logits, *against)
    dfake = D.backward(dlogits, cache, into_params=False)  # (ARROWS, 2)
    field_frame(path, real, fake, field.reshape(SIDE, SIDE), -dfake, LIMIT, title)


if __name__ == "__main__":
    sys.exit(exit_status(main))
