import pytest

from scratchgan.__main__ import main
from scratchgan.named import load_named

LAYERS = """
import numpy as np

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


def affine_forward(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def affine_wrong(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw, db / len(dout)


def cube(x):
    return x**3


def slope(x):
    return 3 * x**2


def dcube(x, dy):
    return slope(x) * dy


def cube_forward(x):
    return x**3, x


def cube_backward(dout, x):
    return slope(x) * dout


def log(x):
    assert (x > 0).all()
    return np.log(x)


def breaks_off(x):
    return x[:, 9]


def inverse(x):
    return 1 / x
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
GIVE = "give --input-shape with the batch axis first, such as --input-shape 4,6; for functions"


@pytest.mark.parametrize(
    ("target", "shape", "told"),
    [
        (
            "absent.py:Right",
            "4,6",
            "absent.py: no such file; expected FILE.py:NAME, where NAME is a layer, or the names",
        ),
        ("{file}", "4,6", "FILE.py:NAME"),
        ("{file}:", "4,6", "FILE.py:NAME"),
        ("{file}:Rihgt", "4,6", "the file has no 'Rihgt'; it holds Right, "),
        ("{file}:affine,affine_backward", "4,6", "no 'affine'; it holds affine_wrong, affine_for"),
        ("{file}", "4,6", "it holds Right, Wrong, Picky, "),
        ("{file}:number", "4,6", "{file}:number: expected a Layer, got 3"),
        ("{file}:Right", "4,x", WANTED + "'4,x'"),
        ("{file}:Right", "0,6", WANTED + "'0,6'"),
        ("{file}:Right", "-4,6", WANTED + "'-4,6'"),
        ("{file}:Right", "", WANTED + "''"),
        ("{file}:Right", None, GIVE),
        ("{file}:cube,slope", None, GIVE + " one for each input, --input-shape 4,6 6,3 3"),
        ("{file}:cube", "4,6", "expected a Layer, got one function; name two, FILE.py:forward,"),
        ("{file}:cube,number", "4,6", "expected two functions, got <function cube"),
        ("{file}:cube,slope,dcube", "4,6", "expected two functions"),
        (
            "{file}:affine_forward,affine_backward",
            "4,6",
            "(x, w, b): called with x alone: missing a",
        ),
        ("Dens", "4,6", "Dens: no file, and no layer of the library (Dense); a layer of your own"),
        ("dense", None, "dense: no file, and no layer of the library (Dense"),
        ("Embedding", None, "Embedding: there is no ready case of it alone; "),
        ("Dense", "4,7", "Dense(6, 5): expected input of shape (N, 6), got (4, 7)"),
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


@pytest.mark.parametrize(
    ("names", "shapes", "status", "says"),
    [
        ("affine_forward,affine_backward", ["4,6", "6,3", "3"], 0, "on x (4, 6), w (6, 3), b (3,)"),
        ("affine_forward,affine_wrong", ["4,6", "6,3", "3"], 1, "every entry is 0.25 times"),
        ("cube_forward,cube_backward", ["4,6"], 0, "a cache can be used twice"),
        ("cube,slope", ["4,6"], 0, "finite at large inputs"),
        ("cube,dcube", ["4,6"], 0, "finite at large inputs"),
        ("cube,cube", ["4,6"], 1, "hint: "),
        ("breaks_off,slope", ["4,6"], 1, "return x[:, 9]"),
        ("log,inverse", ["4,6"], 1, "f runs"),
        ("log,inverse", ["4,6", "--between", "0.5", "3"], 0, "all passed"),
    ],
)
def test_two_functions(capsys, file, names, shapes, status, says):
    found = gradcheck(capsys, f"{file}:{names}", "--input-shape", *shapes)
    assert found[0] == status and found[2] == ""
    assert says in found[1]


def test_two_functions_of_which_the_first_has_no_cache_but_two_inputs(capsys, file):
    status, _, err = gradcheck(capsys, f"{file}:affine_wrong,slope", "--input-shape", "4", "4")
    assert status == 2
    assert "slope(x): called with (dout, cache): too many positional arguments" in err


def test_the_shapes_may_stand_first(capsys, file):
    status, out, _ = gradcheck(capsys, "--input-shape", "4,6", f"{file}:cube,slope")
    assert status == 0 and "cube, slope on x (4, 6)" in out
    status, _, err = gradcheck(capsys, "--input-shape", "4,6")
    assert (status, err) == (
        2,
        "error: --input-shape: of what? Name a layer, such as Dense, or FILE.py:NAME\n",
    )


def test_a_range_is_only_for_functions(capsys, file):
    for target in (f"{file}:Right", "Tanh"):
        status, _, err = gradcheck(capsys, target, "--input-shape", "4,6", "--between", "-1", "2")
        assert status == 2 and "--between is for functions" in err


@pytest.mark.parametrize("limits", [("2", "1"), ("1", "1"), ("nan", "1"), ("0", "inf")])
def test_a_range_that_is_none(capsys, file, limits):
    target = f"{file}:cube,slope"
    status, _, err = gradcheck(capsys, target, "--input-shape", "4,6", "--between", *limits)
    assert status == 2 and "--between: expected LOW below HIGH, got " in err


def test_one_shape_for_a_layer(capsys, file):
    status, _, err = gradcheck(capsys, f"{file}:Right", "--input-shape", "4,6", "4,6")
    assert status == 2 and "expected one shape for a layer, got 2" in err


@pytest.mark.parametrize(
    ("arguments", "subjects"),
    [
        (["Tanh"], ["Tanh() on (4, 6)"]),
        (["BatchNorm"], ["BatchNorm(3) on (6, 3)", "BatchNorm(3) on (2, 3, 4, 3)"]),
        (["Tanh", "--input-shape", "2,3,4"], ["Tanh() on (2, 3, 4)"]),
        (["LayerNorm", "--input-shape", "2,5"], ["LayerNorm((5,)) on (2, 5)"]),
    ],
)
def test_a_layer_of_the_library_by_its_name(capsys, arguments, subjects):
    status, out, err = gradcheck(capsys, *arguments)
    assert (status, err) == (0, "")
    found = [line for line in out.splitlines() if line.startswith("gradcheck ")]
    assert [line.removeprefix("gradcheck ") for line in found] == subjects


def test_a_folder_with_a_colon_and_a_dataclass(capsys, tmp_path):
    path = tmp_path / "C:" / "mine.py"
    path.parent.mkdir()
    options = "from dataclasses import dataclass\n@dataclass\nclass Options:\n    a: float = 1.0\n"
    path.write_text("from __future__ import annotations\n" + options + LAYERS)
    assert gradcheck(capsys, f"{path}:Right", "--input-shape", "4,6")[0] == 0


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

    wrong = load_named(f"{file}:Wrong", "a layer")()
    monkeypatch.setattr(module, "layer_cases", lambda: [(wrong, (2, 3))])
    monkeypatch.setattr(module, "network_cases", list)
    status, out, _ = gradcheck(capsys)
    assert status == 1
    assert "hint: every entry has the wrong sign" in out
    assert out.splitlines()[-1].endswith(" 1 subjects failed")


def test_a_command_is_required(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fly"])
    assert caught.value.code == 2
    assert "gradcheck" in capsys.readouterr().err
    assert main([]) == 0
    assert "gradcheck" in capsys.readouterr().out
