"""What this machine can do at best, and how much of its memory a process has used."""

import os
import platform
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from scratchgan.backend.cpu.channels import BLOCK
from scratchgan.backend.cpu.threads import set_threads, share


def one_thread():
    """For a process that has a core to itself, beside others like it."""
    threadpool_limits(1)
    set_threads(1)


def describe():
    """Processor, cores, NumPy and its BLAS with the kernels it chose, in one line.

    It says so where OPENBLAS_CORETYPE has chosen them: those of an older processor can be half as
    fast, and PyTorch's products are not OpenBLAS'.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    blas = [
        f"{library['internal_api']} {library['version']} ({library.get('architecture', '?')} "
        f"kernels, {library['num_threads']} threads)"
        for library in threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"]
    ]
    if kind := os.environ.get("OPENBLAS_CORETYPE"):
        blas.append(f"kernels FORCED by OPENBLAS_CORETYPE={kind}")
    processor = f"{(names or [platform.processor()])[0]}, {os.cpu_count()} cores"
    return f"{processor}, NumPy {np.__version__}, {', '.join(blas)}"


def peak_memory():
    """MiB of this process at its largest. (ru_maxrss would count the parent's, too.)"""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def seconds(job, repeats=7):
    """The shortest of several runs of a job, after one that is not counted."""
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def let_threads_sleep():
    """Wait until the threads of the other library have stopped to wait for more work.

    OpenMP's and OpenBLAS' keep their cores busy for up to 0.1 s after the last call: whoever
    comes next would be slowed down.
    """
    time.sleep(0.15)


def gemm_ceiling(n=2048):
    """The best rate of a float32 matrix product, in FLOP/s."""
    a = np.random.default_rng(0).standard_normal((n, n), np.float32)
    out = np.empty_like(a)
    return 2 * n**3 / seconds(lambda: np.matmul(a, a, out=out))


def copy_ceiling(size=1 << 24):
    """The best rate of a copy of large arrays, all cores at it, in bytes read and written/s."""
    a, out = np.ones(size, np.float32), np.empty(size, np.float32)

    def work(slices):
        for s in slices:
            np.copyto(out[s], a[s])

    return 2 * a.nbytes / seconds(lambda: share(work, size, a.itemsize, BLOCK))
