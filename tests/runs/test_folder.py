"""The folder of a run: nobody else's files are touched, and no run is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scratchgan.runs import CheckpointError
from scratchgan.runs.checkpoint import read_checkpoint

from .test_run import column, content, install, run, samples


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    install(monkeypatch)
    monkeypatch.setattr("scratchgan.runs.run._Run.draw", lambda self: None)


FOREIGN = {
    "metrics.csv": b"mine",
    "samples/00000000.png": b"mine",
    "samples/cat.jpg": b"mine",
    "photo.png": b"mine",
    "notes/today.txt": b"mine",
    "config.json": b"{}",
    "losses.png": b"mine",
    "networks.py": b"mine",
}


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_with_somebody_elses_files_is_refused(tmp_path, name, resume):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(FOREIGN[name])
    before = content(tmp_path)
    with pytest.raises(CheckpointError, match=r"Nothing was touched; choose another `out=`") as e:
        run(tmp_path, 2, resume=resume)
    assert str(tmp_path) in str(e.value) and name.partition("/")[0] in str(e.value)
    assert content(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_whose_checkpoint_is_gone_is_left_as_it_is(tmp_path, resume):
    run(tmp_path, 12, save_every=4)
    (tmp_path / "checkpoint.safetensors").unlink()
    before = content(tmp_path)
    message = "checkpoint.safetensors is gone, and without it" if resume else "not empty"
    with pytest.raises(CheckpointError, match=message):
        run(tmp_path, 24, resume=resume)
    assert content(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("hidden", [[], [".gitkeep"], [".DS_Store", ".notes.txt.swp"]])
def test_an_empty_folder_is_used(tmp_path, resume, hidden):
    for name in hidden:
        (tmp_path / name).write_bytes(b"kept")
    run(tmp_path, 2, resume=resume)
    assert samples(tmp_path) == [0, 2]
    assert all((tmp_path / name).read_bytes() == b"kept" for name in hidden)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("killed", ["begin", "save"])
def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    tmp_path, monkeypatch, killed, resume
):
    def kill(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        place = {"begin": "folder._write_text", "save": "checkpoint.save_checkpoint"}[killed]
        patch.setattr(f"scratchgan.runs.{place}", kill)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, 2)
    run(tmp_path, 2, resume=resume)
    assert samples(tmp_path) == [0, 2]


def test_a_begun_run_with_other_options_is_refused(tmp_path, monkeypatch):
    def kill(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("scratchgan.runs.checkpoint.save_checkpoint", kill)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, 2)
    with pytest.raises(CheckpointError, match="not empty"):
        run(tmp_path, 2, seed=1)


def test_a_run_that_has_saved_nothing_but_its_start_belongs_to_itself(tmp_path, monkeypatch):
    """It was killed before its second checkpoint: the same run may begin again, no other."""
    run(tmp_path, 2)
    path = tmp_path / "checkpoint.safetensors"
    with monkeypatch.context() as patch:
        found = read_checkpoint(path)
        patch.setattr(
            "scratchgan.runs.folder.read_checkpoint", lambda p: (found[0], found[1] | {"step": 0})
        )
        before = content(tmp_path)
        with pytest.raises(CheckpointError, match="exists; go on with"):
            run(tmp_path, 2, seed=1)
        assert content(tmp_path) == before
        assert run(tmp_path, 2).step_count == 2


@pytest.mark.skipif(os.name == "nt", reason="no locks on Windows")
@pytest.mark.parametrize("resume", [False, True])
def test_two_processes_do_not_train_in_one_folder(tmp_path, resume):
    code = "import sys; from pathlib import Path; from scratchgan.runs.folder import locked\n"
    code += "with locked(Path(sys.argv[1])): print('here', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline().strip() == b"here"
    with pytest.raises(CheckpointError, match="another process trains here"):
        run(tmp_path, 2, resume=resume)
    other.kill()
    other.wait()
    assert run(tmp_path, 2, resume=resume).step_count == 2  # a dead process holds nothing
    assert not (tmp_path / ".lock").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(CheckpointError, match="expected a folder, got a file"):
        run(tmp_path / "run", 2)
    assert (tmp_path / "run").read_text() == "mine"


def test_nothing_to_train_is_said_once(tmp_path, capsys):
    run(tmp_path, 12)
    capsys.readouterr()
    before = content(tmp_path)
    assert run(tmp_path, 5, resume=True).step_count == 12
    error = capsys.readouterr().err
    assert error.count("already at step 12, 5 wanted: nothing to train") == 1
    assert "img/s" not in error
    assert content(tmp_path) == before


def test_notes_beside_a_run_do_not_stop_it(tmp_path):
    run(tmp_path, 4)
    (tmp_path / "notes.txt").write_text("mine")
    assert run(tmp_path, 8, resume=True).step_count == 8
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_made(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="run"):
        run(tmp_path / "run", 2)


@pytest.mark.parametrize("full", ["metrics.csv", "checkpoint.safetensors", "samples"])
def test_a_full_disk_names_the_file_and_keeps_the_run(tmp_path, monkeypatch, full):
    run(tmp_path, 20, save_every=10)
    kept = (tmp_path / "checkpoint.safetensors").read_bytes()

    def refuse(path, *args, **kwargs):
        parts = Path(path).parts
        named = any(part.lstrip(".").startswith(full) for part in parts[len(tmp_path.parts) :])
        if named and args and args[0] != "r":
            raise OSError(28, "No space left on device", str(path))
        return open_(path, *args, **kwargs)

    open_ = open
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        with pytest.raises(OSError, match=rf"{full}.*: cannot be written: No space left") as error:
            run(tmp_path, 40, save_every=10, resume=True)
    assert "kept as it was" in str(error.value) or "nothing was written" in str(error.value)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == kept or full == "samples"
    assert run(tmp_path, 40, save_every=10, resume=True).step_count == 40
    assert column(tmp_path) == [10, 20, 30, 40]
