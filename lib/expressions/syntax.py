"""Reads the pieces of a template into Jinja's syntax tree, with Jinja's own lexer and parser and nothing else of it.

Every token of a piece carries the piece's number (from 1) where Jinja keeps the line, so that a node of the tree,
and an error, can be traced back to the source it came from.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, get_lexer, ignored_tokens, operators
from jinja2.parser import Parser

from lib.expressions.budget import DEPTH
from lib.expressions.errors import ExpressionError, shorten
from lib.expressions.splitting import Kind, Piece

GRAMMAR = Environment(autoescape=False, optimized=False)  # noqa: S701 (nothing is ever rendered by it)
LEXER = get_lexer(GRAMMAR)
BRACKETS = re.compile(r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|[(\[{}\])]""", re.DOTALL)
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"', "\n": ""}
GOT = re.compile(r"(?:got|unexpected|unexpected char) '(.*?)'(?: at \d+)?$", re.DOTALL)
LOOKED_FOR = re.compile(r"'(end\w+)'")
UNFINISHED = ("end of template", "end of print statement", "end of statement block", "eof")


class TemplateParser(Parser):
    """Jinja's parser over tokens that we cut."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        super().__init__(GRAMMAR, "")
        self.stream = TokenStream(iter(tokens), None, None)


def parse(pieces: list[Piece]) -> list[nodes.Node]:
    """The body of the template as a tree. ExpressionError whose `piece` says which piece is at fault."""
    for number, piece in enumerate(pieces, 1):
        if piece.kind is not Kind.TEXT:
            check_nesting(piece.source, number)
    try:
        return TemplateParser(tokens_of(pieces)).parse().body
    except TemplateSyntaxError as error:
        raise in_our_words(error) from None
    except RecursionError:
        raise ExpressionError("too_deep") from None


@lru_cache(1024)
def is_expression(source: str) -> bool:
    """Whether a text is an expression by its grammar, whatever its names mean."""
    try:
        check_nesting(source, 1)
        parser = TemplateParser(inner_tokens(Piece(Kind.EXPRESSION, source, 0), 1))
        parser.parse_expression()
    except (TemplateSyntaxError, ExpressionError, RecursionError):
        return False
    return bool(parser.stream.current.type == "eof")


def check_nesting(source: str, number: int) -> None:
    """Refuse before parsing what would take the parser deep into recursion."""
    depth = 0
    for bracket in BRACKETS.finditer(source):
        if bracket[0] in "([{":
            depth += 1
            if depth > DEPTH:
                error = ExpressionError("too_deep")
                error.piece = number
                raise error
        elif bracket[0] in ")]}":
            depth -= 1


def tokens_of(pieces: list[Piece]) -> Iterator[Token]:
    for number, piece in enumerate(pieces, 1):
        if piece.kind is Kind.TEXT:
            yield Token(number, "data", piece.source)
            continue
        begin, end = (
            ("variable_begin", "variable_end") if piece.kind is Kind.EXPRESSION else ("block_begin", "block_end")
        )
        yield Token(number, begin, "")
        yield from inner_tokens(piece, number)
        yield Token(number, end, "")


def inner_tokens(piece: Piece, number: int) -> Iterator[Token]:
    """The tokens between the brackets of one piece, their values converted."""
    state = "variable" if piece.kind is Kind.EXPRESSION else "block"
    count = 0
    try:
        for _line, kind, raw in LEXER.tokeniter(piece.source, None, None, state):
            if kind not in ignored_tokens:
                count += 1
                yield token(number, kind, raw)
    except TemplateSyntaxError as error:
        raise TemplateSyntaxError(error.message or "", number) from None
    if count == 0:
        empty = ExpressionError("empty")
        empty.piece = number
        raise empty


def token(number: int, kind: str, raw: str) -> Token:
    """As Jinja's `Lexer.wrap` does it, but a backslash that escapes nothing stays: `'\\d+'` needs no doubling."""
    if kind == "operator":
        return Token(number, operators[raw], raw)
    if kind == "string":
        return Token(number, kind, ESCAPE.sub(unescape, raw[1:-1]))
    if kind == "integer":
        return Token(number, kind, integer(raw, number))  # type: ignore[arg-type]
    if kind == "float":
        return Token(number, kind, float(raw.replace("_", "")))  # type: ignore[arg-type]
    if kind == "name" and raw.isidentifier():
        return Token(number, kind, raw)
    raise TemplateSyntaxError(f"unexpected '{raw}'", number)


def integer(raw: str, number: int) -> int:
    try:
        return int(raw.replace("_", ""), 0)
    except ValueError:  # more digits than Python converts
        raise TemplateSyntaxError(f"unexpected '{shorten(raw, 20)}'", number) from None


def unescape(found: re.Match[str]) -> str:
    if code := found[1] or found[2]:
        return chr(int(code, 16))
    return ESCAPED.get(found[3], found[0])


def in_our_words(error: TemplateSyntaxError) -> ExpressionError:
    """Jinja's message as one of our reasons."""
    message = error.message or ""
    looked_for = LOOKED_FOR.search(message.partition("following tags")[2])
    if looked_for:
        ours = ExpressionError("tag_not_closed", closing=f"{{% {looked_for[1]} %}}")
    elif "unknown tag" in message:
        asked = message.split("'")[1]
        ours = ExpressionError("tag_not_opened" if asked.startswith("end") else "unknown_tag", asked=asked)
    elif (got := GOT.search(message)) and got[1] not in UNFINISHED:
        ours = ExpressionError("unexpected", got=shorten(got[1], 40))
    elif got or "end of template" in message:
        ours = ExpressionError("unfinished")
    else:
        ours = ExpressionError("syntax", detail=message)
    ours.piece = error.lineno
    return ours
