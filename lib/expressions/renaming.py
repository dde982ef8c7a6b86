"""Rewrites references in templates when a step gets another key."""

import re
from functools import lru_cache

from lib.errors import Json
from lib.expressions.budget import DATA_DEPTH
from lib.expressions.errors import ExpressionError
from lib.expressions.splitting import Kind, may_have_expression, split
from lib.expressions.syntax import parse

# Texts and numbers are passed over, so that names in them stay.
TOKEN = re.compile(
    r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|\d\w*(?:\.\d\w*)?|[^\W\d]\w*|==|[^\s\w]""", re.DOTALL
)


def rename(template: Json, old: str, new: str) -> Json:
    """The template with references to the name `old` turned to `new`; everything else stays byte for byte.

    A text that cannot be read stays as it is. ExpressionError name_taken where a text binds `new` itself.
    """
    return rename_any(template, old, new, 0)


def rename_any(template: Json, old: str, new: str, depth: int) -> Json:
    if isinstance(template, str):
        return rename_text(template, old, new) if old in template and may_have_expression(template) else template
    if depth >= DATA_DEPTH:
        return template
    if isinstance(template, list):
        return [rename_any(item, old, new, depth + 1) for item in template]
    if isinstance(template, dict):
        return {key: rename_any(item, old, new, depth + 1) for key, item in template.items()}
    return template


def rename_text(text: str, old: str, new: str) -> str:
    read = names_in(text)
    if read is None or old not in read[0]:
        return text
    if new in read[1]:
        error = ExpressionError("name_taken", asked=new)
        error.locate(text, line=1)
        raise error
    result, position = [], 0
    for piece in split(text):
        if piece.kind is Kind.TEXT:
            continue
        for start, end in places(piece.source, old):
            result += [text[position : piece.start + start], new]
            position = piece.start + end
    return "".join([*result, text[position:]])


@lru_cache(256)
def names_in(text: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The names that a text reads from outside and those that it binds itself; None if it cannot be read."""
    from lib.expressions.compiler import Compiler
    from lib.expressions.statements import compile_body

    compiler = Compiler()
    try:
        compile_body(compiler, parse(split(text)))
    except (ExpressionError, RecursionError):
        return None
    return frozenset(compiler.references), frozenset(compiler.all_bound)


def places(source: str, name: str) -> list[tuple[int, int]]:
    """Where a name stands for a value: not as `.key`, `| filter`, `is test`, `function(` or `argument=`."""
    tokens = [(found[0], found.start(), found.end()) for found in TOKEN.finditer(source)]
    found = []
    for index, (token, start, end) in enumerate(tokens):
        before = tokens[index - 1][0] if index else ""
        after = tokens[index + 1][0] if index + 1 < len(tokens) else ""
        if token != name or before in (".", "|", "is") or after == "(":
            continue
        if before == "not" and index > 1 and tokens[index - 2][0] == "is":
            continue
        if after == "=" and before in ("(", ","):  # an argument's name; `set name =` is the name itself
            continue
        found.append((start, end))
    return found
