"""Every error that code raises has words, a hint and Russian, so that nobody is ever shown a bare code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

from lib.errors import BUTTONS, CATALOGUE, describe, fill

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
# Errors that leave nothing to be said about what to do, and why.
NO_HINT = {
    "invalid_input": "the message names the value and what it should be",
    "invalid_document.not_one_of": "the text lists what it may be",
    "key_changed": "printed by commands; the text says both ways out",
    "key_missing": "printed by commands; the text says what to do",
    "stopped": "the message is the scenario's author's own",
    "stopped.silent": "the author wanted it",
}


def raised() -> Iterator[tuple[str, str]]:
    """(code, where) of each error made with a literal code: UserError("…") and {"code": "…"}."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if code := code_of(node) or code_in(node):
                    assert isinstance(node, ast.expr)
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


def code_in(node: ast.AST) -> str:
    """The code of an error written out as it is stored: {"code": …, "params": …}."""
    if not isinstance(node, ast.Dict):
        return ""
    found = {
        key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)
    }
    code = found.get("code")
    return str(code.value) if "params" in found and isinstance(code, ast.Constant) else ""


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


def test_each_error_says_what_to_do_or_why_there_is_nothing() -> None:
    assert sorted(code for code, words in CATALOGUE.items() if not words.hint) == sorted(NO_HINT)


def test_each_error_is_told_with_its_button() -> None:
    assert {words.button for words in CATALOGUE.values()} == {"", *BUTTONS}
    assert describe({"code": "unknown_outcome"})["button"] == "decide"
    assert describe({"code": "reauthorization_needed", "params": {"reason": "not_connected"}})["button"] == "reconnect"
    assert describe({"code": "no_such_code_any_more"})["button"] == ""


def test_each_error_and_button_has_russian() -> None:
    """A text that nobody marked for translation would be missed by the catalogues' own test."""
    russian = {entry.msgid for entry in polib.pofile(str(ROOT / "locale/ru/LC_MESSAGES/django.po")) if entry.msgstr}
    texts = {text for words in CATALOGUE.values() for text in (words.text, words.hint) if text}
    assert sorted((texts | set(BUTTONS.values())) - russian) == []
