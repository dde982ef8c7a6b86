"""Where a service sends the browser back to: the redirect URL of field 16."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import signed_in
from connections import cookies, oauth
from connections.models import Connection
from lib.errors import UserError, describe

LONGEST = 8000  # characters of a parameter: longer ones are nobody's code


@require_safe
@never_cache
def callback(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Finish the authorization and go to the connection's page, without code and state in the address.

    Open to strangers: the one-time state is the guard, and the cookie where it was begun in the cabinet.
    """
    connection = Connection.objects.filter(public_id=public_id).select_related("workspace").first()
    if connection is None:
        return private(bad_state(request))
    if request.method == "HEAD":  # a link preview must not use up the state
        return private(HttpResponse())
    given = {name: str(value) for name, value in request.GET.items() if len(str(value)) <= LONGEST}
    try:
        oauth.finish(connection, given, user=signed_in(request), browser=cookies.nonce_of(request))
    except oauth.BadState:
        return private(bad_state(request))
    except UserError as error:
        show(request, error)
    else:
        messages.success(request, _("“%(name)s” is connected.") % {"name": connection.name})
    response = redirect("connections:detail", public_id=connection.public_id)
    response.status_code = 303
    return private(response)


def show(request: HttpRequest, error: UserError) -> None:
    """A refusal by the person is said here only; a failure stays at the connection and is shown by its page."""
    if error.code == "authorization_refused":
        words = describe(error.as_json(), _)
        messages.info(request, f"{words['text']} {words['hint']}")


def bad_state(request: HttpRequest) -> HttpResponse:
    error = describe(oauth.BadState().as_json(), _)
    return render(request, "connections/bad_state.html", {"error": error}, status=400)


def private(response: HttpResponseBase) -> HttpResponseBase:
    """The address holds a code: it must not travel on as a referrer."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
