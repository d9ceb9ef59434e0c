"""On a CUDA card: is it right, and how long is a training step, here and in PyTorch?

First the tests that need a card; then both sides train from the same weights on the same draws in
float64 and must find the same losses; then they are timed in float32 in turn, with and without
TF32 on both sides. Each network has a process of its own. What does not fit into the time is
left out, and said to be.

    sh benchmarks/gpu.sh                       # all, into benchmarks/results/CARD.json and .md
    python benchmarks/gpu.py --skip-tests --models mlp --batch-sizes 128
"""

import argparse
import copy
import gc
import importlib.util
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
MODELS, BATCH_SIZES = ("mlp", "dcgan28", "dcgan64"), (128, 1024)
NEEDED = (
    "cupy", "torch", "numpy", "matplotlib", "PIL", "safetensors", "sklearn", "threadpoolctl",
    "tqdm", "pytest", "hypothesis",
)  # fmt: skip
SIDES = {
    "eager": "scratchgan, step by step",
    "graph": "scratchgan, recorded",
    "torch": "PyTorch eager",
    "compiled": "PyTorch compiled",
}
ROUNDS, BLOCK_SECONDS = 7, 0.12  # timed blocks of each side, and how long each is
AGREE = 1e-7  # largest relative difference of a loss, in float64
HEADER = (
    "network", "batch", "", "TF32", "ms a step", "of all rounds", "images/s", "of GEMM", "of copy",
    "MiB", "ratio",
)  # fmt: skip


