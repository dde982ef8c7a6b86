"""«Try the example»: makes it, and leads to the next thing to do."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, person
from accounts.decorators import needs
from accounts.roles import Role
from connections import cookies, oauth
from connections.models import Connection
from lib.errors import UserError, describe
from scenarios import examples


@require_POST
@needs(Role.EDITOR)
def make(request: HttpRequest) -> HttpResponseBase:
    """To the service's consent page, to the connection's settings, or to the example where all is connected."""
    try:
        example = examples.make(actor(request), timezone=person(request).timezone)
    except UserError as error:
        return told(request, error, reverse("dashboard"))
    if example.connection.status == "connected":
        return go(request, reverse("scenarios:edit", args=[example.scenario.public_id]))
    if not settings.SANDBOX_URL:
        messages.info(request, _("Connect the calendar first; the example waits among the scenarios."))
        return go(request, reverse("connections:edit", args=[example.connection.public_id]))
    return authorize(request, example.connection)


def authorize(request: HttpRequest, connection: Connection) -> HttpResponseBase:
    own_page = reverse("connections:detail", args=[connection.public_id])
    if not is_htmx(request):  # a form may not lead to another site: the CSP. The connection's page has the button
        return redirect(own_page)
    try:
        begun = oauth.begin(connection, user=person(request), browser=cookies.nonce_of(request), in_browser=True)
    except UserError as error:
        return told(request, error, own_page)
    response = go(request, begun.url or own_page)
    cookies.put_nonce(response, begun.nonce)
    return response


def told(request: HttpRequest, error: UserError, url: str) -> HttpResponseBase:
    words = describe(error.as_json(), _)
    messages.error(request, f"{words['text']} {words['hint']}".strip())
    return go(request, url)


def go(request: HttpRequest, url: str) -> HttpResponseBase:
    return HttpResponse(status=204, headers={"HX-Redirect": url}) if is_htmx(request) else redirect(url)


def is_htmx(request: HttpRequest) -> bool:
    return bool(request.headers.get("HX-Request"))
