"""Rules that keep the project readable: its length, and the words of docstrings and messages."""

import ast
import importlib
import inspect
import io
import pkgutil
import re
import tokenize
from pathlib import Path

import scratchgan

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "scratchgan"
FILES = sorted(PACKAGE.rglob("*.py"))

NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER, tokenize.ENCODING,
}  # fmt: skip
HAVE_DOCSTRINGS = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef


def docstrings(text):
    """The docstrings of a file, as nodes of its syntax tree."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, HAVE_DOCSTRINGS) and ast.get_docstring(node) is not None:
            yield node.body[0].value


def code_lines(text):
    """How many lines of a file hold code: no blank lines, comments or docstrings."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in docstrings(text):
        lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def messages(text):
    """Every string of a file that is no docstring; ``{}`` stands for an f-string's values."""
    tree, skip = ast.parse(text), {(d.lineno, d.col_offset) for d in docstrings(text)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [] if (node.lineno, node.col_offset) in skip else [(node.lineno, node.value)]


def total(paths):
    return sum(code_lines(path.read_text()) for path in paths)


def reading_path():
    """The files of the numbered list in the README."""
    _, _, section = (ROOT / "README.md").read_text().partition("## Read the code")
    section = section.partition("\n## ")[0]
    names = re.findall(r"^\d+\. \[`([^`]+)`\]\(\1\): ", section, flags=re.M)
    assert len(names) == len(re.findall(r"^\d+\. ", section, flags=re.M))  # each item is a link
    for name in names:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) if name.endswith("/") else [path]


def test_code_lines_are_counted():
    text = '"""Doc."""\n\nx = """a\nb"""  # why\n\n\ndef f():\n    """Doc.\n\n    """\n    # no\n'
    assert code_lines(text) == 3
    assert code_lines(text + "    return (\n        1\n    )\n") == 6


def test_the_reading_path_is_short():
    path = list(reading_path())
    names = [str(file.relative_to(PACKAGE)) for file in path if file.suffix == ".py"]
    assert names[0] == "layers/base.py"
    assert names[-1] == "gan/trainer.py"
    assert "backend/reference.py" in names
    assert len(names) >= 9
    assert "layers/compose.py" in names
    lines = total(file for file in path if file.suffix == ".py")
    assert lines <= 900
    said = re.search(r"about (\d+) lines of code", (ROOT / "README.md").read_text())
    assert abs(lines - int(said[1])) <= 50


def test_the_package_is_short():
    """A new feature may need more lines: then raise this with it, and say why in the commit."""
    assert total(FILES) <= 7200


RIDDLES = re.compile(r"(Of|What|That of|Those of|Whether it|The same|The formula|As)\b")


def test_the_first_line_of_a_docstring_stands_alone():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value.strip().splitlines()[0]}"
        for path in FILES
        for node in docstrings(path.read_text())
        if RIDDLES.match(node.value.strip())
    ]
    assert not found, "\n".join(found)


def test_messages_say_expected_and_got():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in FILES
        for line, text in messages(path.read_text())
        if re.search(r"\bgiven\b.*\bwanted\b", text, flags=re.S)
    ]
    assert not found, "\n".join(found)


def test_such_words_would_be_found():
    text = 'def f(x):\n    """Of each entry."""\n    raise E(f"{x} " f"given, " "y wanted")\n'
    assert [RIDDLES.match(d.value) is not None for d in docstrings(text)] == [True]
    assert "{} given, y wanted" in [message for _, message in messages(text)]


NEED_CUPY = ("conv", "gemm", "graph", "launch", "ops")


def public_objects():
    """Every function and class of the package whose name does not begin with an underscore."""
    names = [m.name for m in pkgutil.walk_packages(scratchgan.__path__, "scratchgan.")]
    skip = ("__main__", *(f"backend.cuda.{name}" for name in NEED_CUPY))
    modules = [importlib.import_module(n) for n in names if not n.endswith(skip)]
    for module in [scratchgan, *modules]:
        for name, value in vars(module).items():
            own = getattr(value, "__module__", None) == module.__name__
            if own and name[0] != "_" and (inspect.isfunction(value) or inspect.isclass(value)):
                yield f"{module.__name__}.{name}", value


def test_public_objects_have_docstrings():
    found = list(public_objects())
    assert len(found) > 200
    assert [name for name, value in found if not (value.__doc__ or "").strip()] == []
