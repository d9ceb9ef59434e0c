"""The backends are alike, and the floors of the house are kept."""

import ast
import inspect
from pathlib import Path

import pytest

import scratchgan
from scratchgan.backend.cpu import ops as numpy_ops

PACKAGE = Path(scratchgan.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
CUPY_OPS, *OF_CUPY = [
    ast.parse((PACKAGE / "backend" / f"{name}.py").read_text())
    for name in ("cuda/ops", "cuda/conv", "cuda/gemm")
]


def exported(tree):
    """The value of ``__all__``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)


def signatures(tree):
    """The parameters of each public function, as they are written."""
    return {
        node.name: ast.unparse(node.args)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def imported(path):
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_both_backends_export_the_same_names():
    assert exported(CUPY_OPS) == numpy_ops.__all__ == sorted(numpy_ops.__all__)


def test_both_backends_have_the_same_signatures():
    own_file = signatures(CUPY_OPS)
    others = {k: v for tree in OF_CUPY for k, v in signatures(tree).items()}
    theirs = own_file | {k: v for k, v in others.items() if k in exported(CUPY_OPS)}
    for name in numpy_ops.__all__:
        own = getattr(numpy_ops, name)
        if inspect.isfunction(own):
            ours = ast.unparse(ast.parse(f"def f{inspect.signature(own)}: 0").body[0].args)
            assert theirs[name] == ours, name
    public = {name for name in numpy_ops.__all__ if inspect.isfunction(getattr(numpy_ops, name))}
    assert set(theirs) == public


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_backend_imports_cupy_and_nothing_imports_torch(path):
    packages = set(imported(path))
    assert "torch" not in packages
    if path.parent.name != "cuda":
        assert "cupy" not in packages


def test_the_search_above_sees_what_it_must():
    assert len(SOURCES) > 15
    assert "cupy" in imported(PACKAGE / "backend" / "cuda" / "ops.py")
    assert "numpy" in imported(PACKAGE / "backend" / "cpu" / "ops.py")
