"""The trigger's panel: its type, its settings, and samples of the data that it brings."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.decorators import needs
from accounts.roles import Role
from scenarios import access, triggers, trying
from scenarios.pages.editor import drafting, panels
from scenarios.pages.editor.editor_pages import bench_of, dialog, go, is_fragment, opened, page, saved, told
from scenarios.pages.editor.editor_views import again, sample_body
from scenarios.pages.editor.forms import RunForm
from scenarios.pages.editor.list_views import GET_AND_POST
from scenarios.triggers import TRIGGERS


@require_http_methods(GET_AND_POST)
@needs()
@told
def trigger(request: HttpRequest, public_id: str) -> HttpResponse:
    """The panel of the trigger; a POST saves it as it stands."""
    bench = bench_of(request, public_id)
    if request.method != "POST":
        return opened(request, bench, panels.of_trigger(bench))
    bench.actor.require(Role.EDITOR)
    errors = drafting.save_trigger(bench.actor, bench.scenario, request.POST)
    panel = panels.of_trigger(again(bench), errors)
    if is_fragment(request):
        return saved(request, panel.bench, panel)
    if errors:
        return page(request, panel.bench, panel, status=422)
    messages.success(request, _("Saved in the draft."))
    return redirect("scenarios:trigger", public_id)


@require_POST
@needs(Role.EDITOR)
@told
def choose(request: HttpRequest, public_id: str) -> HttpResponse:
    bench = bench_of(request, public_id)
    kind = request.POST.get("type", "")
    if kind in TRIGGERS:
        drafting.choose_trigger(bench.actor, bench.scenario, kind)
    bench = again(bench)
    if is_fragment(request):
        return opened(request, bench, panels.of_trigger(bench))
    return redirect("scenarios:trigger", public_id)


@require_safe
@needs()
def deliveries(request: HttpRequest, public_id: str) -> HttpResponse:
    """The last requests to the address, as they come in: the open panel asks again and again."""
    bench = bench_of(request, public_id)
    panel = panels.of_trigger(bench)
    context = {"panel": panel, "scenario": bench.scenario, "bench": bench, "may_edit": bench.may_edit}
    # 286 tells htmx to stop asking.
    status = 200 if panel.start == "webhook" else 286
    return render(request, "scenarios/fragments/deliveries.html", context, status=status)


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def sample(request: HttpRequest, public_id: str) -> HttpResponse:
    """Keep a sample of the trigger's data: the last delivery (`take=last`), or a body that was typed in."""
    bench = bench_of(request, public_id)
    key = bench.document.trigger.key
    form = RunForm(request.POST or None, initial={"body": sample_body(bench)})
    if request.method == "POST" and request.POST.get("take") == "last":
        keep_last(request, public_id)
        bench = bench_of(request, public_id)
        if is_fragment(request):
            return opened(request, bench, panels.of_trigger(bench))
        return redirect("scenarios:trigger", public_id)
    if request.method == "POST" and form.is_valid():
        known = bench.samples.get(key)
        result = {**known, "body": form.cleaned_data["body"]} if isinstance(known, dict) else {}
        trying.keep_sample(bench.scenario, key, result)
        messages.success(request, _("The sample is kept: it fills the previews of the fields."))
        return go(request, reverse("scenarios:trigger", args=[public_id]))
    context = {"scenario": bench.scenario, "form": form}
    return dialog(request, "scenarios/sample.html", context, status=422 if form.errors else 200)


def keep_last(request: HttpRequest, public_id: str) -> None:
    bench = bench_of(request, public_id)
    rows = access.deliveries(bench.actor).filter(scenario=bench.scenario, body__isnull=False)
    last = rows.exclude(verdict__in=("bad_signature", "too_large")).order_by("-id").first()
    if last is None:
        messages.warning(request, _("No request has come in yet."))
        return
    facts = (last.method, last.query, last.headers, last.content_type, last.body, last.received_at)
    trying.keep_sample(bench.scenario, bench.document.trigger.key, triggers.delivered(facts))
    messages.success(request, _("The sample is kept: it fills the previews of the fields."))
