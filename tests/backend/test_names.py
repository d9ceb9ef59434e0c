"""The backends are alike, and the floors of the house are kept."""

import ast
import inspect
from pathlib import Path

import pytest

import scratchgan
from scratchgan.backend import reference
from scratchgan.backend.cpu import ops as cpu_ops

PACKAGE = Path(scratchgan.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = {n for n in reference.__all__ if inspect.isfunction(getattr(reference, n))}
CUDA = {
    name: ast.parse((PACKAGE / "backend" / "cuda" / f"{name}.py").read_text())
    for name in ("ops", "conv", "gemm")
}


def signature(function):
    """The parameters of a function, as they are written."""
    return ast.unparse(ast.parse(f"def f{inspect.signature(function)}: 0").body[0].args)


def signatures(tree):
    """The parameters of each public function in a file, as they are written."""
    return {
        node.name: ast.unparse(node.args)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def cuda_signatures():
    """The parameters of each operation of ``cuda/ops.py``: its own, and those it imports."""
    found = signatures(CUDA["ops"])
    for node in CUDA["ops"].body:
        if isinstance(node, ast.ImportFrom) and node.module in ("conv", "gemm"):
            theirs = signatures(CUDA[node.module])
            found |= {alias.name: theirs[alias.name] for alias in node.names}
    return found


def imported(path):
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_the_table_of_operations_is_sorted_and_complete():
    public = {n for n in vars(reference) if not n.startswith("_")} - {"math", "np"}
    assert reference.__all__ == sorted(public)


def test_all_backends_offer_the_same_names():
    ours = {n for n in vars(cpu_ops) if not n.startswith("_")}
    assert ours == set(reference.__all__)
    assigned = {n.targets[0].id for n in CUDA["ops"].body if isinstance(n, ast.Assign)}
    assert cuda_signatures().keys() | assigned == set(reference.__all__)


def test_all_backends_have_the_same_signatures():
    theirs = cuda_signatures()
    assert set(theirs) == FUNCTIONS
    for name in FUNCTIONS:
        wanted = signature(getattr(reference, name))
        assert signature(getattr(cpu_ops, name)) == wanted, name
        assert theirs[name] == wanted, name


def test_names_and_places_are_told_apart():
    assert (cpu_ops.name, reference.name) == ("numpy", "reference")
    assert cpu_ops.on_host is reference.on_host is True
    cuda = {n.targets[0].id: n.value for n in CUDA["ops"].body if isinstance(n, ast.Assign)}
    assert (cuda["name"].value, cuda["on_host"].value) == ("cupy", False)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_backend_imports_cupy_and_nothing_imports_torch(path):
    packages = set(imported(path))
    assert "torch" not in packages
    if path.parent.name != "cuda":
        assert "cupy" not in packages


def test_the_search_above_sees_what_it_must():
    assert len(SOURCES) > 15
    assert "cupy" in imported(PACKAGE / "backend" / "cuda" / "ops.py")
    assert "numpy" in imported(PACKAGE / "backend" / "reference.py")
