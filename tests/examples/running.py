"""Examples as programs: in this process where that will do, in one of their own where not."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np

import scratchgan

ROOT = Path(__file__).parents[2]
MNIST_MLP = ROOT / "examples" / "mnist_mlp.py"


def start(script, *arguments):
    """A process of its own, with one thread and the package under test."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(scratchgan.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process, seconds=60):
    """Exit status, stdout and stderr."""
    try:
        said, error = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, said, error


def in_process(monkeypatch, script, *arguments):
    """The exit status of a script that is run as a program in this process."""
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    return 0


def write_images(path, n=512, shape=(28, 28)):
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8))
    return path


def content(folder):
    """Every file of a folder with its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}
