"""The cabinet's pages of connections: the list, the gallery, the form, a connection with what one can do to it."""

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import actor
from accounts.decorators import needs
from accounts.roles import Role
from connections import access, editing, presets, refresh, trial, usage
from connections.form_views import begin
from connections.leaving import failed, found
from connections.models import Connection
from connections.pages import Health, Row, granted, rows, tile_of
from connections.throttling import throttled_until
from lib.errors import UserError, describe

BROKEN = ("needs_reauthorization", "misconfigured")


@require_GET
@needs()
def index(request: HttpRequest) -> HttpResponse:
    everything = access.visible(actor(request)).order_by("name", "id")
    counts = {"all": everything.count(), "broken": everything.filter(status__in=BROKEN).count()}
    query, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    found = everything
    if query:
        found = found.filter(Q(name__icontains=query) | Q(account__icontains=query) | Q(preset__icontains=query))
    if state == "broken":
        found = found.filter(status__in=BROKEN)
    # What needs a person comes first, then what was not finished.
    context = {
        "rows": sorted(rows(found), key=Row.order),
        "query": query,
        "state": state,
        "counts": counts,
        "may_edit": actor(request).may(Role.EDITOR),
    }
    return render(request, "connections/list.html", context)


@require_GET
@needs()
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    connection = found(request, public_id)
    return detail_page(request, connection)


def detail_page(request: HttpRequest, connection: Connection, outcome: trial.Outcome | None = None) -> HttpResponse:
    context = {
        "connection": connection,
        "tile": tile_of(connection),
        "preset": presets.find(connection.preset),
        "health": Health.of(connection),
        "error": describe(connection.error, _) if connection.error else None,
        "users": usage.users_of(connection),
        "waiting": usage.waiting_runs(connection),
        "throttled_until": throttled_until(connection),
        "held": usage.held_runs(connection) if connection.blocked_until else 0,
        "granted": granted(connection),
        "outcome": outcome,
        "outcome_error": describe(outcome.error.as_json(), _) if outcome and outcome.error else None,
        "may_edit": actor(request).may(Role.EDITOR),
    }
    return render(request, "connections/detail.html", context)


@require_POST
@needs(Role.EDITOR)
def authorize(request: HttpRequest, public_id: str) -> HttpResponseBase:
    return begin(request, found(request, public_id), None)


@require_POST
@needs(Role.EDITOR)
def renew(request: HttpRequest, public_id: str) -> HttpResponseBase:
    connection = found(request, public_id)
    if connection.type != "oauth2":
        raise Http404("nothing to renew")
    try:
        refresh.renewed_by_hand(connection)
    except UserError as error:
        return failed(request, connection, error)
    messages.success(request, _("The token is renewed."))
    return redirect("connections:detail", public_id=connection.public_id)


@require_POST
@needs(Role.EDITOR)
def check(request: HttpRequest, public_id: str) -> HttpResponseBase:
    connection = found(request, public_id)
    outcome = trial.check(connection)
    return detail_page(request, found(request, public_id), outcome)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.EDITOR)
def disconnect(request: HttpRequest, public_id: str) -> HttpResponseBase:
    connection = found(request, public_id)
    if request.method == "POST":
        editing.disconnect(actor(request), connection)
        messages.success(request, _("“%(name)s” is disconnected.") % {"name": connection.name})
        return redirect("connections:detail", public_id=connection.public_id)
    return question(request, connection, "connections/disconnect.html")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.EDITOR)
def delete(request: HttpRequest, public_id: str) -> HttpResponseBase:
    connection = found(request, public_id)
    if request.method == "POST":
        try:
            editing.delete(actor(request), connection)
        except UserError as error:
            return failed(request, connection, error)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": connection.name})
        return redirect("connections:list")
    return question(request, connection, "connections/delete.html")


def question(request: HttpRequest, connection: Connection, template: str) -> HttpResponse:
    base = "connections/_fragment.html" if request.headers.get("HX-Request") else "base.html"
    context = {"connection": connection, "users": usage.users_of(connection), "base": base}
    return render(request, template, context)
