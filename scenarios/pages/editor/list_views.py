"""The scenarios of a workspace: the list, a new one, a copy, an import, the switch, the end."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import actor
from accounts.decorators import needs
from accounts.roles import Role
from lib.errors import Json
from scenarios import access, editing
from scenarios.document import FORMAT, InvalidDocument, parse
from scenarios.models import Scenario, Schedule
from scenarios.pages import recent, wording
from scenarios.pages.editor import pausing
from scenarios.pages.editor.editor_pages import dialog, go, is_fragment, told
from scenarios.pages.editor.forms import ImportForm, NewScenarioForm
from scenarios.pages.editor.trigger_forms import first_inputs
from scenarios.triggers import TRIGGERS

PER_PAGE = 50
GET_AND_POST = ["GET", "HEAD", "POST"]


@require_safe
@needs()
def scenario_list(request: HttpRequest) -> HttpResponse:
    who = actor(request)
    query = request.GET.get("q", "").strip()[:200]
    found = access.scenarios(who).order_by("-updated_at", "-id")
    page = Paginator(found.filter(name__icontains=query) if query else found, PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "rows": rows_of(list(page.object_list)),
        "page": page,
        "query": query,
        "may_edit": who.may(Role.EDITOR),
        "older_url": reverse_page(query, page.next_page_number()) if page.has_next() else None,
        "newer_url": reverse_page(query, page.previous_page_number()) if page.has_previous() else None,
    }
    template = "scenarios/fragments/rows.html" if is_fragment(request) else "scenarios/list.html"
    return render(request, template, context)


def rows_of(scenarios: list[Scenario]) -> list[dict[str, Any]]:
    """What the list shows of each: two queries for all of them."""
    ids = [scenario.pk for scenario in scenarios]
    runs = recent.by_scenario(ids)
    next_at = dict(
        Schedule.objects.filter(scenario__in=ids, next_at__isnull=False).values_list("scenario_id", "next_at")
    )
    return [
        row_of(scenario, runs.get(scenario.pk, recent.Recent()), next_at.get(scenario.pk)) for scenario in scenarios
    ]


def row_of(scenario: Scenario, runs: recent.Recent, next_at: Any) -> dict[str, Any]:
    document = parse(scenario.document)
    kind = TRIGGERS.get(document.trigger.type)
    return {
        "scenario": scenario,
        "trigger": wording.trigger(document),
        "icon": kind.icon if kind else "zap",
        "steps": len(list(document.walk())),
        "is_on": scenario.status == "active",
        "paused": pausing.of_scenario(scenario),
        "has_changes": scenario.published is not None and not editing.is_same(scenario, scenario.published),
        "statuses": runs.statuses,
        "last_at": runs.last_at,
        "next_at": next_at,
    }


def reverse_page(query: str, number: int) -> str:
    return "?" + urlencode({name: value for name, value in (("q", query), ("page", number)) if value})


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
def new(request: HttpRequest) -> HttpResponse:
    form = NewScenarioForm(request.POST or None, initial={"trigger": request.GET.get("trigger", "webhook")})
    if request.method == "POST" and form.is_valid():
        kind = form.cleaned_data["trigger"]
        data: Json = {
            "format": FORMAT,
            "name": form.cleaned_data["name"] or _("New scenario"),
            "trigger": {"key": "s1", "type": kind, "inputs": first_inputs(kind)},
            "steps": [],
        }
        made = editing.create(actor(request), data, draft=True)
        return go(request, reverse("scenarios:edit", args=[made.public_id]))
    context = {"form": form, "kinds": TRIGGERS.values(), "chosen": form["trigger"].value()}
    return dialog(request, "scenarios/new.html", context, status=422 if form.errors else 200)


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
def import_document(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST or None)
    faults: dict[str, list[str]] = {}
    if request.method == "POST" and form.is_valid():
        try:
            made = editing.create(actor(request), form.cleaned_data["document"], draft=True)
        except InvalidDocument as error:
            faults = editing.in_words(error, _)
        else:
            messages.success(request, _("The scenario is imported as a draft."))
            return go(request, reverse("scenarios:edit", args=[made.public_id]))
    is_wrong = bool(form.errors or faults)
    return dialog(request, "scenarios/import.html", {"form": form, "faults": faults}, status=422 if is_wrong else 200)


@require_POST
@needs(Role.EDITOR)
@told
def switch(request: HttpRequest, public_id: str) -> HttpResponse:
    who = actor(request)
    scenario = access.scenario(who, public_id)
    turn = editing.activate if request.POST.get("on") else editing.deactivate
    turn(who, scenario)
    on = scenario.status == "active"
    if is_fragment(request):
        context = {"scenario": scenario, "on": on, "words": "words" in request.GET}
        return render(request, "scenarios/fragments/switched.html", context)
    said = _("“{name}” is on.") if on else _("“{name}” is off. Runs under way go on.")
    messages.success(request, said.format(name=scenario.name))
    return redirect("scenarios:edit", public_id) if "words" in request.GET else redirect("scenarios:list")


@require_POST
@needs(Role.EDITOR)
@told
def copy(request: HttpRequest, public_id: str) -> HttpResponse:
    who = actor(request)
    scenario = access.scenario(who, public_id)
    made = editing.copy(who, scenario, name=_("{name} (copy)").format(name=scenario.name))
    messages.success(request, _("This is the copy: a draft of its own."))
    return go(request, reverse("scenarios:edit", args=[made.public_id]))


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    who = actor(request)
    scenario = access.scenario(who, public_id)
    if request.method == "POST":
        editing.delete(who, scenario)
        messages.success(request, _("“{name}” is deleted. Its runs stay readable.").format(name=scenario.name))
        return redirect("scenarios:list")
    return dialog(request, "scenarios/delete.html", {"scenario": scenario})
