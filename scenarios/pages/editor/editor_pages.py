"""Drawing the editor: the whole page, the panel alone, or only what has changed; and refusals in words."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import Forbidden, actor
from lib.errors import UserError
from scenarios import access
from scenarios.pages.editor import pausing, track
from scenarios.pages.editor.panels import FaultsPanel, StepPanel, TriggerPanel
from scenarios.pages.editor.workbench import Workbench, words_of

Panel = StepPanel | TriggerPanel | FaultsPanel
View = Callable[..., HttpResponseBase]


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part; going back in history, it wants the whole page."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def bench_of(request: HttpRequest, public_id: str) -> Workbench:
    """Raises Http404, for somebody else's scenario too."""
    who = actor(request)
    return Workbench(who, access.scenario(who, public_id))


def told(view: View) -> View:
    """Refusals as messages: on the editor's page, or as a toast. A stale form gets 409, htmx then says what to do."""

    @wraps(view)
    def answered(request: HttpRequest, public_id: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, public_id, *args, **kwargs)
        except Forbidden:
            raise
        except UserError as error:
            if is_fragment(request) and error.code == "stale_revision":
                return HttpResponse(words_of(error), status=409, content_type="text/plain; charset=utf-8")
            messages.error(request, words_of(error))
            if is_fragment(request):
                response = render(request, "parts/toasts_oob.html", status=422)
                response["HX-Reswap"] = "none"
                return response
            return redirect("scenarios:edit", public_id)

    return answered


def page(
    request: HttpRequest, bench: Workbench, panel: Panel, *, is_open: bool = True, status: int = 200
) -> HttpResponse:
    """The editor. `is_open`: the panel was asked for; on a phone it then is the page."""
    return render(request, "scenarios/editor.html", context_of(bench, panel, is_open=is_open), status=status)


def opened(request: HttpRequest, bench: Workbench, panel: Panel, *, status: int = 200) -> HttpResponse:
    """The panel with what its opening changes on the track; the whole page without htmx."""
    if not is_fragment(request):
        return page(request, bench, panel, status=status)
    return render(request, "scenarios/fragments/opened.html", context_of(bench, panel), status=status)


def saved(request: HttpRequest, bench: Workbench, panel: Panel | None) -> HttpResponse:
    """What a saved field changes around it; the field itself is left alone, somebody may be typing in it."""
    response = render(request, "scenarios/fragments/saved.html", context_of(bench, panel))
    response["HX-Reswap"] = "none"
    return response


def tested(request: HttpRequest, bench: Workbench, panel: StepPanel) -> HttpResponse:
    if not is_fragment(request):
        return page(request, bench, panel)
    return render(request, "scenarios/fragments/tested.html", context_of(bench, panel))


def context_of(bench: Workbench, panel: Panel | None, *, is_open: bool = True) -> dict[str, Any]:
    current = panel.place if panel else ""
    return {
        "bench": bench,
        "scenario": bench.scenario,
        "panel": panel,
        "is_open": is_open,
        "may_edit": bench.may_edit,
        "trigger_card": track.trigger_card(bench, current),
        "cards": track.cards(bench, current),
        "failure": track.failure_lane(bench, current),
        "paused": pausing.of_scenario(bench.scenario),
        "now": timezone.now(),
    }


def dialog(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A question or a small form: a page of its own, or a fragment for the shared dialog when htmx asks."""
    layout = "scenarios/layouts/dialog.html" if is_fragment(request) else "scenarios/layouts/page.html"
    return render(request, template, {**context, "layout": layout}, status=status)


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page, whoever asks."""
    if is_fragment(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
