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
from connections import views as connection_views
from lib.errors import UserError, describe
from scenarios.pages.overview import examples


@require_POST
@needs(Role.EDITOR)
def make(request: HttpRequest) -> HttpResponseBase:
    """To the service's consent page, to the connection's settings, or to the example where all is connected."""
    try:
        example = examples.make(actor(request), timezone=person(request).timezone)
    except UserError as error:
        words = describe(error.as_json(), _)
        messages.error(request, f"{words['text']} {words['hint']}".strip())
        return go(request, reverse("dashboard"))
    if example.connection.status == "connected":
        return go(request, reverse("scenarios:edit", args=[example.scenario.public_id]))
    if settings.SANDBOX_URL:
        return connection_views.authorize(request, example.connection.public_id)
    messages.info(request, _("Connect the calendar first; the example waits among the scenarios."))
    return go(request, reverse("connections:edit", args=[example.connection.public_id]))


def go(request: HttpRequest, url: str) -> HttpResponseBase:
    """htmx sends the button's form, so that the service's own page may come next."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
