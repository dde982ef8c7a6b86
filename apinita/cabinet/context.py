"""What base.html needs on every page: the navigation with its counts, the theme, the workspaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"


@dataclass(frozen=True)
class Count:
    """A number beside a navigation item; `alert` makes it red: so many things need a person."""

    number: int
    alert: bool = False


@dataclass(frozen=True)
class NavItem:
    key: str
    label: str | Promise
    icon: str
    url_name: str


@dataclass(frozen=True)
class NavEntry:
    """A navigation item on a page."""

    key: str
    label: str | Promise
    icon: str
    url: str
    is_current: bool
    count: Count | None


NAVIGATION = (
    NavItem("dashboard", _("Overview"), "house", "dashboard"),
    NavItem("scenarios", _("Scenarios"), "workflow", "scenarios:list"),
    NavItem("runs", _("Runs"), "activity", "runs:list"),
    NavItem("connections", _("Connections"), "plug-zap", "connections:list"),
)

SCRIPTS = tuple(
    f"js/{name}.js"
    for name in (
        "copy", "menus", "dialogs", "toasts", "switches", "reveal", "autosize", "filter", "modes", "focus", "unsaved",
        "pill-box", "insert-keys", "datetime", "zone",
    )
)  # fmt: skip


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell`, worked out only where a template asks for it (fragments do not)."""
    return {"shell": Shell(request)}


class Shell:
    scripts = SCRIPTS

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def theme(self) -> str:
        theme = self.request.COOKIES.get(THEME_COOKIE, "auto")
        return theme if theme in THEMES else "auto"

    @cached_property
    def navigation(self) -> list[NavEntry]:
        counts = self._counts()
        return [
            NavEntry(
                item.key, item.label, item.icon, reverse(item.url_name), self._is_current(item), counts.get(item.key)
            )
            for item in NAVIGATION
        ]

    @property
    def workspaces(self) -> list[Any]:
        """The workspaces to switch between, the current one among them: accounts.middleware has read them."""
        return [membership.workspace for membership in getattr(self.request, "memberships", [])]

    @cached_property
    def help_url(self) -> str:
        return url_or_empty("help")

    @cached_property
    def theme_url(self) -> str:
        return url_or_empty("cabinet:theme")

    def _is_current(self, item: NavItem) -> bool:
        match = self.request.resolver_match
        return match is not None and item.key in (match.view_name, match.namespace.split(":")[0])

    def _counts(self) -> dict[str, Count]:
        if not getattr(self.request, "workspace", None):
            return {}
        sources: Mapping[str, str] = getattr(settings, "CABINET_COUNTS", {})
        counts: dict[str, Count] = {}
        for key, path in sources.items():
            count_of: Callable[[HttpRequest], tuple[int, bool]] = import_string(path)
            number, alert = count_of(self.request)
            if number:
                counts[key] = Count(number, alert)
        return counts


def url_or_empty(name: str, *args: Any) -> str:
    """The address of a page that may not be there; empty when it is not."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
