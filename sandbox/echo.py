"""The echo: takes any request, keeps it for the inbox, and answers what it has received."""

from sandbox.messages import FORM, Json, Request, Response, Unreadable, json_response
from sandbox.state import State


def echo(state: State, request: Request) -> Response:
    state.journal.deliver(request)
    answer = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": dict(request.headers),
        "body": read_body(request),
    }
    return json_response(200, answer)


def read_body(request: Request) -> Json:
    """Parsed JSON, a form as an object, else text; null when empty."""
    if not request.body:
        return None
    try:
        if request.content_type == "application/json" or request.content_type.endswith("+json"):
            return request.json()
        if request.content_type == FORM:
            return request.form()
    except Unreadable:
        pass
    return request.body.decode(errors="replace")
