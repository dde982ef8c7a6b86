"""Every error that code raises has words in the catalogue, so that nobody is ever shown a bare code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.errors import CATALOGUE, fill

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = [
    "accounts",
    "actions",
    "apinita",
    "calendar_actions",
    "connections",
    "data_actions",
    "http_actions",
    "lib",
    "scenarios",
]


def raised() -> Iterator[tuple[str, str]]:
    """(code, where) of each UserError made with a literal code."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if code := code_of(node):
                    assert isinstance(node, ast.Call)
                    yield code, f"{path.relative_to(ROOT)}:{node.lineno}"


def code_of(node: ast.AST) -> str:
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.func, ast.Name | ast.Attribute):
        return ""
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    first, *rest = node.args
    if name != "UserError" or not isinstance(first, ast.Constant):
        return ""
    reason = rest[0].value if rest and isinstance(rest[0], ast.Constant) else ""
    return f"{first.value}.{reason}" if reason else str(first.value)


def test_each_raised_error_has_words() -> None:
    found = list(raised())
    assert len(found) > 20
    without = [f"{code} ({where})" for code, where in found if not {code, code.split(".")[0]} & CATALOGUE.keys()]
    assert without == []


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_words_are_sentences(code: str) -> None:
    words = CATALOGUE[code]
    assert words.text.strip()
    for sentence in filter(None, (words.text, words.hint)):
        assert "!" not in sentence
        assert "please" not in sentence.lower()
        assert fill(sentence, {}) == sentence
