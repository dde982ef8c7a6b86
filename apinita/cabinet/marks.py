"""Small signs as HTML: icons, tiles, badges, statuses, keys, chips."""

from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apinita.cabinet.statuses import Look, connection_look, run_look

Text = str | Promise


def icon(name: str, css: str = "") -> SafeString:
    """A symbol of img/icons.svg, hidden from screen readers: a word must stand beside it."""
    sprite = static("img/icons.svg")
    classes = f"icon {css}" if css else "icon"
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', classes, sprite, name)


def tile(kind: str, sign: str = "", *, text: Text = "", size: str = "") -> SafeString:
    """A coloured square with an icon (`sign`) or a few letters (`text`). Kinds: those of steps, `ok`, `err`."""
    css = f"tile--{kind} tile--{size}" if size else f"tile--{kind}"
    inside: Text = icon(sign) if sign else text
    return format_html('<span class="tile {}" aria-hidden="true">{}</span>', css, inside)


def badge(kind: str, text: Text, sign: str = "") -> SafeString:
    spin = "icon--spin" if sign == "loader-circle" else ""
    return format_html('<span class="badge badge--{}">{}{}</span>', kind, icon(sign, spin) if sign else "", text)


def run_status(status: str, form: str = "badge") -> SafeString:
    """A run's or a step's status as a badge, or as an icon with a hidden word (`form="icon"`)."""
    return _status(run_look(status), form)


def connection_status(status: str, form: str = "badge") -> SafeString:
    return _status(connection_look(status), form)


def _status(look: Look, form: str) -> SafeString:
    if form == "badge":
        return badge(look.kind, look.word, "" if look.kind == "plain" else look.icon)
    kind = "skip" if look.kind in {"line", "plain"} else look.kind
    spin = "icon--spin" if look.kind == "run" else ""
    return format_html(
        '<span class="st st--{}" title="{}">{}<span class="visually-hidden">{}</span></span>',
        kind, look.word, icon(look.icon, spin), look.word,
    )  # fmt: skip


def kbd(key: str) -> SafeString:
    return format_html('<kbd class="kbd">{}</kbd>', key)


def pill(
    number: Text,
    label: Text,
    expression: str,
    kind: str = "action",
    *,
    function: Text = "",
    sign: str = "",
    state: str = "",
) -> SafeString:
    """A value of an earlier step. `sign` is an icon instead of the number; `state`: broken, nosample or picked."""
    name = f"{number} {label} {function}".strip()
    if state == "broken":
        name = _("{name}: the step is gone").format(name=name)
    return format_html(
        '<span class="pill k-{}{}" title="{}" role="img" aria-label="{}">'
        '<span class="pill__n">{}</span> <span class="pill__label">{}</span>{}</span>',
        kind, f" pill--{state}" if state else "", expression, name, icon(sign) if sign else number, label,
        format_html(' <span class="pill__fn">{}</span>', function) if function else "",
    )  # fmt: skip


def initials(name: Text) -> str:
    """Two letters for an avatar: «Анна Власова» → «АВ», "anna@slovo.school" → "A"."""
    words = str(name).split("@")[0].split()
    return "".join(word[0] for word in words[:2]).upper()
