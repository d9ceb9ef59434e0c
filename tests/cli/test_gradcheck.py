import pytest

from scratchgan.__main__ import main

LAYERS = """
from scratchgan import Dense, Layer, Sequential, Tanh


class Right(Layer):
    def forward(self, x, train=True):
        return x**3, x

    def backward(self, dy, cache, into_params=True):
        return 3 * cache**2 * dy


class Wrong(Right):
    def backward(self, dy, cache, into_params=True):
        return -3 * cache**2 * dy


class Picky(Right):
    def __init__(self, size):
        self.size_wanted = size


class NoTrain(Right):
    def forward(self, x):
        return x**3, x


class NoCache(Right):
    def forward(self, x, train=True):
        return x**3


class OfLists(Right):
    def forward(self, x, train=True):
        return list(x**3), x


net = Sequential(Dense(6, 3), Tanh())
number = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(LAYERS)
    return path


def gradcheck(capsys, *arguments):
    """Exit status, output, errors."""
    status = main(["gradcheck", *map(str, arguments)])
    return status, *capsys.readouterr()


@pytest.mark.parametrize("name", ["Right", "net"])
def test_a_right_layer_passes(capsys, file, name):
    status, out, err = gradcheck(capsys, f"{file}:{name}", "--input-shape", "4,6")
    assert (status, err) == (0, "")
    assert "on (4, 6)" in out.splitlines()[0]
    assert out.splitlines()[-1].strip() == "all passed"


def test_a_wrong_layer_fails_with_the_table(capsys, file):
    status, out, err = gradcheck(capsys, f"{file}:Wrong", "--input-shape", "4,6", "--seed", 3)
    assert (status, err) == (1, "")
    assert "gradcheck Wrong() on (4, 6)" in out
    assert "hint: every entry has the wrong sign" in out
    assert "FAILED" in out.splitlines()[-1]


def test_a_layer_whose_code_breaks_off_fails_with_its_line(capsys, file):
    status, out, err = gradcheck(capsys, f"{file}:NoTrain", "--input-shape", "4,6")
    assert (status, err) == (1, "")
    line = file.read_text().splitlines().index("    def forward(self, x):") + 1
    assert "forward runs" in out
    assert f"{file}:{line}: def forward(self, x):\n" in out


WANTED = "--input-shape: expected sizes, batch axis first (4,6), got "


@pytest.mark.parametrize(
    ("target", "shape", "told"),
    [
        (
            "absent.py:Right",
            "4,6",
            "absent.py: no such file; expected FILE.py:NAME, got 'absent.py:Right'",
        ),
        ("{file}", "4,6", "FILE.py:NAME"),
        ("{file}:", "4,6", "FILE.py:NAME"),
        ("{file}:Absent", "4,6", "Absent"),
        ("{file}:number", "4,6", "{file}:number: expected a Layer, got 3"),
        ("{file}:Right", "4,x", WANTED + "'4,x'"),
        ("{file}:Right", "0,6", WANTED + "'0,6'"),
        ("{file}:Right", "-4,6", WANTED + "'-4,6'"),
        ("{file}:Right", "", WANTED + "''"),
        ("{file}:Right", None, WANTED + "None"),
        ("{file}:net", "4,5", "layer 0: Dense(6, 3): expected input of shape (N, 6), got (4, 5)"),
        ("{file}:Picky", "4,6", "Picky: TypeError: missing a required argument: 'size'; make an "),
        ("{file}:Picky", "4,6", "`layer = Picky(...)`, in the file; then {file}:layer"),
        ("{file}:NoCache", "4,6", "NoCache().forward: expected (y, cache)"),
        ("{file}:OfLists", "4,6", "expected (y, cache), y an array, got y of <class 'list'>"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(capsys, file, target, shape, told):
    option = [] if shape is None else [f"--input-shape={shape}"]
    status, out, err = gradcheck(capsys, target.format(file=file), *option)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert told.format(file=file) in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("text", ["def oops(:", "import absent_package_of_mine", "1 / 0"])
def test_a_file_that_does_not_run_is_one_line_and_status_2(capsys, tmp_path, text):
    path = tmp_path / "broken.py"
    path.write_text(text)
    status, _, err = gradcheck(capsys, f"{path}:Layer", "--input-shape", "4,6")
    assert status == 2
    assert "broken.py" in err
    assert len(err.splitlines()) == 1


def test_without_a_file_the_whole_catalogue_is_checked(capsys, monkeypatch):
    from scratchgan import Dense, losses
    from scratchgan.cli import gradcheck as module

    monkeypatch.setattr(module, "layer_cases", lambda: [(Dense(3, 2), (2, 3))])
    monkeypatch.setattr(module, "network_cases", lambda: [("a net", Dense(2, 2), (2, 2))])
    status, out, _ = gradcheck(capsys)
    lines = out.splitlines()
    assert status == 0
    assert lines[0].startswith("Dense(3, 2) on (2, 3)") and lines[0].endswith("ok")
    assert lines[1].startswith("a net ")
    assert any(line.startswith("wgan-gp ") for line in lines)
    assert sum(line.startswith(tuple(losses.ADVERSARIAL)) for line in lines) >= 6
    assert lines[-1].endswith(" 0 subjects failed")


def test_a_failure_in_the_catalogue_is_shown_and_is_status_1(capsys, monkeypatch, file):
    from scratchgan.cli import gradcheck as module

    wrong = module.load_layer(f"{file}:Wrong")
    monkeypatch.setattr(module, "layer_cases", lambda: [(wrong, (2, 3))])
    monkeypatch.setattr(module, "network_cases", list)
    status, out, _ = gradcheck(capsys)
    assert status == 1
    assert "hint: every entry has the wrong sign" in out
    assert out.splitlines()[-1].endswith(" 1 subjects failed")


def test_a_command_is_required(capsys):
    for arguments in ([], ["fly"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "gradcheck" in capsys.readouterr().err