def main():
    """Prove, time, write."""
    options = parse()
    if options.one:
        for found in measure(*options.one, options.seconds):
            print(json.dumps(found), flush=True)
        return
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    from scratchgan import BackendError, get_backend

    try:
        get_backend("cupy")  # without it, all tests would be skipped, and none would fail
    except BackendError as error:
        sys.exit(str(error))
    end = time.monotonic() + options.seconds
    about = describe()
    print("\n".join(f"{key}: {value}" for key, value in about.items()), flush=True)
    if not options.skip_tests:
        about["tests"] = run_tests(options.seconds / 2)
        print(f"tests: {about['tests']}", flush=True)
    results = []
    jobs = [(model, size) for size in options.batch_sizes for model in options.models]
    for i, (model, size) in enumerate(jobs):
        seconds = (end - time.monotonic()) / (len(jobs) - i)
        results.append(one(model, size, max(seconds, 0)))
        print(table([results[-1]]), flush=True)
    write(about, results, HERE / "results")
    errors = ["error" in result for result in results]
    sys.exit(1 if about.get("tests", "").startswith("FAILED") or any(errors) else 0)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=BATCH_SIZES)
    parser.add_argument("--seconds", type=float, default=460, help="for everything")
    parser.add_argument("--skip-tests", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "SIZE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def run_tests(seconds):
    """Run those that need a card; how many passed, "FAILED: " before it if that is not well."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
    options = {"cwd": HERE.parent, "stdout": subprocess.PIPE, "text": True, "timeout": seconds}
    try:
        done = subprocess.run(command, **options)
    except subprocess.TimeoutExpired:
        return f"FAILED: not done after {seconds:.0f} s"
    print(done.stdout, flush=True)
    counts = (done.stdout.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return counts if done.returncode == 0 and " passed" in counts else f"FAILED: {counts}"


def one(model, size, seconds):
    """`measure` in a process of its own, which may fail: then what it had found by then."""
    command = [sys.executable, __file__, "--one", model, str(size), "--seconds", str(seconds)]
    error = None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        said = done.stdout
        sys.stderr.write(done.stderr)
        if done.returncode:
            error = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    except subprocess.TimeoutExpired as late:
        said, error = (late.stdout or b"").decode(), "it took too long"
    whole = said[: said.rfind("\n") + 1].splitlines()
    result = json.loads(whole[-1]) if whole else {"model": model, "batch": int(size)}
    return result | ({"error": error} if error else {})


def describe():
    """The card, its driver, and the versions of what is compared."""
    import cupy
    import numpy
    import torch

    card = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "card": card["name"].decode(),
        "memory": f"{card['totalGlobalMem'] / 2**30:.0f} GiB",
        "compute capability": f"{card['major']}.{card['minor']}",
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "CUDA": cupy.cuda.runtime.runtimeGetVersion(),
        "Python": sys.version.split()[0],
        "NumPy": numpy.__version__,
        "CuPy": cupy.__version__,
        "PyTorch": f"{torch.__version__}, CUDA {torch.version.cuda}",
    }


# ---- one network, one batch size -------------------------------------------------------------


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
    makers = {"eager": Eager, "graph": Graph, "torch": Torch, "compiled": Compiled}
    for tf32 in (True, False):
        gemm, copied = gemm_ceiling(tf32), copy_ceiling()
        sides, failed = {}, {}
        for name, make in makers.items():
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


def trainer_of(model, size, backend, dtype="float32", tf32=False):
    """A trainer on random images; the same weights on every backend."""
    import numpy as np

    from scratchgan.gan import Config, build
    from scratchgan.gan import model as networks

    shape = (2048, *networks(model).image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    config = Config("random", model, batch_size=size, dtype=dtype, tf32=tf32)
    return build(config, images, backend)


class Eager:
    """Our trainer, step by step.

    Attributes
    ----------
    memory : float
        MiB that it has taken from the card.
    note : str
        What is to be said of it.
    """

    note = ""

    def __init__(self, model, size, tf32, dtype="float32"):
        import cupy

        from scratchgan.backend import get_backend

        pool = cupy.get_default_memory_pool()
        pool.free_all_blocks()
        before = pool.total_bytes()
        self.ops, self.tf32 = get_backend("cupy"), tf32
        self.trainer = trainer_of(model, size, self.ops, dtype, tf32)
        self.set_up()
        self.memory = (pool.total_bytes() - before + self.own_bytes()) / 2**20

    def set_up(self):
        """Make the first steps."""
        self.run(2)

    def own_bytes(self):
        """Memory that is in no default pool."""
        return 0

    def prepare(self):
        """Before a block: the other precision's sides may have changed this."""
        self.ops.allow_tf32(self.tf32)

    def run(self, steps):
        """Make so many steps, without waiting for them."""
        for _ in range(steps):
            self.trainer.step()

    def wait(self):
        """Until they are made."""
        self.ops.synchronize()

    def close(self):
        """Give back what is not given back by itself."""


class Graph(Eager):
    """Our trainer, recorded."""

    def set_up(self):
        """Record a step."""
        from scratchgan.gan.graph import stepper

        self.stepper = stepper(self.trainer)
        self.run(2)
        self.note = "" if self.stepper.most > 1 else "could not be recorded"

    def own_bytes(self):
        """Those of the recorder's pool."""
        recorder = getattr(self.stepper, "recorder", None)
        return recorder.pool.total_bytes() if recorder else 0

    def run(self, steps):
        """Make so many steps, in pieces as a run makes them, without waiting for them."""
        while steps:
            n = min(steps, self.stepper.most)
            self.stepper.run(n)
            steps -= n

    def close(self):
        """The recording's memory."""
        self.stepper.close()


class Torch:
    """The same in PyTorch, D's parameters frozen in G's step; images ready on the card."""

    note, fused = "", False

    def __init__(self, model, size, tf32):
        import torch
        from torch_twin import TorchGAN

        self.torch, self.tf32, self.size = torch, tf32, size
        self.prepare()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_reserved()
        self.gan = TorchGAN(model, size, fused=self.fused, frozen=True, device="cuda")
        self.images = 2 * torch.rand(2048, *self.gan.image_shape, device="cuda") - 1
        self.set_up()
        self.memory = (torch.cuda.max_memory_reserved() - before) / 2**20

    def set_up(self):
        """Make the first steps."""
        self.run(2)

    def prepare(self):
        """Both switches: PyTorch's convolutions have one of their own."""
        self.torch.backends.cuda.matmul.allow_tf32 = self.tf32
        self.torch.backends.cudnn.allow_tf32 = self.tf32
        self.torch.backends.cudnn.benchmark = True

    def run(self, steps):
        """Make so many steps, without waiting for them."""
        for _ in range(steps):
            indices = self.torch.randint(len(self.images), (self.size,), device="cuda")
            z_d, z_g = self.torch.randn(2, *self.gan.noise_shape, device="cuda")
            self.gan.losses(self.images[indices], z_d, z_g)

    def wait(self):
        """Until they are made."""
        self.torch.cuda.synchronize()

    def close(self):
        """Nothing."""


class Compiled(Torch):
    """PyTorch at its fastest without another way of writing it: compiled, in CUDA graphs."""

    fused = True

    def set_up(self):
        """Compile both networks."""
        for name in "G", "D":
            network = self.torch.compile(getattr(self.gan, name), mode="reduce-overhead")
            setattr(self.gan, name, network)
        self.run(5)

    def run(self, steps):
        """Make so many steps; what the last one found may be overwritten."""
        for _ in range(steps):
            self.torch.compiler.cudagraph_mark_step_begin()
            super().run(1)


def validate(model, size=16, steps=3):
    """Train in float64 on the same draws as PyTorch; how far single and recorded losses differ."""
    import numpy as np
    import torch
    from torch_twin import TorchGAN

    from scratchgan.data import Batches, to_unit
    from scratchgan.gan import draw_noise
    from scratchgan.gan.graph import Stepwise, stepper
    from scratchgan.layers import Dropout

    def there(a):
        return torch.from_numpy(a).cuda()

    worst = {}
    for name, way in {"eager": Stepwise, "graph": stepper}.items():
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


# ---- what is written -------------------------------------------------------------------------


def table(results):
    """A table in Markdown; the ratio is to our recorded steps, above 1: ours are faster."""
    rows = [HEADER, ["---"] * 3 + ["---"] + ["---:"] * 7]
    for result in results:
        where = [result["model"], str(result["batch"])]
        for key, side in result.get("sides", {}).items():
            name, tf32 = key.split()
            middle = statistics.median(side["seconds"])
            ours = result["sides"].get(f"graph {tf32}", side)
            low, high = 1000 * min(side["seconds"]), 1000 * max(side["seconds"])
            label = SIDES[name] + (f" ({side['note']})" if side["note"] else "")
            rows.append([
                *where, label, tf32, f"{1000 * middle:.3f}", f"{low:.3f} to {high:.3f}",
                f"{side['images']:.0f}", f"{side['gemm']:.0%}", f"{side['copy']:.0%}",
                f"{side['memory']:.0f}", f"{middle / statistics.median(ours['seconds']):.2f}",
            ])  # fmt: skip
        said = [f"left out: {what}" for what in result.get("left out", [])]
        said += [result["error"]] if "error" in result else []
        rows += [[*where, what, *[""] * 8] for what in said]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write(about, results, folder):
    """CARD.json and CARD.md in this folder; the path of the former."""
    slug = re.sub(r"[^a-z0-9]+", "-", about["card"].lower()).strip("-")
    folder.mkdir(exist_ok=True)
    path = folder / f"{slug}.json"
    path.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
    facts = "\n".join(f"* {key}: {value}" for key, value in about.items())
    path.with_suffix(".md").write_text(f"# {about['card']}\n\n{facts}\n\n{table(results)}\n")
    print(f"{path} and .md")
    return path


if __name__ == "__main__":
    main()
