"""The pages say what the code does: examples run, messages exist, links lead somewhere."""

import ast
import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import scratchgan
from scratchgan.gradcheck import check

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")]
GPU = (ROOT / "docs" / "gpu.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def messages():
    """The first column of the GPU page's table of messages, message by message."""
    _, _, table = GPU.partition("| message |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row.split("|")[1])]


def strings():
    """Every string in the package's code; of an f-string, its parts."""
    for path in Path(scratchgan.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


STRINGS = list(strings())


@pytest.mark.parametrize("message", messages())
def test_the_code_has_the_message(message):
    for part in re.split(r"tf32: \.\.\.\)", message):
        assert any(part in text for text in STRINGS), part


def test_the_table_of_messages_is_read():
    assert len(messages()) == 8


@pytest.mark.parametrize("extra", ["cuda12", "cuda13"])
def test_the_extra_exists(extra):
    assert f"pip install -e '.[{extra}]'" in GPU
    assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()


class SameButRounding(doctest.OutputChecker):
    """Compares outputs except for the errors in a report, which are rounding."""

    def check_output(self, want, got, optionflags):
        want, got = (re.sub(r"\d\.\de-\d\d(?= +\de[+-]\d\d)", "e", text) for text in (want, got))
        return super().check_output(want, got, optionflags)


def failures(page, **names):
    """Run the ``>>>`` lines of a page; the report of those that print something else."""
    test = doctest.DocTestParser().get_doctest(page, names, "page", None, 0)
    report = []
    runner = doctest.DocTestRunner(SameButRounding(), verbose=False, optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.append)
    assert runner.tries  # there are such lines
    return "".join(report)


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```$", page, flags=re.M | re.S)


README = (ROOT / "README.md").read_text()
TEN_LINES, *SHELLS = blocks(README)


def test_the_readme_prints_what_it_says():
    assert SHELLS
    for block in SHELLS:
        assert not failures(block)


def quick(steps=20):
    """The README's ten lines, for fewer steps than there."""
    assert len([line for line in TEN_LINES.splitlines() if line]) == 10
    assert '"steps": 4000' in TEN_LINES
    return TEN_LINES.replace('"steps": 4000', f'"steps": {steps}')


def test_the_ten_lines_train_networks_of_your_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(quick(), "README.md", "exec"), names)
    run, images = names["run"], names["images"]
    assert images.shape == (100, 8, 8, 1) and images.dtype == np.uint8 and images.std() > 5
    assert list(run.history["step"]) == [10, 20] and np.isfinite(run.history["d_loss"]).all()
    assert run.sample(64, label=7).shape == (64, 8, 8, 1)
    assert np.array_equal(scratchgan.load("runs/mine", names["pair"]).sample(100), images)


@pytest.mark.notebook
def test_the_ten_lines_run_in_a_notebook(tmp_path):
    """In a kernel of its own; the second run of the cell says in Python what to do."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [
        quick(),
        "run.history",
        "from scratchgan.gradcheck import check\ncheck(generator, (4, 32))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    bar, history, report = ("".join(map(str, cell.outputs)) for cell in notebook.cells)
    assert "img/s" in bar
    assert "array(" in history
    assert "text/html" in report and "all passed" in report
    with pytest.raises(nbclient.exceptions.CellExecutionError) as error:
        client.execute()
    assert "`resume=True`" in str(error.value) and "--resume" not in str(error.value)
    assert (tmp_path / "runs" / "mine" / "samples.gif").exists()


def test_a_wrong_output_would_be_noticed():
    assert failures(">>> 1 + 1\n3\n")


def test_the_layer_of_the_contributing_page_is_right():
    code, lines = blocks(CONTRIBUTING)
    names = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    assert not failures(lines, **names)
    report = check(names["Swish"](), (4, 6))
    assert report.passed, str(report)
    assert report.notes == []  # the second order was checked, too


def targets():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not target.startswith("http"):
                yield pytest.param(page, target, id=f"{page.relative_to(ROOT)}-{target}")


@pytest.mark.parametrize(("page", "target"), list(targets()))
def test_the_link_leads_somewhere(page, target):
    assert (page.parent / target).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_paths_exist(page):
    if page.name == "CHANGELOG.md":
        pytest.skip("it names files that are gone")
    start = r"(?<![\w/.~-])((?:scratchgan|examples|benchmarks|tests|docs)/[\w/.]*)"
    found = {path.rstrip(".") for path in re.findall(start, page.read_text())}
    assert [path for path in sorted(found) if not (ROOT / path).exists()] == []
