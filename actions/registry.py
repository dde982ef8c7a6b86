"""Which connectors and actions there are. The composition root loads them at start."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actions.base import Action
from lib.errors import UserError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class UnknownAction(UserError):
    def __init__(self, key: str) -> None:
        super().__init__("unknown_action", params={"name": key})


@dataclass(frozen=True)
class Connector:
    """A service, or a family of steps: what the step picker shows as one module."""

    key: str
    title: "StrOrPromise"
    icon: str
    kind: str
    actions: tuple[type[Action], ...]
    base_url: str = ""
    help: "StrOrPromise" = ""


_connectors: dict[str, Connector] = {}
_actions: dict[str, type[Action]] = {}


def register(connector: Connector) -> None:
    """Add a connector; the same one again changes nothing, another one under a taken key is a mistake."""
    if _connectors.get(connector.key) is connector:
        return
    taken = {connector.key} & _connectors.keys() | {action.key for action in connector.actions} & _actions.keys()
    if taken:
        raise ValueError(f"registered twice: {', '.join(sorted(taken))}")
    _connectors[connector.key] = connector
    _actions.update({action.key: action for action in connector.actions})


def load(module_names: Iterable[str]) -> None:
    """Register the CONNECTOR of `<name>.connector` for each name."""
    for name in module_names:
        register(importlib.import_module(f"{name}.connector").CONNECTOR)


def get(key: str) -> type[Action]:
    """Raises UnknownAction."""
    try:
        return _actions[key]
    except KeyError:
        raise UnknownAction(key) from None


def actions() -> list[type[Action]]:
    return list(_actions.values())


def connectors() -> list[Connector]:
    return list(_connectors.values())
