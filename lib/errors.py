"""What can go wrong and be mended by the person it happens to: a code, parameters, and what a retry may do.

An error is stored as its code and parameters and put into words only when somebody reads it, in their
language: `describe`. The words stand in one catalogue per package, gathered here by `register`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = Any  # what json.loads gives: None, bool, int, float, str, list, dict
Translate = Callable[[str], str]


def gettext_noop(message: str) -> str:
    """Mark a message for translation; it is translated where it is shown."""
    return message


@dataclass(frozen=True)
class Words:
    """An error in words. `text` says what happened, `hint` what to do; `{name}` stands for a parameter.

    `button` is the one of BUTTONS that leads to where it is done, "" where nothing can be pressed.
    """

    text: str
    hint: str = ""
    button: str = ""


# What a reader may press under an error: the key that pages turn into an address, and its label.
BUTTONS = {
    "reconnect": gettext_noop("Authorize again"),
    "open_connection": gettext_noop("Open the connection"),
    "edit_step": gettext_noop("Open the step"),
    "publish": gettext_noop("Publish"),
    "retry": gettext_noop("Retry"),
    "decide": gettext_noop("Decide"),
    "open_run": gettext_noop("Open the run"),
}


IN_WORDS = frozenset({"got"})  # parameters that are words of ours, so translated too

CATALOGUE: dict[str, Words] = {}


def register(words: Mapping[str, Words], *, button: str = "") -> None:
    """Add a package's errors; keys are codes, or `code.reason` for a closer word on one of them.

    `button` goes to those that name none of their own.
    """
    repeated = CATALOGUE.keys() & words.keys()
    if repeated:
        raise ValueError(f"error codes registered twice: {', '.join(sorted(repeated))}")
    unknown = {one.button for one in words.values() if one.button} - BUTTONS.keys()
    if unknown:
        raise ValueError(f"there are no such buttons: {', '.join(sorted(unknown))}")
    CATALOGUE.update({code: replace(one, button=one.button or button) for code, one in words.items()})


class UserError(Exception):
    """Something the person can mend. Anything else that is raised is our bug.

    `code` is one of the catalogue's; `reason` narrows it (`code.reason` is looked up first).
    `retry` says whether trying again later may help, `retry_after_s` when the other side named a time.
    `unknown` says that nobody knows whether the request had its effect: it may have reached the other side.
    """

    def __init__(
        self,
        code: str,
        reason: str = "",
        *,
        params: Mapping[str, Json] | None = None,
        path: str = "",
        retry: bool = False,
        retry_after_s: float | None = None,
        unknown: bool = False,
    ) -> None:
        super().__init__(f"{code}.{reason}" if reason else code)
        self.code = code
        self.reason = reason
        self.params: dict[str, Json] = dict(params or {})
        self.path = path
        self.retry = retry
        self.retry_after_s = retry_after_s
        self.unknown = unknown

    def as_json(self) -> dict[str, Json]:
        """The stored form: {"code", "params", "path"}; the reason travels in `params["reason"]`."""
        params = {**self.params, "reason": self.reason} if self.reason else self.params
        return {"code": self.code, "params": params, "path": self.path}


class InvalidInput(UserError):
    """One or more wrong inputs. `errors` maps a field's path to its messages, already in words."""

    def __init__(self, errors: Mapping[str, Iterable[str]], *, path: str = "") -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        field = next(iter(self.errors), "")
        message = next(iter(self.errors.get(field, [])), "")
        super().__init__("invalid_input", params={"field": field, "message": message}, path=path)


def describe(stored: Mapping[str, Json], translate: Translate = str) -> dict[str, Json]:
    """Put a stored error into words: {"code", "text", "hint", "button", "params", "path"}.

    A code that the catalogue does not hold (an old run's, say) is shown as itself.
    """
    params = stored.get("params") or {}
    shown = {name: translate(value) if name in IN_WORDS else value for name, value in params.items()}
    code = stored["code"]
    words = CATALOGUE.get(f"{code}.{params.get('reason', '')}") or CATALOGUE.get(code) or Words(code)
    return {
        "code": code,
        "text": fill(translate(words.text), shown),
        "hint": fill(translate(words.hint), shown) if words.hint else "",
        "button": words.button,
        "params": params,
        "path": stored.get("path", ""),
    }


def fill(message: str, params: Mapping[str, Json]) -> str:
    """Put parameters into their `{name}` places; a place without a parameter stays as it is."""
    for name, value in params.items():
        message = message.replace(f"{{{name}}}", str(value))
    return message
