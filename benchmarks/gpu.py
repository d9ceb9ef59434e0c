"""On a CUDA card: is it right, and how long is a training step, here and in PyTorch?

First the tests that need a card; then both sides train from the same weights on the same draws in
float64 and must find the same losses; then they are timed in float32 in turn, with and without
TF32 on both sides. Each network has a process of its own. What does not fit into the time is
left out, and said to be.

    sh benchmarks/gpu.sh                       # all, into benchmarks/results/CARD.json and .md
    python benchmarks/gpu.py --skip-tests --models mlp --batch-sizes 128
"""

import argparse
import importlib.util
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from gpu_measure import measure
from gpu_sides import SIDES

HERE = Path(__file__).parent
MODELS, BATCH_SIZES = ("mlp", "dcgan28", "dcgan64"), (128, 1024)
NEEDED = (
    "cupy", "torch", "numpy", "matplotlib", "PIL", "safetensors", "sklearn", "threadpoolctl",
    "tqdm", "pytest", "hypothesis",
)  # fmt: skip
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
