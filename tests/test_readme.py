"""What the page says that one will read, one reads."""

import ast
import re
from pathlib import Path

import pytest

import scratchgan

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "README.md").read_text()


def messages():
    """The first column of the table of troubles, message by message."""
    _, _, table = PAGE.partition("| what is printed |")
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
def test_messages_are_those_of_the_code(message):
    for part in re.split(r"tf32: \.\.\.\)", message):
        assert any(part in text for text in STRINGS), part


def test_the_table_is_read():
    assert len(messages()) == 8


@pytest.mark.parametrize("extra", ["cuda12", "cuda13"])
def test_what_is_to_be_installed_is_there(extra):
    assert f"pip install -e '.[{extra}]'" in PAGE
    assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()
