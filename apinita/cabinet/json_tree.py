"""A JSON value as a tree that opens and closes without scripts; everything in it is text, nothing is a link."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

SHOWN_CHARS = 256 * 1024
DEEPEST = 40
OPEN_DEPTH, OPEN_ENTRIES = 2, 30
CONTROL_SYMBOLS = {code: 0x2400 + code for code in range(32) if code not in (9, 10)} | {127: 0x2421}
BIDI_MARKS = dict.fromkeys(
    [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}"
)

Json = Any
Path = tuple[str | int, ...]


def json_view(value: Json, highlight: str | Sequence[str | int] = ()) -> SafeString:
    """The tree of a value. `highlight` is the path of the entry to mark, "end.dateTime" or ["end", "dateTime"].

    What is longer than 256 KB is cut, and says so.
    """
    marked = tuple(highlight.split(".")) if isinstance(highlight, str) else tuple(map(str, highlight))
    pieces: list[str] = []
    left = SHOWN_CHARS
    for piece in _node(value, (), tuple(filter(None, marked)), lead="", tail=""):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            return _cut(value)
    return mark_safe(f'<div class="json" tabindex="0">{"".join(pieces)}</div>')  # noqa: S308 — each piece is escaped


def visible(text: str) -> str:
    """Text with its control characters as ␀-like symbols, so that nothing hides or turns it around."""
    return text.translate(CONTROL_SYMBOLS).translate(BIDI_MARKS)


def _node(value: Json, path: Path, marked: tuple[str, ...], *, lead: str, tail: str) -> Iterator[str]:
    """A line, or a <details> with lines inside. `lead` is the escaped key before it, `tail` the comma after it."""
    css = "json__row json__err" if path and tuple(map(str, path)) == marked else "json__row"
    if not isinstance(value, dict | list) or not value or len(path) >= DEEPEST:
        yield f'<span class="{css}">{lead}{_leaf(value)}{tail}</span>'
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    entries: list[tuple[str | int, Json]] = list(value.items() if isinstance(value, dict) else enumerate(value))
    if not path:
        yield f'<span class="json__p">{opening}</span>'
        yield from _entries(entries, path, marked)
        yield f'<span class="json__p">{closing}</span>'
        return
    on_the_way = marked[: len(path)] == tuple(map(str, path)) and len(marked) > len(path)
    is_open = on_the_way or (isinstance(value, dict) and len(path) <= OPEN_DEPTH and len(entries) <= OPEN_ENTRIES)
    count = ngettext("{n} entry", "{n} entries", len(entries)).format(n=len(entries))
    yield f'<details class="{css}"{" open" if is_open else ""}><summary>{lead}<span class="json__p">{opening}'
    yield f'<span class="json__count"> {escape(count)} {closing}{tail}</span></span></summary><div class="json__in">'
    yield from _entries(entries, path, marked)
    yield f'</div><span class="json__p">{closing}{tail}</span></details>'


def _entries(entries: list[tuple[str | int, Json]], path: Path, marked: tuple[str, ...]) -> Iterator[str]:
    for place, (key, inner) in enumerate(entries):
        comma = "," if place < len(entries) - 1 else ""
        name = f'<span class="json__k"><bdi>{_quoted(key)}</bdi></span>: ' if isinstance(key, str) else ""
        yield from _node(inner, (*path, key), marked, lead=name, tail=comma)


def _leaf(value: Json) -> str:
    if isinstance(value, str):
        return f'<bdi class="json__s">{_quoted(value)}</bdi>'
    if value is None or isinstance(value, bool):
        return f'<span class="json__b">{json.dumps(value)}</span>'
    if isinstance(value, int | float):
        return f'<span class="json__n">{json.dumps(value)}</span>'
    if isinstance(value, dict | list):
        inside = "…" if value else ""
        return f'<span class="json__p">{f"{{{inside}}}" if isinstance(value, dict) else f"[{inside}]"}</span>'
    return f'<span class="json__s">{escape(visible(str(value)))}</span>'


def _quoted(text: str) -> str:
    return escape(f'"{visible(text)}"')


def _cut(value: Json) -> SafeString:
    text = visible(json.dumps(value, ensure_ascii=False, indent=2, default=str)[:SHOWN_CHARS])
    note = _("Only the first 256 KB are shown.")
    return mark_safe(  # noqa: S308 — both are escaped here
        f'<div class="json" tabindex="0"><p class="muted">{escape(note)}</p>'
        f'<pre class="json__cut">{escape(text)}</pre></div>'
    )
