"""What ``benchmarks/gpu*.py`` do besides timing: its sides make steps, its tables are tables."""

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..cuda.conftest import cupy, ops  # noqa: F401

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("gpu", FOLDER / "gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sides(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("gpu_sides")


@pytest.fixture
def measuring(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("gpu_measure")


def side(seconds, note=""):
    return {
        "seconds": seconds,
        "images": 1000,
        "gemm": 0.5,
        "copy": 0.25,
        "memory": 9,
        "note": note,
    }


RESULTS = [
    {
        "model": "mlp",
        "batch": 128,
        "left out": ["PyTorch compiled, TF32 off: no time to compile it"],
        "sides": {
            "graph off": side([0.002, 0.001, 0.003]),
            "torch off": side([0.005, 0.004, 0.006]),
            "eager on": side([0.004], "slow"),
        },
    },
    {"model": "dcgan64", "batch": 1024, "error": "out of memory"},
]


def test_the_table(gpu):
    header, line, *rows = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in gpu.table(RESULTS).splitlines()
    ]
    assert header == list(gpu.HEADER) and len(rows) == 5
    assert {len(row) for row in (line, *rows)} == {len(header)}
    assert rows[1] == [
        *("mlp", "128", "PyTorch eager", "off", "5.000", "4.000 to 6.000", "1000", "50%", "25%"),
        *("9", "2.50"),
    ]
    assert rows[0][-1] == "1.00"
    assert rows[2][2] == "scratchgan, step by step (slow)"
    assert rows[3][2] == "left out: PyTorch compiled, TF32 off: no time to compile it"
    assert rows[4][:3] == ["dcgan64", "1024", "out of memory"]


def test_what_is_written(gpu, tmp_path):
    about = {"card": "NVIDIA H100 80GB HBM3", "tests": "passed"}
    path = gpu.write(about, RESULTS, tmp_path / "results")
    assert path.name == "nvidia-h100-80gb-hbm3.json"
    assert json.loads(path.read_text()) == {"about": about, "results": RESULTS}
    text = path.with_suffix(".md").read_text()
    assert text.startswith("# NVIDIA H100 80GB HBM3\n") and gpu.table(RESULTS) in text
    assert "* tests: passed" in text


def test_what_is_missing_is_named(gpu, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setattr(gpu, "NEEDED", ("json", "no_such_package", "nor_this"))
    with pytest.raises(SystemExit, match="not installed: no_such_package, nor_this"):
        gpu.main()


def test_without_a_card_no_test_is_said_to_have_passed(gpu, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setattr(gpu, "NEEDED", ())
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="backend 'cupy' needs CuPy"):
        gpu.main()


@pytest.mark.parametrize(
    ("status", "said", "wanted"),
    [
        (0, "..s\n\n2 passed, 1 skipped in 0.10s\n", "2 passed, 1 skipped in 0.10s"),
        (0, "sss\n3 skipped in 0.10s\n", "FAILED: 3 skipped in 0.10s"),
        (1, "F..\n1 failed, 2 passed in 0.10s\n", "FAILED: 1 failed, 2 passed in 0.10s"),
        (-11, "", "FAILED: exit status -11"),
    ],
)
def test_how_the_tests_ended(gpu, monkeypatch, status, said, wanted):
    done = subprocess.CompletedProcess([], status, said)
    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: done)
    assert gpu.run_tests(9) == wanted


def test_tests_that_hang_are_ended(gpu, monkeypatch, tmp_path):
    (tmp_path / "tests").mkdir()
    test = "import time, pytest\n@pytest.mark.gpu\ndef test_it():\n    time.sleep(60)\n"
    (tmp_path / "tests" / "test_it.py").write_text(test)
    monkeypatch.setattr(gpu, "HERE", tmp_path / "benchmarks")
    assert gpu.run_tests(2) == "FAILED: not done after 2 s"


def test_a_process_that_fails_is_a_row(gpu, monkeypatch):
    monkeypatch.setattr(gpu, "__file__", str(FOLDER / "no such file.py"))
    found = gpu.one("mlp", 128, 5)
    assert found["model"] == "mlp" and found["batch"] == 128 and "no such file" in found["error"]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("import time; print('{', end='', flush=True); time.sleep(60)", "it took too long"),
        ("raise SystemExit('the card is gone')", "the card is gone"),
    ],
)
def test_what_a_process_found_before_it_failed_is_kept(gpu, monkeypatch, tmp_path, end, error):
    script = tmp_path / "gpu.py"
    script.write_text(f"print({json.dumps(RESULTS[0])!r}, flush=True)\n{end}\n")
    monkeypatch.setattr(gpu, "__file__", str(script))
    found = gpu.one("mlp", 128, 2)
    assert found == RESULTS[0] | {"error": error}
    *rows, last = gpu.table([found]).splitlines()
    assert rows == gpu.table(RESULTS[:1]).splitlines() and error in last


