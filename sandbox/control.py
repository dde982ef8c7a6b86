"""The control surface under /_control/: for tests and demonstrations, never part of what is imitated."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from sandbox.faults import Delay, Fault
from sandbox.messages import Json, Request, Response, Unreadable, json_response, method_not_allowed
from sandbox.oauth import grants
from sandbox.state import State


def control(state: State, request: Request) -> Response:
    name = request.path.removeprefix("/_control/").rstrip("/")
    door = DOORS.get(name)
    if door is None:
        return json_response(404, {"error": "not_found", "doors": sorted(DOORS)})
    methods, run = door
    if request.method not in methods:
        return method_not_allowed(*methods)
    try:
        given = request.json() if request.body else {}
        if not isinstance(given, dict):
            raise ValueError("the body has to be a JSON object")
        with state.store.lock:
            return json_response(200, run(state, request, given))
    except (Unreadable, TypeError, ValueError) as wrong:
        return json_response(400, {"error": "bad_request", "error_description": str(wrong)})


def expire(state: State, request: Request, given: dict[str, Json]) -> Json:
    grants.expire_access_tokens(state.store)
    return {}


def revoke(state: State, request: Request, given: dict[str, Json]) -> Json:
    grants.revoke_all(state.store)
    return {}


def settings(state: State, request: Request, given: dict[str, Json]) -> Json:
    """Any of Settings' members; `sync_tokens_expired: true` makes all sync tokens given so far answer 410."""
    if given.pop("sync_tokens_expired", False):
        state.store.expire_sync_tokens()
    change_settings(state.store.settings, given)
    return asdict(state.store.settings)


def change_settings(settings: Any, given: dict[str, Json]) -> None:
    """Raises ValueError for an unknown name or a value of another type."""
    known = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"unknown setting {name}; there is: {', '.join(known)}, sync_tokens_expired")
        if type(value) is not known[name]:
            raise ValueError(f"the setting {name} has to be of type {known[name].__name__}")
    for name, value in given.items():
        setattr(settings, name, value)


def requests(state: State, request: Request, given: dict[str, Json]) -> Json:
    if request.method == "DELETE":
        state.journal.clear()
    return {"requests": [exchange.as_json() for exchange in state.journal.all()]}


def reset(state: State, request: Request, given: dict[str, Json]) -> Json:
    state.reset()
    return {}


def fail(state: State, request: Request, given: dict[str, Json]) -> Json:
    state.trouble.plan(Fault(**given))
    return {}


def delay(state: State, request: Request, given: dict[str, Json]) -> Json:
    state.trouble.slow_down(Delay(**given))
    return {}


Door = Callable[[State, Request, dict[str, Json]], Json]

DOORS: dict[str, tuple[tuple[str, ...], Door]] = {
    "expire": (("POST",), expire),
    "revoke": (("POST",), revoke),
    "settings": (("GET", "POST"), settings),
    "requests": (("GET", "DELETE"), requests),
    "reset": (("POST",), reset),
    "fail": (("POST",), fail),
    "delay": (("POST",), delay),
}
