"""Objects of the user's own files, named ``FILE.py:NAME``."""

import sys
import textwrap

import pytest

from scratchgan.named import load_named, split_named

FILE = """
    from __future__ import annotations

    import math
    from dataclasses import dataclass

    import numpy as np
    from numpy import exp

    import my_neighbour
    from my_package.inner import seven


    @dataclass
    class Options:
        slope: float = 0.1


    def forward(x):
        return my_neighbour.double(x)


    def backward(x):
        return x


    PAIR = 3
    _HIDDEN = 4
"""
NEIGHBOUR = """
    def double(x):
        return 2 * x
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


@pytest.fixture(params=["plain", "a:b", "with space"])
def folder(request, tmp_path):
    folder = tmp_path / request.param
    write(folder / "mine.py", FILE)
    write(folder / "my_neighbour.py", NEIGHBOUR)
    write(folder / "my_package" / "__init__.py", "")
    write(folder / "my_package" / "inner.py", "seven = 7")
    return folder


def test_an_object_or_several(folder):
    assert load_named(f"{folder}/mine.py:PAIR", "a pair") == 3
    assert load_named(f"{folder}/mine.py:Options", "a pair")().slope == 0.1
    forward, backward = load_named(f"{folder}/mine.py:forward,backward", "functions")
    assert (forward(2), backward(2)) == (4, 2)


def test_a_path_from_here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert load_named("mine.py:PAIR", "a pair") == 3


def test_nothing_is_left_behind(folder):
    load_named(f"{folder}/mine.py:PAIR", "a pair")
    search, modules = list(sys.path), dict(sys.modules)
    load_named(f"{folder}/mine.py:PAIR", "a pair")
    assert (sys.path, sys.modules) == (search, modules)
    assert not [name for name in modules if name.startswith("my_")]
    write(folder / "mine.py", "import my_neighbour\nimport my_package.inner\n1 / 0")
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        load_named(f"{folder}/mine.py:PAIR", "a pair")
    assert (sys.path, sys.modules) == (search, modules)


def test_neighbours_of_the_same_name_in_two_folders(tmp_path):
    for value in (1, 2):
        write(tmp_path / str(value) / "helper.py", f"x = {value}")
        write(tmp_path / str(value) / "no_init" / "inner.py", f"y = {value}")
        write(
            tmp_path / str(value) / "mine.py", "from helper import x\nfrom no_init.inner import y"
        )
        assert load_named(f"{tmp_path}/{value}/mine.py:x,y", "a number") == (value, value)


def test_other_packages_stay(tmp_path):
    """A package that the file is the first to import stays, even from a venv in its folder."""
    write(tmp_path / "venv" / "my_installed.py", "x = 1")
    write(
        tmp_path / "mine.py",
        f"import sys\nsys.path.append({str(tmp_path / 'venv')!r})\nfrom my_installed import x",
    )
    assert load_named(f"{tmp_path}/mine.py:x", "a number") == 1
    assert sys.modules.pop("my_installed").x == 1


@pytest.mark.parametrize("name", ["numpy", "copy", "scratchgan"])
def test_a_file_may_have_the_name_of_a_package(tmp_path, name):
    before = sys.modules.get(name)
    write(tmp_path / f"{name}.py", "def f(x):\n    return x")
    assert load_named(f"{tmp_path}/{name}.py:f", "a function")(3) == 3
    assert sys.modules.get(name) is before


def test_a_script_is_not_run_as_a_script(tmp_path):
    write(tmp_path / "mine.py", "x = 1\nif __name__ == '__main__':\n    1 / 0")
    assert load_named(f"{tmp_path}/mine.py:x", "a number") == 1


def test_no_cache_is_written_beside_the_file(tmp_path):
    write(tmp_path / "mine.py", "x = 1")
    load_named(f"{tmp_path}/mine.py:x", "a number")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def refusal(target):
    with pytest.raises(ValueError) as caught:
        load_named(target, "a pair")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_misspelt_name_is_answered_with_the_nearest(folder):
    for name, nearest in ("forwrad", "forward"), ("OPTION", "Options"), ("bakward", "backward"):
        said = refusal(f"{folder}/mine.py:{name}")
        assert f"the file has no {name!r}; it holds {nearest}, " in said
        assert not any(other in said for other in ("exp", "math", "dataclass", "np", "_HIDDEN"))
    assert "the file has no 'df'; it holds " in refusal(f"{folder}/mine.py:forward,df")


def test_fits_chooses_what_is_listed(folder):
    with pytest.raises(ValueError, match=r"it holds PAIR, seven$"):
        load_named(f"{folder}/mine.py:pare", "a pair", lambda value: isinstance(value, int))
    with pytest.raises(ValueError, match=r"it holds none$"):
        load_named(f"{folder}/mine.py:pare", "a pair", lambda value: isinstance(value, list))


@pytest.mark.parametrize("end", ["", ":"])
def test_without_a_name_the_file_is_listed(folder, end):
    said = refusal(f"{folder}/mine.py{end}")
    assert "expected FILE.py:NAME, where NAME is a pair; it holds Options, forward, back" in said


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("absent.py:x", "absent.py"),
        ("mlp", "mlp"),
        (r"C:\my\mine.py:x", r"C:\my\mine.py"),
        (":x", ""),
        ("", ""),
    ],
)
def test_no_such_file(target, file):
    wanted = f"no such file; expected FILE.py:NAME, where NAME is a pair, got {target!r}"
    assert refusal(target) == f"{file}: {wanted}"


def test_no_python_file(tmp_path):
    write(tmp_path / "mine.ipynb", "{}")
    assert "mine.ipynb: no Python file (.py); expected FILE" in refusal(f"{tmp_path}/mine.ipynb:x")
    assert "no such file" in refusal(f"{tmp_path}:x")


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero", 2),
        ("x = 1\ndef oops(:", "SyntaxError: invalid syntax", 2),
        ("\n\nimport absent_package", "ModuleNotFoundError: No module named 'absent_package'", 3),
        ("def f():\n    raise KeyError('a\\nb')\nf()", "KeyError: 'a\\nb'", 2),
        ("raise ValueError('two\\nlines')", "ValueError: two lines", 1),
        ("import sys\nsys.exit('no arguments')", "SystemExit: no arguments", 2),
    ],
)
def test_an_error_in_the_file_is_told_with_its_line(tmp_path, text, said, line):
    path = write(tmp_path / "mine.py", text)
    assert refusal(f"{path}:x") == f"{path}:x: {said} ({path}, line {line})"


def test_an_error_in_a_neighbour_is_told_with_the_neighbours_line(tmp_path):
    path = write(tmp_path / "mine.py", "import my_bad")
    bad = write(tmp_path / "my_bad.py", "x = 1\n1 / 0")
    assert refusal(f"{path}:x").endswith(f"({bad}, line 2)")
    bad.write_text("x = 1\ndef oops(:")
    assert refusal(f"{path}:x").endswith(f"({bad}, line 2)")


def test_the_path_and_the_name(folder):
    assert split_named(f"{folder}/mine.py:a,b", "a pair") == (folder / "mine.py", "a,b")
    assert split_named(f"{folder}/mine.py", "a pair") == (folder / "mine.py", "")
