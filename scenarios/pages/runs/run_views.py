"""The pages of runs: the list, one run, and what a person does to it."""

import json

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor
from accounts.decorators import needs
from accounts.roles import Role
from lib.errors import UserError, describe
from scenarios import access, api_shapes, retrying, running
from scenarios.pages.editor.editor_pages import is_fragment
from scenarios.pages.runs import run_listing
from scenarios.pages.runs.run_filters import PERIODS, UNDER_WAY, Filters, instant
from scenarios.pages.runs.run_page import RunPage, found, url_of
from scenarios.pages.runs.run_question import RetryQuestion
from scenarios.pages.runs.run_trace import TRIGGER

STOP_POLLING = 286  # htmx: take this, and ask no more
PARTS = {"input": "inputs", "result": "result", "exchange": "exchange"}
OUTCOMES = ("done", "repeat", "failed")
LONGEST_NUMBER = 9


@require_GET
@needs()
def listing(request: HttpRequest) -> HttpResponseBase:
    """The list; for htmx the part of it below the filters. `seen` is what the browser shows already."""
    filters = Filters.read(request.GET)
    page = run_listing.page_of(actor(request), filters)
    seen = request.GET.get("seen", "")
    if seen == page.fingerprint:
        return HttpResponse(status=204)
    wants_part = is_fragment(request)
    numbers = run_listing.counts(actor(request))
    context = {
        "filters": filters,
        "page": page,
        "seg": status_options(filters, numbers),
        "newer_url": filters.query(after=page.newer) if page.newer else "",
        "older_url": filters.query(before=page.older) if page.older else "",
        "live_url": f"{filters.query(before=filters.before, after=filters.after)}&seen={page.fingerprint}",
        "since": instant(filters.since),
        "until": instant(filters.until),
        "without_window_url": filters.query(since="", until=""),
        "reset_url": reverse("runs:list"),
        "may_act": actor(request).may(Role.EDITOR),
        "pick_url": filters.query(pick="1", before=filters.before, after=filters.after),
        "unpick_url": filters.query(pick="", before=filters.before, after=filters.after),
        "without_error_url": filters.query(error=""),
        "most": run_listing.MOST_COUNTED,
    }
    if filters.pick and context["may_act"]:
        context["matching"] = run_listing.matching(actor(request), filters)
    if not wants_part:
        context |= {"scenarios": run_listing.scenario_choices(actor(request)), "periods": PERIODS.items()}
    response = render(request, "runs/_list.html" if wants_part else "runs/list.html", context)
    if wants_part and not seen:
        response.headers["HX-Push-Url"] = f"{reverse('runs:list')}{filters.query()}".rstrip("?")
    if seen and not filters.is_newest and not page.is_live:
        response.status_code = STOP_POLLING
    return response


def status_options(filters: Filters, numbers: dict[str, int]) -> list[dict[str, object]]:
    labels = {
        "": _("All"),
        "succeeded": _("Successful"),
        "failed": _("With an error"),
        UNDER_WAY: _("Under way"),
        "waiting": _("On hold"),
        "needs_review": _("To decide"),
        "cancelled": _("Stopped"),
    }
    return [
        {"value": value, "label": label, "url": filters.query(status=value), "count": numbers.get(value)}
        for value, label in labels.items()
    ]


