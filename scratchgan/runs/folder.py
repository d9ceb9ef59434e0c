"""The folder of a run: its files, and the rule that nobody else's files are touched.

RUN_DIR/config.json             the options of the run
RUN_DIR/networks.py             a copy of the file with the networks, if they are the user's own
RUN_DIR/metrics.csv             a row every few steps
RUN_DIR/samples/00001000.png    a grid from the fixed noise, every ``save_every`` steps
RUN_DIR/checkpoint.safetensors  the newest good state
RUN_DIR/losses.png, samples.gif written at the end
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..files import remove_leftovers, write_atomically
from .checkpoint import CHECKPOINT, CheckpointError, read_checkpoint

CONFIG, METRICS, SAMPLES, NETWORKS = "config.json", "metrics.csv", "samples", "networks.py"
LOCK = ".lock"  # is there while a process trains
COMMAND = "command"  # the key in config.json of what is no option of `Config`
COLUMNS = ("step", "epoch", "d_loss", "g_loss", "d_real", "d_fake", "images_per_second")


def claim(out: Path, config: dict[str, Any], resume: bool) -> bool:
    """Return whether the run in a folder goes on; raise unless the folder is this run's, or empty.

    Nothing in the folder is changed. Hidden files do not count.

    Parameters
    ----------
    out : Path
        It need not exist.
    config : dict
        The options of the run.
    resume : bool
        Whether a run in the folder is to go on.

    Raises
    ------
    CheckpointError
        The folder holds something else; or a run, and ``resume`` is False; or a run whose
        checkpoint is gone.
    """
    if not out.exists():
        return False
    if not out.is_dir():
        raise CheckpointError(f"{out}: expected a folder, got a file; choose another `out=`")
    if (out / CHECKPOINT).exists():
        if resume:
            return True
        meta = read_checkpoint(out / CHECKPOINT)[1]
        if meta["step"] or meta["config"] != config:
            cure = "go on with `resume=True`, or choose another `out=`"
            raise CheckpointError(f"{out / CHECKPOINT}: exists; {cure}")
        return False
    found = {path.name for path in out.iterdir() if path.name[0] != "."}
    # What a run leaves that was killed before its first checkpoint: nothing that could be lost.
    saved = {name: value for name, value in _options(out / CONFIG).items() if name != COMMAND}
    begun = saved == config and found <= {CONFIG, METRICS, SAMPLES, NETWORKS}
    lost_rows, lost_samples = len(_lines(out / METRICS)) > 1, any((out / SAMPLES).glob("*"))
    if lost_samples or lost_rows or not (begun or found <= {SAMPLES}):
        lost = resume and CONFIG in found
        why = f"{CHECKPOINT} is gone, and without it the run cannot go on" if lost else "not empty"
        raise CheckpointError(
            f"{out}: {why}; it holds {', '.join(sorted(found)[:5])}. Nothing was touched; choose "
            "another `out=`, or move these files away"
        )
    return False


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made; not possible on Windows.

    Raises
    ------
    CheckpointError
        Another process trains in this folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / LOCK
    with open(path, "w") as file:
        with suppress(ImportError):
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free again if the process dies
            except BlockingIOError:
                cure = "wait for it, or choose another `out=`"
                raise CheckpointError(f"{out}: another process trains here; {cure}") from None
            except OSError:  # a file system without locks
                pass
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def begin(out: Path, config: dict[str, Any], command: dict[str, Any] | None) -> None:
    """Make a claimed folder, with the options of the run and an empty table of metrics.

    Parameters
    ----------
    out : Path
    config : dict
    command : dict, optional
        What the command line needs to go on with the folder's name alone.
    """
    _tidy(out)
    write_options(out, config, command)
    _write_text(out / METRICS, ",".join(COLUMNS) + "\n")


def write_networks(out: Path, code: bytes) -> None:
    """Write the copy of the Python file with the user's own networks."""
    write_atomically(out / NETWORKS, lambda file: file.write(code))


def go_back(out: Path, step: int, steps: int, save_every: int) -> None:
    """Delete metric rows after ``step``, and the grid that an interruption saved at this step.

    Parameters
    ----------
    out : Path
    step, steps : int
        The step of the checkpoint, and the step up to which the run goes on.
    save_every : int
    """
    _tidy(out)
    complete = [line for line in _lines(out / METRICS)[1:] if line.count(",") == len(COLUMNS) - 1]
    kept = [line for line in complete if int(line.partition(",")[0]) <= step]
    _write_text(out / METRICS, "\n".join([",".join(COLUMNS), *kept]) + "\n")
    # A run without the interruption has no grid of this step.
    if step < steps and step % save_every:
        (out / SAMPLES / f"{step:08}.png").unlink(missing_ok=True)


def write_options(out: Path, config: dict[str, Any], command: dict[str, Any] | None) -> None:
    """Write a run's ``config.json``; see `begin`."""
    more = {COMMAND: command} if command else {}
    _write_text(out / CONFIG, json.dumps(config | more, indent=2) + "\n")


def add_row(out: Path, row: list[Any]) -> None:
    """Append a row to the metrics."""
    path = out / METRICS
    try:
        with open(path, "a") as file:
            file.write(",".join(map(str, row)) + "\n")
    except OSError as error:  # a full disk, say
        kept = f"{CHECKPOINT} is kept as it was"
        raise type(error)(f"{path}: cannot be written: {error.strerror}; {kept}") from error


def read_options(out: str | Path) -> dict[str, Any]:
    """Return what a run's ``config.json`` holds.

    Raises
    ------
    CheckpointError
        There is no such file, or it is damaged.
    """
    path = Path(out) / CONFIG
    found = _options(path)
    if not isinstance(found.get("model"), str) or not isinstance(found.get(COMMAND, {}), dict):
        raise CheckpointError(f"{path}: expected the options of a run, no such file or damaged")
    return found


def read_metrics(out: str | Path) -> np.ndarray:
    """Return a run's metrics: one row for each line of ``metrics.csv``, fields as in `COLUMNS`.

    Returns
    -------
    structured array (rows,) of float64
    """
    rows = [line.split(",") for line in _lines(Path(out) / METRICS)[1:]]
    whole = [tuple(map(float, row)) for row in rows if len(row) == len(COLUMNS)]
    return np.array(whole, [(name, float) for name in COLUMNS])


def saved_options(out: str | Path, resume: bool) -> dict[str, Any]:
    """Return the options of the run that goes on in a folder; none if no run goes on there."""
    return read_options(out) if resume and (Path(out) / CONFIG).exists() else {}


def _tidy(out):
    """Make the folders of a run, without the half-written files of killed processes."""
    for folder in (out, out / SAMPLES):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)


def _lines(path):
    return path.read_text().splitlines() if path.is_file() else []


def _options(path):
    """Return the options in a file; none if there is no such file, or it holds something else."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_text(path, text):
    write_atomically(path, lambda file: file.write(text.encode()))
