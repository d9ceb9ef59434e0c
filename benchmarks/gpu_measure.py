"""One network at one batch size on a card: is it right, and how long is a step of each side?"""

import copy
import gc
import statistics
import time

from gpu_sides import MAKERS, SIDES, trainer_of

ROUNDS, BLOCK_SECONDS = 7, 0.12  # timed blocks of each side, and how long each is
AGREE = 1e-7  # largest relative difference of a loss, in float64


def measure(model, size, seconds):
    """Validate, then time all sides in turn; after each precision, all that was found so far.

    Parameters
    ----------
    model : str
    size : int or str
        Images in a batch.
    seconds : float
        For all of it. Compiling is begun only while half of them are left.

    Yields
    ------
    dict
        The same one, which grows.
    """
    end, size = time.monotonic() + seconds, int(size)
    result = {"model": model, "batch": size, "validation": validate(model), "sides": {}}
    result["left out"] = []
    yield result
    flops, moved = step_work(trainer_of(model, size, "numpy"))
    for tf32 in (True, False):
        gemm, copied = gemm_ceiling(tf32), copy_ceiling()
        sides, failed = {}, {}
        for name, make in MAKERS.items():
            if name == "compiled" and time.monotonic() > end - seconds / 2:
                failed[name] = "no time to compile it"
                continue
            try:
                sides[name] = make(model, size, tf32)
            except Exception as error:
                failed[name] = first_line(error)
        precision = "on" if tf32 else "off"
        for name, times in take_turns(sides, failed).items():
            middle = statistics.median(times)
            result["sides"][f"{name} {precision}"] = {
                "seconds": times,
                "images": size / middle,
                "gemm": flops / middle / gemm,
                "copy": moved / middle / copied,
                "memory": sides[name].memory,
                "note": sides[name].note,
            }
        result["left out"] += [
            f"{SIDES[name]}, TF32 {precision}: {why}" for name, why in failed.items()
        ]
        for side in sides.values():
            side.close()
        sides = side = None
        gc.collect()  # what they had of the card is the next ones'
        yield result


def first_line(error):
    """What is wrong, in a line."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def validate(model, size=16, steps=3):
    """Train in float64 on the same draws as PyTorch; how far single and recorded losses differ."""
    import numpy as np
    import torch
    from torch_twin import TorchGAN

    from scratchgan.data import Batches, to_unit
    from scratchgan.gan import draw_noise
    from scratchgan.layers import Dropout
    from scratchgan.runs.steps import EagerStepper, stepper_for

    def there(a):
        return torch.from_numpy(a).cuda()

    worst = {}
    for name, way in {"eager": EagerStepper, "graph": stepper_for}.items():
        trainer, host = (trainer_of(model, size, on, "float64") for on in ("cupy", "numpy"))
        for layer in trainer.discriminator.layers:
            if isinstance(layer, Dropout):
                layer.rate = 0.0
        gan = TorchGAN(model, size, frozen=True, dtype="float64").without_dropout()
        gan.load(host.generator, host.discriminator)
        gan.G.cuda(), gan.D.cuda()
        gan.ones, gan.zeros = gan.ones.cuda(), gan.zeros.cuda()
        images = there(to_unit(trainer.images).astype(float))
        if images[0].shape != gan.image_shape:  # channels first
            images = images.permute(0, 3, 1, 2).contiguous()
        rng = copy.deepcopy(trainer.rng)
        batches = Batches(trainer.images, size, rng)
        ours, worst[name] = way(trainer), 0.0
        for _ in range(steps):
            x = images[there(batches.next())]
            z = [there(draw_noise(rng, *gan.noise_shape).astype(np.float64)) for _ in range(2)]
            step = ours.run(1)
            for own, other in zip((step.d_loss, step.g_loss), gan.step(x, *z), strict=True):
                worst[name] = max(worst[name], abs(float(own) - other) / abs(other))
    if not max(worst.values()) <= AGREE:
        raise SystemExit(f"validation of {model} FAILED: {worst}, {AGREE} allowed")
    return worst


def take_turns(sides, failed):
    """Seconds a step: one number a round for each side.

    A side that raises is out, and ``failed`` says why, under its name.
    """
    steps, seconds = {}, {}

    def timed(side, n):
        side.prepare()
        side.wait()
        start = time.perf_counter()
        side.run(n)
        side.wait()
        return (time.perf_counter() - start) / n

    for name, side in sides.items():
        try:
            n = steps_within(BLOCK_SECONDS, timed(side, 1))
            steps[name], seconds[name] = steps_within(BLOCK_SECONDS, timed(side, n)), []
        except Exception as error:
            failed[name] = first_line(error)
    for _ in range(ROUNDS):
        for name in list(seconds):
            try:
                seconds[name].append(timed(sides[name], steps[name]))
            except Exception as error:
                failed[name] = first_line(error)
                del seconds[name]
    return seconds


def steps_within(seconds, each):
    """How many steps to time at once: one, some, or whole tens, as a run makes them."""
    n = max(1, int(seconds / each))
    return n if n < 10 else n - n % 10


def step_work(trainer):
    """FLOP of the products in one step, and bytes that it must move at least.

    Each layer's output and its gradient, written once and read once wherever the step computes
    them; and seven passes of Adam over the parameters.
    """
    import numpy as np
    from step import step_flops

    def numbers(network, x):
        total = 0
        for layer in network.layers:
            x, _ = layer.forward(x, train=False)
            total += x.size * trainer.batch_size
        return total

    g = numbers(trainer.generator, np.zeros((1, trainer.z_dim), np.float32))
    d = numbers(trainer.discriminator, np.zeros((1, *trainer.images.shape[1:]), np.float32))
    # D's step: G forward, D forward and backward twice. G's step: both, forward and backward.
    passed = 2 * (g + 2 * 2 * d + 2 * g + 2 * d)
    learned = 7 * (trainer.generator.size + trainer.discriminator.size)
    return step_flops(trainer), 4 * (passed + learned)


def gemm_ceiling(tf32, n=8192):
    """The card's best rate of a float32 product, in FLOP/s."""
    import cupy

    from scratchgan.backend import get_backend

    ops = get_backend("cupy")
    ops.allow_tf32(tf32)
    a = cupy.sin(cupy.arange(n * n, dtype=cupy.float32)).reshape(n, n)  # ones would be faster
    return 2 * n**3 / shortest(lambda: ops.matmul(a, a))


def copy_ceiling(size=1 << 28):
    """The card's best rate of a copy in its memory, in bytes read and written/s."""
    import cupy

    a = cupy.arange(size // 4, dtype=cupy.float32)
    out = cupy.empty_like(a)
    return 2 * size / shortest(lambda: cupy.copyto(out, a))


def shortest(job, repeats=8):
    """Seconds of the shortest of several runs, after one that is not counted."""
    import cupy

    times = []
    for _ in range(repeats + 1):
        cupy.cuda.Device().synchronize()
        start = time.perf_counter()
        job()
        cupy.cuda.Device().synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])