@require_GET
@needs()
def detail(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """The run's page; for htmx what is inside it. `seen` is what the browser shows already."""
    run = found(actor(request), run_id)
    page = RunPage(actor(request), run, step=asked_step(request), tab=request.GET.get("tab", ""))
    seen = request.GET.get("seen", "")
    if seen == page.fingerprint and page.is_live:
        return HttpResponse(status=204)
    wants_part = is_fragment(request)
    response = render(request, "runs/_run.html" if wants_part else "runs/detail.html", {"page": page, "run": run})
    if seen and not page.is_live:
        response.status_code = STOP_POLLING
    return response


def asked_step(request: HttpRequest) -> str:
    """The step of the address. `pass` asks for a pass of the loop `step` by its number, counted from 1."""
    step, number = request.GET.get("step", ""), request.GET.get("pass", "")
    if number.isdecimal() and len(number) < LONGEST_NUMBER and int(number) > 0:
        return f"{step}[{int(number) - 1}]/{request.GET.get('first', '')}"
    return step


@require_GET
@needs()
def payload(request: HttpRequest, run_id: str, part: str) -> HttpResponseBase:
    """A value as a file, secrets masked: a step's `input`, `result` or `exchange`, the trigger's result as `input`."""
    run = found(actor(request), run_id)
    path = request.GET.get("step", TRIGGER)
    step = run.steps.filter(path=path).first()
    if part not in PARTS or (step is None and path != TRIGGER):
        raise Http404
    value = api_shapes.whole(step, PARTS[part]) if step is not None else api_shapes.input_of(run)
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return attachment(text.encode("utf-8", "replace"), f"{run.id.hex[-8:]}-{path}-{part}.json")


@require_GET
@needs(Role.EDITOR)
def delivery(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """What a webhook's sender sent, byte for byte."""
    row = found(actor(request), run_id).delivery
    if row is None:
        raise Http404
    return attachment(bytes(row.body or b""), f"{row.id.hex[-8:]}.bin")


def attachment(body: bytes, name: str) -> HttpResponse:
    """Never shown by a browser, whatever is in it: a stranger wrote it."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(body, content_type="application/octet-stream", headers=headers)


@require_POST
@needs(Role.EDITOR)
def start(request: HttpRequest) -> HttpResponseBase:
    """Run a scenario once: `scenario` is its public id."""
    scenario = access.scenario(actor(request), request.POST.get("scenario", ""))
    try:
        run = running.start_by_hand(actor(request), scenario, {})
    except UserError as error:
        return refused(request, error, reverse("scenarios:edit", args=[scenario.public_id]))
    return redirect(url_of(run.id))


@needs(Role.EDITOR)
def cancel(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """Asks first; without scripts on a page of its own."""
    run = found(actor(request), run_id)
    if request.method != "POST":
        template = "runs/_cancel.html" if is_fragment(request) else "runs/cancel.html"
        return render(request, template, {"run": run, "url": url_of(run.id)})
    try:
        running.cancel(actor(request), run)
    except UserError as error:
        return refused(request, error, url_of(run.id))
    return redirect(url_of(run.id))


@needs(Role.EDITOR)
def retry(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """`from`: a step's path, or nothing for the whole run; `version`: same or current.

    Says first what would be kept and what sent again; a POST repeats, and leads to the new run.
    """
    run = found(actor(request), run_id)
    given = request.POST if request.method == "POST" else request.GET
    version = "current" if given.get("version") == "current" else "same"
    start_at = given.get("from") or None
    try:
        if request.method != "POST":
            question = RetryQuestion(run, retrying.plan(run, start_at, version), start_at or "", version)
            template = "runs/_retry.html" if is_fragment(request) else "runs/retry.html"
            return render(request, template, {"run": run, "url": url_of(run.id), "question": question})
        new = retrying.retry(actor(request), run, start_at=start_at, version=version)
    except UserError as error:
        return refused(request, error, url_of(run.id))
    return redirect(url_of(new.id))


@require_POST
@needs(Role.EDITOR)
def resolve(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """`path` and `as`: done, repeat or failed."""
    run = found(actor(request), run_id)
    outcome = request.POST.get("as", "")
    if outcome not in OUTCOMES:
        raise Http404
    try:
        running.resolve(actor(request), run, path=request.POST.get("path", ""), outcome=outcome)
    except UserError as error:
        return refused(request, error, url_of(run.id))
    return redirect(url_of(run.id))


def refused(request: HttpRequest, error: UserError, url: str) -> HttpResponseBase:
    told = describe(error.as_json(), _)
    messages.error(request, f"{told['text']} {told['hint']}".strip())
    if is_fragment(request):  # asked from within a page: the whole of it is shown anew, with the refusal
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
