"""Where the pages of connections lead: to the service, back to a connection, or nowhere for a stranger."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Actor, actor
from connections import access
from connections.models import Connection
from lib.errors import UserError, describe


def leave(request: HttpRequest, url: str) -> HttpResponseBase:
    """To the service. A form may not redirect to another site (CSP form-action): htmx goes, or a page with a link."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return render(request, "connections/leaving.html", {"url": url})


def go(request: HttpRequest, url: str) -> HttpResponseBase:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)


def failed(request: HttpRequest, connection: Connection, error: UserError) -> HttpResponseBase:
    """Say what went wrong and show the connection."""
    words = describe(error.as_json(), _)
    messages.error(request, f"{words['text']} {words['hint']}".strip())
    return go(request, reverse("connections:detail", args=[connection.public_id]))


def found(request: HttpRequest, public_id: str) -> Connection:
    who: Actor = actor(request)
    return access.by_public_id(who, public_id)
