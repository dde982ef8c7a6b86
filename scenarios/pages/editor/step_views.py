"""Steps in the editor: choose one to add, its panel, saving, testing, its key, a copy, removing."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import needs
from accounts.roles import Role
from actions import registry
from lib.errors import UserError
from scenarios import arranging, trying
from scenarios.document import Step
from scenarios.pages.editor import drafting, outputs, panels, places
from scenarios.pages.editor.editor_pages import bench_of, dialog, go, is_fragment, opened, saved, tested, told
from scenarios.pages.editor.editor_views import again
from scenarios.pages.editor.forms import KeyForm
from scenarios.pages.editor.list_views import GET_AND_POST
from scenarios.pages.editor.workbench import Workbench, title_of, words_of


@require_http_methods(GET_AND_POST)
@needs()
@told
def step(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    """The panel of a step; a POST saves it as it stands."""
    bench = bench_of(request, public_id)
    found = step_of(bench, key)
    if request.method != "POST":
        strict, tab = "strict" in request.GET, request.GET.get("tab", "fields")
        return opened(request, bench, panels.of_step(bench, found, strict=strict, tab=tab))
    bench.actor.require(Role.EDITOR)
    posted = with_fix(request)
    drafting.save_step(bench.actor, bench.scenario, key, posted)
    bench = again(bench)
    if "fix" in request.POST and is_fragment(request):
        return opened(request, bench, panels.of_step(bench, step_of(bench, key)))
    if is_fragment(request):
        return saved(request, bench, panels.of_step(bench, step_of(bench, key), posted=request.POST))
    messages.success(request, _("Saved in the draft."))
    return redirect("scenarios:step", public_id, key)


def with_fix(request: HttpRequest) -> QueryDict:
    """The form with a value put right: the button "fix" says `in-start=2026-…`."""
    name, equals, value = request.POST.get("fix", "").partition("=")
    if not equals:
        return request.POST
    posted = request.POST.copy()
    posted[name] = value
    return posted


@require_POST
@needs(Role.EDITOR)
@told
def test(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    """Save the step, execute it alone on the samples, and show what came."""
    bench = bench_of(request, public_id)
    step_of(bench, key)
    if "panel" in request.POST:
        drafting.save_step(bench.actor, bench.scenario, key, request.POST)
    answer = trying.try_step(bench.actor, bench.scenario, key)
    bench = again(bench)
    found = step_of(bench, key)
    output = outputs.tested(bench, found, answer)
    return tested(request, bench, panels.of_step(bench, found, strict=True, output=output))


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def add(request: HttpRequest, public_id: str) -> HttpResponse:
    """Choose an action (GET), add its step where `after` means (POST) and open it."""
    bench = bench_of(request, public_id)
    if request.method != "POST":
        after = request.GET.get("after", "")
        context = {
            "scenario": bench.scenario,
            "after": after,
            "heading": places.heading(bench, after),
            "connectors": in_order(registry.connectors()),
            "trigger_type": bench.document.trigger.type,
        }
        return dialog(request, "scenarios/finder.html", context)
    after = request.POST.get("after", "")
    key = drafting.add_step(bench.actor, bench.scenario, request.POST.get("action", ""), after=after)
    return arrived(request, again(bench), key)


def in_order(connectors: list[registry.Connector]) -> list[registry.Connector]:
    """Services first, what steers behind them."""
    return sorted(connectors, key=lambda connector: connector.kind != "action")


@require_POST
@needs(Role.EDITOR)
@told
def copy(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    step_of(bench, key)
    made = drafting.copy_step(bench.actor, bench.scenario, key)
    return arrived(request, again(bench), made)


def arrived(request: HttpRequest, bench: Workbench, key: str) -> HttpResponse:
    """At a new step: its panel with the focus in it."""
    url = reverse("scenarios:step", args=[bench.scenario.public_id, key])
    if not is_fragment(request):
        return redirect(url)
    response = opened(request, bench, panels.of_step(bench, step_of(bench, key), is_new=True))
    response["HX-Push-Url"], response["HX-Trigger"] = url, "dialog:close"
    return response


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def delete(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    found = step_of(bench, key)
    if request.method == "POST":
        drafting.remove_step(bench.actor, bench.scenario, key)
        messages.success(request, _("“{step}” is removed from the draft.").format(step=title_of(found)))
        return redirect("scenarios:edit", public_id)
    context = {
        "scenario": bench.scenario,
        "step": found,
        "title": title_of(found),
        "users": places.users_of(bench, found),
        "count": len(arranging.inside(found)),
    }
    return dialog(request, "scenarios/delete_step.html", context)


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def rename_key(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    found = step_of(bench, key)
    form = KeyForm(request.POST or None, initial={"key": key})
    if request.method == "POST" and form.is_valid():
        new = form.cleaned_data["key"]
        try:
            drafting.rename_key(bench.actor, bench.scenario, key, new)
        except UserError as error:
            if error.code == "stale_revision":
                raise
            form.add_error("key", words_of(error))
        else:
            messages.success(request, _("The key is {key} now.").format(key=new))
            return go(request, reverse("scenarios:step", args=[public_id, new]))
    context = {"scenario": bench.scenario, "step": found, "form": form}
    return dialog(request, "scenarios/key.html", context, status=422 if form.errors else 200)


def step_of(bench: Workbench, key: str) -> Step:
    """Raises Http404."""
    found = bench.step(key)
    if found is None:
        raise Http404
    return found
