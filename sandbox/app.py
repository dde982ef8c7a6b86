"""Where a request goes: Google's look-alikes, the echo and the pages, the control surface."""

from collections.abc import Callable

from sandbox.calendar import api as calendar_api
from sandbox.control import control
from sandbox.echo import echo
from sandbox.messages import Request, Response, Unreadable, json_response
from sandbox.oauth.authorize import authorize
from sandbox.oauth.holder import revoke, userinfo
from sandbox.oauth.token import token
from sandbox.pages.calendar import event_page
from sandbox.pages.home import home_page
from sandbox.pages.inbox import inbox_page
from sandbox.state import State
from sandbox.store import Store

CALENDAR_PREFIX = ("calendar", "v3")

OAUTH: dict[str, Callable[[Store, Request], Response]] = {
    "/o/oauth2/v2/auth": authorize,
    "/token": token,
    "/revoke": revoke,
    "/oauth2/v3/userinfo": userinfo,
}
PAGES: dict[str, Callable[[State, Request], Response]] = {
    "/": home_page,
    "/inbox": inbox_page,
    "/calendar/event": event_page,
}


class App:
    """Answers requests, from any number of threads."""

    def __init__(self, state: State) -> None:
        self.state = state

    def respond(self, request: Request) -> Response:
        if request.path.startswith("/_control/"):
            return control(self.state, request)
        if request.path == "/favicon.ico":  # browsers ask of their own accord: nobody's request
            return Response(204)
        exchange = self.state.journal.add(request)
        self.state.trouble.wait(request)
        fault = self.state.trouble.take(request)
        if fault is None or fault.when == "after":
            response = self.route(request)
        if fault is not None:
            response = fault.response()
        exchange.status = response.status
        return response

    def route(self, request: Request) -> Response:
        try:
            if request.path.startswith("/echo"):
                return echo(self.state, request)
            with self.state.store.lock:
                return self.route_locked(request)
        except Unreadable as unreadable:
            return json_response(400, {"error": "bad_request", "error_description": str(unreadable)})

    def route_locked(self, request: Request) -> Response:
        if request.segments[:2] == CALENDAR_PREFIX:
            self.state.prepare()
            return calendar_api.serve(self.state.store, request, request.segments[2:])
        if request.path in OAUTH:
            return OAUTH[request.path](self.state.store, request)
        if request.path in PAGES and request.method in ("GET", "HEAD"):
            return PAGES[request.path](self.state, request)
        return json_response(404, {"error": "not_found"})
