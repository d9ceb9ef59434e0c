"""What is imported when: a short script or command should not wait for what it does not use."""

import subprocess
import sys

import pytest

import scratchgan

HEAVY = ("matplotlib", "sklearn", "PIL", "scipy", "safetensors", "tqdm", "cupy", "torch")


def imported(code):
    """Which of the heavy packages a new process has imported after some lines."""
    lines = f"import sys; {code}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "import scratchgan",
        "import scratchgan as sg; sg.Sequential(sg.Dense(3, 2)).initialize(0)",
        "import scratchgan as sg; sg.gradcheck.check(sg.Dense(3, 2), (4, 3))",
        "from scratchgan import losses, optim, penalties, gradcheck",
    ],
)
def test_the_core_needs_numpy_only(code):
    assert imported(code) == "[]"


def test_what_is_needed_is_imported():
    """So that the test above would notice it."""
    found = imported("import scratchgan as sg; sg.train; from scratchgan import data, metrics")
    assert "'matplotlib'" in found or "'tqdm'" in found


def test_every_public_name_is_there():
    for name in scratchgan.__all__:
        assert getattr(scratchgan, name) is not None
        assert name in dir(scratchgan)
    with pytest.raises(AttributeError, match="module 'scratchgan' has no attribute 'nothing'"):
        scratchgan.nothing  # noqa: B018