class Side:
    """One that takes so many seconds for a step, until it fails."""

    memory, note = 1, ""

    def __init__(self, clock, seconds, lasts=10**9):
        self.clock, self.seconds, self.lasts = clock, seconds, lasts
        self.made = self.prepared = self.closed = 0

    def prepare(self):
        self.prepared += 1

    def run(self, steps):
        for _ in range(steps):
            self.made += 1
            self.clock[0] += self.seconds
        if self.made > self.lasts:
            raise MemoryError("no room\nat all")

    def wait(self):
        pass

    def close(self):
        self.closed += 1


@pytest.fixture
def clock(measuring, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])
    return now


def test_each_precision_is_told_as_soon_as_it_is_found(measuring, clock, monkeypatch):
    made = []

    def maker(*args):
        def make(model, size, tf32):
            if not args:
                raise RuntimeError("no such side")
            made.append(Side(clock, *args))
            return made[-1]

        return make

    monkeypatch.setattr(measuring, "validate", lambda model: {"eager": 0.0})
    monkeypatch.setattr(measuring, "gemm_ceiling", lambda tf32: 1e12)
    monkeypatch.setattr(measuring, "copy_ceiling", lambda: 1e9)
    sides = {"eager": (0.01,), "graph": (0.001,), "torch": (0.02, 20), "compiled": ()}
    assert list(measuring.MAKERS) == list(sides)
    for name, args in sides.items():
        monkeypatch.setitem(measuring.MAKERS, name, maker(*args))
    found = [copy.deepcopy(each) for each in measuring.measure("mlp", "8", 100)]
    assert [list(each["sides"]) for each in found] == [
        [],
        ["eager on", "graph on"],
        ["eager on", "graph on", "eager off", "graph off"],
    ]
    assert found[1]["left out"] == [
        "PyTorch compiled, TF32 on: RuntimeError: no such side",
        "PyTorch eager, TF32 on: MemoryError: no room",
    ]
    assert len(made) == 6 and all(side.closed == 1 for side in made)


def test_our_sides_make_their_steps(sides, ops):  # noqa: F811
    for kind in (sides.Eager, sides.Graph):
        made = kind("mlp", 8, False)
        before = made.trainer.step_count
        made.prepare()
        made.run(12)
        made.wait()
        assert made.trainer.step_count == before + 12
        assert made.note == ""


def test_the_work_of_a_step(measuring, sides):
    """Of 784-256-128-1 against 100-128-256-784, at 8 images."""
    flops, moved = measuring.step_work(sides.trainer_of("mlp", 8, "numpy"))
    d, g = [784 * 256, 256 * 128, 128], [100 * 128, 128 * 256, 256 * 784]
    fed = sum(g) + 2 * (2 * sum(d) + sum(d[1:]))  # D's step
    fed += sum(g) + sum(d) + sum(d) + sum(g) + sum(g[1:])  # G's step
    assert flops == 2 * 8 * fed
    d_out = 784 + 3 * 256 + 3 * 128 + 1
    g_out = 3 * 128 + 3 * 256 + 3 * 784
    weights = sum(d) + 256 + 128 + 1 + sum(g) + 2 * 128 + 2 * 256 + 784
    assert moved == 4 * (8 * 2 * (3 * g_out + 6 * d_out) + 7 * weights)


def test_the_rounds(measuring, clock):
    """Blocks of about 0.12 s, whatever a step takes."""
    sides = {name: Side(clock, each) for name, each in [("a", 95e-5), ("b", 0.0251), ("c", 2.0)]}
    failed = {}
    seconds = measuring.take_turns(sides, failed)
    assert not failed
    assert [len(times) for times in seconds.values()] == [measuring.ROUNDS] * 3
    assert seconds["a"] == pytest.approx([95e-5] * measuring.ROUNDS)
    for side, steps in zip(sides.values(), (120, 4, 1), strict=True):
        assert side.made == 1 + steps * (1 + measuring.ROUNDS)
        assert side.prepared == 2 + measuring.ROUNDS


def test_a_side_that_fails_leaves_the_others(measuring, clock):
    sides = {"a": Side(clock, 0.1), "b": Side(clock, 0.1, 4), "c": Side(clock, 0.1, 0)}
    failed = {}
    seconds = measuring.take_turns(sides, failed)
    assert list(seconds) == ["a"] and len(seconds["a"]) == measuring.ROUNDS
    assert failed == dict.fromkeys("bc", "MemoryError: no room")
