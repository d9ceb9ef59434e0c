"""The page computes what it prints, quotes lines that exist, and makes the trainer's own step."""

import ast
import doctest
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchgan import get_backend
from scratchgan.backend import reference
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
    own = [bare(line) for line in ast.get_source_segment(source, node).splitlines()]
    assert follows(own, [bare(line) for line in lines.splitlines()]), f"{file}: {function}"


def bare(line):
    """A line of code without its indentation and its comment."""
    return line.partition("  # ")[0].strip()


def follows(own, quoted):
    """Whether the quoted lines are lines of ``own`` in this order, with gaps only at ``...``."""
    place, gap = None, True  # the lines before the first quoted one are left out, too
    for line in quoted:
        if line == "...":
            assert not gap  # it stands between two quoted lines
            gap = True
            continue
        start = 0 if place is None else place + 1 + gap  # a gap is one line or more
        stop = len(own) if gap else start + 1
        place = next((i for i in range(start, stop) if own[i : i + 1] == [line]), None)
        if place is None:
            return False
        gap = False
    return not gap


@pytest.mark.parametrize(
    ("quoted", "right"),
    [
        ("b c", True), ("a ... c", True), ("a c", False), ("a ... b", False), ("c ... a", False),
        ("a ...", False), ("x", False), ("c d", False), ("", False),
    ],
)  # fmt: skip
def test_gaps_of_a_quotation_must_be_marked(quoted, right):
    assert follows(["a", "b", "c"], quoted.split()) is right


# "`matmul(a, b)` is `a @ b`": a call, and the value that the function returns or the line it runs.
INLINE = re.findall(r"`(\w+)\(([\w, ]+)\)` is\s`([^`]+)`", PROSE)


@pytest.mark.parametrize(("name", "arguments", "line"), INLINE, ids=[i[0] for i in INLINE])
def test_a_quotation_in_a_sentence_is_the_whole_function(name, arguments, line):
    files = ["backend/reference.py", "layers/dense.py"]
    trees = [ast.parse((ROOT / "scratchgan" / file).read_text()) for file in files]
    (node,) = [n for tree in trees for n in ast.walk(tree) if getattr(n, "name", None) == name]
    given = [argument.arg for argument in node.args.args if argument.arg != "self"]
    needed = given[: len(given) - len(node.args.defaults)]
    assert arguments.split(", ") == needed
    _, *body = node.body  # after the docstring
    assert [ast.unparse(statement) for statement in body] in (
        [ast.unparse(ast.parse(line))], [f"return {ast.unparse(ast.parse(line))}"],
    )  # fmt: skip


def test_there_are_quotations_in_sentences():
    assert {name for name, _, _ in INLINE} == {
        "add_bias_", "add_rows_", "adjoint", "leaky_relu_grad", "matmul", "tanh_grad",
        "weight_grad",
    }  # fmt: skip


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


def test_the_stops_of_the_debugger(page):
    calls = []

    def record(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename == reference.__file__:
            calls.append(code.co_name)

    program = compile(doctest.script_from_examples(TEXT), "follow.py", "exec")
    before = sys.getprofile()
    sys.setprofile(record)
    try:
        exec(program, {"print": lambda *_: None})
    finally:
        sys.setprofile(before)
    stops = [n for n in calls if n in ("matmul", "leaky_relu_grad", "adam_")]
    places = [stops.index(name) + 1 for name in ("leaky_relu_grad", "adam_")]
    said = re.search(r"There are (\d+) stops\. .*? the (\d+)th, .*? the (\d+)th\.", TEXT, re.DOTALL)
    assert list(map(int, said.groups())) == [len(stops), *places]


def test_the_program_made_of_the_page_runs(page):
    program = doctest.script_from_examples(TEXT)
    printed = []
    exec(compile(program, "follow.py", "exec"), {"print": printed.append})
    assert printed[0] == "-0.4000" and "0.1190" in printed
