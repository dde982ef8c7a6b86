"""Cuts a template into text, expressions and tags, without changing a byte of the text.

Jinja's own lexer would do for `{{ }}`, but it knows one pair of brackets at a time, cannot tell `a << b` from an
expression and rewrites line ends. What stands between the brackets is left to it (`syntax.py`).
"""

import re
from dataclasses import dataclass
from enum import Enum

from lib.expressions.budget import SIZE, SOURCE
from lib.expressions.errors import ExpressionError, shorten

ATTEMPTS = 1_000  # `<<` … `>>` in one text that turned out not to be expressions

OPENING = re.compile(r"\{\{|\{%|\{#|<<")
# What matters inside the brackets: quoted texts (skipped whole), brackets of any kind, a quote without its pair.
INSIDE = re.compile(r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|%\}|>>|<<|[(\[{}\])'"]""", re.DOTALL)
VERBATIM = re.compile(r"\s*(raw|verbatim)\s*")
VERBATIM_END = re.compile(r"\{%-?\s*end(raw|verbatim)\s*-?%\}")
CLOSING = {"{{": "}}", "{%": "%}", "<<": ">>"}


class Kind(Enum):
    TEXT = "text"
    EXPRESSION = "expression"
    TAG = "tag"


@dataclass
class Piece:
    """`source` is the text itself, or what stands between the brackets; `start` is where it begins in the template."""

    kind: Kind
    source: str
    start: int


def may_have_expression(text: str) -> bool:
    """A quick look that never says no wrongly."""
    return "{{" in text or "<<" in text or "{%" in text or "{#" in text


def split(text: str) -> list[Piece]:
    """The pieces of a template, in order. ExpressionError not_closed, too_long."""
    if len(text) > SIZE:
        raise ExpressionError("too_long", limit=SIZE)
    return Splitter(text).split()


class Splitter:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[Piece] = []
        self.position = 0  # up to here everything is in pieces
        self.trim_next = False  # the last brackets ended with `-}}` or `-%}`
        self.source_left = SOURCE
        self.attempts_left = ATTEMPTS
        self.comments_end = text.rfind("#}")

    def split(self) -> list[Piece]:
        search = 0
        while opening := OPENING.search(self.text, search):
            mark, start = opening[0], opening.start()
            if mark == "<<":
                search = self.take_angled(start)
            elif mark == "{#":
                search = self.take_comment(start)
            else:
                search = self.take_braced(mark, start)
        self.take_text(len(self.text))
        return self.pieces

    def take_angled(self, start: int) -> int:
        """`<< … >>`, if it encloses an expression. Gives where to search on."""
        from lib.expressions.syntax import is_expression

        inner = start + 2
        end = self.find(inner, ">>")
        if end is None or end - inner > SOURCE:
            return inner
        if not is_expression(self.text[inner:end]):
            self.attempts_left -= 1
            if self.attempts_left < 0:
                raise ExpressionError("too_long", limit=SOURCE)
            return inner
        self.take_text(start)
        return self.take(Kind.EXPRESSION, inner, end, after=end + 2)

    def take_comment(self, start: int) -> int:
        """`{# … #}` says nothing; without an end it is ordinary text."""
        if start + 2 > self.comments_end:
            return start + 2
        end = self.text.find("#}", start + 2)
        self.take_text(start)
        self.position = end + 2
        return self.position

    def take_braced(self, mark: str, start: int) -> int:
        """`{{ … }}` or `{% … %}`, with `-` at either end eating the white space beside it."""
        closing = CLOSING[mark]
        inner = start + 2
        end = self.find(inner, closing)
        if end is None:
            raise self.not_closed(mark, closing, start)
        after = end + 2
        trim_before = self.text.startswith("-", inner)
        if trim_before or (mark == "{%" and self.text.startswith("+", inner)):
            inner += 1
        self.take_text(start, trim=trim_before)
        trim_after = end > inner and self.text[end - 1] == "-"
        if trim_after:
            end -= 1
        if mark == "{%" and (verbatim := VERBATIM.fullmatch(self.text, inner, end)):
            return self.take_verbatim(verbatim[1], after, start)
        self.take(Kind.EXPRESSION if mark == "{{" else Kind.TAG, inner, end, after=after)
        self.trim_next = trim_after
        return after

    def take_verbatim(self, word: str, start: int, tag: int) -> int:
        """The text of `{% raw %}` … `{% endraw %}`, as it stands."""
        end = VERBATIM_END.search(self.text, start)
        if end is None:
            raise self.not_closed(word, f"{{% end{word} %}}", tag)
        if end.start() > start:
            self.pieces.append(Piece(Kind.TEXT, self.text[start : end.start()], start))
        self.position = end.end()
        return self.position

    def take(self, kind: Kind, start: int, end: int, *, after: int) -> int:
        self.source_left -= end - start
        if self.source_left < 0:
            raise ExpressionError("too_long", limit=SOURCE)
        self.pieces.append(Piece(kind, self.text[start:end], start))
        self.position = after
        return after

    def take_text(self, end: int, *, trim: bool = False) -> None:
        text, start = self.text[self.position : end], self.position
        if self.trim_next:
            start += len(text) - len(text.lstrip())
            text = text.lstrip()
            self.trim_next = False
        if trim:
            text = text.rstrip()
        if text:
            self.pieces.append(Piece(Kind.TEXT, text, start))

    def find(self, start: int, closing: str) -> int | None:
        """Where the brackets close: outside quotes and inner brackets, else at the first chance."""
        depth, first_chance = 0, None
        for found in INSIDE.finditer(self.text, start):
            sign, at = found[0], found.start()
            if self.text.startswith(closing, at):
                if depth == 0:
                    return at
                first_chance = at if first_chance is None else first_chance
            if sign in "([{":
                depth += 1
            elif sign in ")]}" or sign == "%}":
                depth = max(0, depth - 1)
            elif sign == "<<" and closing == ">>":
                return None
            elif sign in "'\"":
                break
        return first_chance

    def not_closed(self, mark: str, closing: str, start: int) -> ExpressionError:
        error = ExpressionError("not_closed", mark=mark, closing=closing)
        line_end = self.text.find("\n", start)
        rest = self.text[start : line_end if line_end > 0 else len(self.text)]
        error.locate(shorten(rest, 60), line=line_at(self.text, start))
        return error


def line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
