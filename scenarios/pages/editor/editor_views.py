"""The editor of one scenario and what its bar does: name, publish, run once, settings, versions, export."""

from dataclasses import replace
from urllib.parse import quote

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.decorators import needs
from accounts.roles import Role
from lib import safe_json
from lib.errors import Json
from scenarios import editing, running
from scenarios.document import InvalidDocument
from scenarios.models import Version
from scenarios.pages.editor import drafting, panels
from scenarios.pages.editor.editor_pages import bench_of, dialog, go, is_fragment, opened, page, saved, told
from scenarios.pages.editor.forms import NameForm, RunForm, SettingsForm
from scenarios.pages.editor.list_views import GET_AND_POST
from scenarios.pages.editor.panels import FaultsPanel
from scenarios.pages.editor.workbench import Workbench


@require_safe
@needs()
def edit(request: HttpRequest, public_id: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    return page(request, bench, panels.of_trigger(bench), is_open=False)


@require_POST
@needs(Role.EDITOR)
@told
def rename(request: HttpRequest, public_id: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    form = NameForm(request.POST)
    if form.is_valid():
        name = form.cleaned_data["name"]
        drafting.change(bench.actor, bench.scenario, lambda document: replace(document, name=name))
    if is_fragment(request):
        return saved(request, again(bench), None)
    return redirect("scenarios:edit", public_id)


@require_POST
@needs(Role.EDITOR)
@told
def publish(request: HttpRequest, public_id: str) -> HttpResponse:
    """Publish the draft, together with what the open panel holds. A draft that cannot run is answered with why."""
    bench = bench_of(request, public_id)
    drafting.save_posted(bench.actor, bench.scenario, request.POST)
    try:
        version = editing.publish(bench.actor, bench.scenario)
    except InvalidDocument:
        return opened(request, again(bench), FaultsPanel(again(bench)), status=422)
    bench.scenario.refresh_from_db()
    messages.success(request, _("Version {number} is published.").format(number=version.number))
    if is_fragment(request):
        return saved(request, again(bench), None)
    return redirect("scenarios:edit", public_id)


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def run(request: HttpRequest, public_id: str) -> HttpResponse:
    """Run once with a sample body: the version in force, or the draft, which is published first."""
    bench = bench_of(request, public_id)
    form = RunForm(request.POST or None, initial={"body": sample_body(bench)})
    if request.method == "POST" and form.is_valid():
        if request.POST.get("publish"):
            try:
                editing.publish(bench.actor, bench.scenario)
            except InvalidDocument:
                return faults_page(request, bench)
        started = running.start_by_hand(bench.actor, bench.scenario, form.cleaned_data["body"])
        return go(request, reverse("runs:detail", args=[started.id.hex]))
    context = {"scenario": bench.scenario, "bench": bench, "form": form}
    return dialog(request, "scenarios/run.html", context, status=422 if form.errors else 200)


def faults_page(request: HttpRequest, bench: Workbench) -> HttpResponse:
    if is_fragment(request):
        response = opened(request, bench, FaultsPanel(bench))
        response["HX-Retarget"], response["HX-Trigger"] = "#panel", "dialog:close"
        return response
    return page(request, bench, FaultsPanel(bench), status=422)


@require_http_methods(GET_AND_POST)
@needs()
@told
def settings(request: HttpRequest, public_id: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    if request.method == "POST":
        bench.actor.require(Role.EDITOR)
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(data, document=bench.document, workspace_zone=bench.scenario.workspace.timezone)
    if request.method == "POST" and form.is_valid():
        drafting.change(
            bench.actor,
            bench.scenario,
            lambda document: replace(document, settings=form.settings(), variables=form.variables()),
        )
        messages.success(request, _("The settings are saved in the draft."))
        return go(request, reverse("scenarios:edit", args=[public_id]))
    faults = bench.faults_at("")
    context = {"scenario": bench.scenario, "bench": bench, "form": form, "faults": faults, "may_edit": bench.may_edit}
    return dialog(request, "scenarios/settings.html", context, status=422 if form.errors else 200)


@require_safe
@needs()
def versions(request: HttpRequest, public_id: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    found = bench.scenario.versions.select_related("published_by").order_by("-number")[:100]
    return dialog(request, "scenarios/versions.html", {"scenario": bench.scenario, "versions": found, "bench": bench})


@require_safe
@needs()
def version(request: HttpRequest, public_id: str, number: int) -> HttpResponse:
    bench = bench_of(request, public_id)
    context = {"scenario": bench.scenario, "version": version_of(bench, number), "may_edit": bench.may_edit}
    return dialog(request, "scenarios/version.html", context)


@require_POST
@needs(Role.EDITOR)
@told
def restore(request: HttpRequest, public_id: str, number: int) -> HttpResponse:
    """Make an older version the draft; what runs stays the published one until the next publishing."""
    bench = bench_of(request, public_id)
    found = version_of(bench, number)
    editing.save(bench.actor, bench.scenario, found.document, revision=bench.scenario.revision, draft=True)
    messages.success(request, _("Version {number} is the draft now.").format(number=number))
    return go(request, reverse("scenarios:edit", args=[public_id]))


@require_safe
@needs()
def export(request: HttpRequest, public_id: str) -> HttpResponse:
    scenario = bench_of(request, public_id).scenario
    response = JsonResponse(scenario.document, json_dumps_params={"ensure_ascii": False, "indent": 2})
    name = quote(f"{scenario.name}.json", safe="")
    response["Content-Disposition"] = f"attachment; filename=\"{scenario.public_id}.json\"; filename*=UTF-8''{name}"
    return response


def version_of(bench: Workbench, number: int) -> Version:
    found = bench.scenario.versions.filter(number=number).first()
    if found is None:
        raise Http404
    return found


def again(bench: Workbench) -> Workbench:
    """The same after a change."""
    return Workbench(bench.actor, bench.scenario)


def sample_body(bench: Workbench) -> str:
    sample: Json = bench.samples.get(bench.document.trigger.key)
    body = sample.get("body") if isinstance(sample, dict) else None
    return safe_json.dumps(body if body is not None else {}).decode()
