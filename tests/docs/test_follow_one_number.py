"""The page computes what it prints, quotes lines that exist, and makes the trainer's own step."""

import ast
import doctest
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from scratchgan import get_backend
from scratchgan.gan.source import DataSource
from scratchgan.gan.trainer import Trainer
from scratchgan.losses import NonSaturating
from scratchgan.optim import Adam

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "follow_one_number.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"^```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```\w+\n.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
# The first line of a quotation names its file and its function.
QUOTES = [
    match.groups()
    for block in BLOCKS
    if (match := re.fullmatch(r"# (\S+\.py), ([\w.]+)\n(.*)", block, re.DOTALL))
]


@pytest.fixture
def page():
    """Run a part of the page; afterwards all is as before."""

    def run(text):
        test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
        failures = []
        runner = doctest.DocTestRunner()
        runner.run(test, out=failures.append, clear_globs=False)
        assert not failures, "".join(failures)
        assert test.examples
        return test.globs

    with np.printoptions():
        yield run
    get_backend("numpy")


def test_every_number_comes_out_as_printed(page):
    page(TEXT)


def test_the_numbers_of_the_sentences_are_those_of_the_code():
    code = set(re.findall(r"\d+\.\d+", "".join(BLOCKS)))
    said = set(re.findall(r"\d+\.\d{2,}", PROSE))
    assert len(said) >= 4 and said <= code


@pytest.mark.parametrize(
    ("file", "function", "lines"), QUOTES, ids=[f"{q[0]}-{q[1]}" for q in QUOTES]
)
def test_a_quotation_stands_in_the_source_in_this_order(file, function, lines):
    source = (ROOT / file).read_text()
    node = ast.parse(source)
    for name in function.split("."):
        node = next(n for n in node.body if getattr(n, "name", None) == name)
    own = iter([bare(line) for line in ast.get_source_segment(source, node).splitlines()])
    for line in lines.splitlines():
        if line.strip() != "...":  # lines that are left out
            assert bare(line) in own, f"{file}: {function} has no line {line!r} at this place"


def test_what_a_function_is_said_to_compute_stands_in_it():
    said = re.findall(r"`(\w+)\([^`]*\)`\s+is\s+`([^`]+)`", PROSE)
    assert len(said) >= 7
    functions = {
        node.name: ast.get_source_segment(source, node)
        for file in ("layers/dense.py", "backend/reference.py")
        for source in [(ROOT / "scratchgan" / file).read_text()]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }
    for name, expression in said:
        assert expression in functions[name], name


def bare(line):
    """A line of code without its indentation and its comment."""
    return line.partition("  # ")[0].strip()


def test_there_are_quotations_of_every_file_on_the_way():
    files = {file.removeprefix("scratchgan/") for file, _, _ in QUOTES}
    assert files >= {
        "backend/reference.py", "layers/base.py", "layers/dense.py", "layers/compose.py",
        "optim.py", "gan/trainer.py",
    }  # fmt: skip


def test_links_lead_somewhere():
    links = re.findall(r"\]\((\S+?)\)", TEXT)
    assert len(links) > 8
    for link in links:
        assert (PAGE.parent / link).exists(), link
    for path in re.findall(r"`((?:layers|losses)/\w+\.py)`", TEXT):
        assert (ROOT / "scratchgan" / path).exists(), path


def test_the_trainer_makes_the_same_step(page):
    end = page(TEXT)
    start = page(TEXT.partition("## 1. ")[0])
    G, D = start["G"], start["D"]
    assert (D.theta != end["D"].theta).all() and (G.theta != end["G"].theta).all()
    source = DataSource(
        end["image"], np.random.default_rng(0), batch_size=1, z_dim=2, backend=end["ops"],
        dtype="float64",
    )  # fmt: skip
    source.noise = lambda: end["z"]
    rates = {"lr": 0.01, "beta1": 0.5, "beta2": 0.999}
    Trainer(G, D, NonSaturating(), Adam(G, **rates), Adam(D, **rates), source).step()
    assert np.array_equal(D.theta, end["D"].theta) and np.array_equal(G.theta, end["G"].theta)


def test_the_sizes_of_the_real_networks():
    example = runpy.run_path(str(ROOT / "examples" / "01_gan_from_parts.py"))
    _, D = example["networks"]("numpy")
    assert f"{D.size:,} weights" in TEXT and f"N is {example['N']}," in TEXT


def test_the_program_made_of_the_page_runs(page):
    program = doctest.script_from_examples(TEXT)
    printed = []
    exec(compile(program, "follow.py", "exec"), {"print": printed.append})
    assert printed[0] == "-0.4000" and "0.1190" in printed
