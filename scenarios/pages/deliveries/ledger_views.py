"""The webhook ledger of one scenario: the list, one delivery, its bytes, and delivering it once more."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Actor, actor
from accounts.decorators import needs
from accounts.roles import Role
from lib.errors import UserError, describe
from scenarios import access, deliveries
from scenarios.api_deliveries import attachment
from scenarios.models import VERDICTS, Delivery, Scenario
from scenarios.pages.deliveries.delivery_page import DeliveryPage, Row
from scenarios.pages.editor.editor_pages import is_fragment
from scenarios.redelivering import redeliver
from scenarios.triggers import run_id_of

PER_PAGE = 50


@require_safe
@needs()
def listing(request: HttpRequest, public_id: str) -> HttpResponse:
    """Newest first; for htmx the part of it below the title. `before` and `after` are ids of deliveries."""
    who = actor(request)
    scenario = access.scenario(who, public_id)
    verdict = request.GET.get("verdict", "")
    verdict = verdict if verdict in deliveries.verdicts() else ""
    rows, newer, older = page_of(who, scenario, verdict, request.GET)
    context = {
        "scenario": scenario,
        "verdict": verdict,
        "seg": [{"value": value, "label": label, "url": address(verdict=value)} for value, label in choices()],
        "rows": [Row(row) for row in rows],
        "newer_url": address(verdict=verdict, after=newer) if newer else "",
        "older_url": address(verdict=verdict, before=older) if older else "",
        "is_webhook": scenario.document.get("trigger", {}).get("type") == "webhook",
    }
    return render(request, "deliveries/list.html", context)


def choices() -> list[tuple[str, object]]:
    return [("", _("All")), *VERDICTS]


def address(**given: str) -> str:
    return f"?{urlencode({name: value for name, value in given.items() if value})}"


def page_of(who: Actor, scenario: Scenario, verdict: str, asked: Mapping[str, str]) -> tuple[list[Delivery], str, str]:
    """One page, and the ids at which the newer and the older ones go on."""
    found = access.deliveries(who).filter(scenario=scenario)
    rows = deliveries.listed(found, [verdict] if verdict else [])
    after, before = run_id_of(asked.get("after", "")), run_id_of(asked.get("before", ""))
    if after:
        ascending = list(rows.filter(id__gt=after).order_by("id")[: PER_PAGE + 1])
        page, has_newer, has_older = ascending[:PER_PAGE][::-1], len(ascending) > PER_PAGE, True
    else:
        rows = rows.filter(id__lt=before) if before else rows
        descending = list(rows.order_by("-id")[: PER_PAGE + 1])
        page, has_newer, has_older = descending[:PER_PAGE], before is not None, len(descending) > PER_PAGE
    newer = page[0].id.hex if page and has_newer else ""
    older = page[-1].id.hex if page and has_older else ""
    return page, newer, older


@require_safe
@needs()
def detail(request: HttpRequest, public_id: str, delivery_id: str) -> HttpResponse:
    who = actor(request)
    row = found(who, public_id, delivery_id)
    return render(request, "deliveries/detail.html", {"page": DeliveryPage(who, row), "scenario": row.scenario})


@require_safe
@needs(Role.EDITOR)
def body(request: HttpRequest, public_id: str, delivery_id: str) -> HttpResponse:
    """The bytes as they came, always as a file."""
    row = found(actor(request), public_id, delivery_id)
    if row.body is None:
        raise Http404
    return attachment(row)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.EDITOR)
def repeat(request: HttpRequest, public_id: str, delivery_id: str) -> HttpResponseBase:
    """Asks first; without scripts on a page of its own. Leads to the new run."""
    row = found(actor(request), public_id, delivery_id)
    url = reverse("scenarios:delivery", args=[public_id, row.id.hex])
    if request.method != "POST":
        template = "deliveries/_redeliver.html" if is_fragment(request) else "deliveries/redeliver.html"
        return render(request, template, {"scenario": row.scenario, "delivery": row, "url": url})
    try:
        run = redeliver(actor(request), row)
    except UserError as error:
        told = describe(error.as_json(), _)
        messages.error(request, f"{told['text']} {told['hint']}".strip())
        return redirect(url)
    return redirect("runs:detail", run.id.hex)


def found(who: Actor, public_id: str, delivery_id: str) -> Delivery:
    """Raises Http404, also where it belongs to another scenario."""
    scenario = access.scenario(who, public_id)
    row = access.delivery(who, delivery_id)
    if row.scenario_id != scenario.pk:
        raise Http404
    row.scenario = scenario
    return row
