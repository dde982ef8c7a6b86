"""Repeating or stopping many runs at once: the question before it, and what came of it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.access import actor
from accounts.decorators import needs
from accounts.roles import Role
from scenarios import bulk
from scenarios.bulk import Chosen, Outcome
from scenarios.pages.editor.editor_pages import is_fragment
from scenarios.pages.runs.run_filters import Filters
from scenarios.pages.runs.run_question import repeated
from scenarios.triggers import run_id_of

VERBS = ("retry", "stop")


@needs(Role.EDITOR)
def many(request: HttpRequest) -> HttpResponseBase:
    """`verb`: retry or stop; `run`: ids, or with `all` whatever the filters find; `whole`, `version`: how to repeat.

    Says first what that means; a POST does it.
    """
    given = request.POST if request.method == "POST" else request.GET
    filters = Filters.read(given)
    verb = given.get("verb", "")
    if verb not in VERBS:
        raise Http404
    ids = [key for text in given.getlist("run")[: bulk.MOST] if (key := run_id_of(text))]
    chosen = Chosen(filter=filters) if given.get("all") else Chosen(ids=tuple(ids))
    version = "current" if given.get("version") == "current" else "same"
    options: dict[str, Any] = {"from_failed": given.get("whole") != "1", "version": version}
    back = f"{reverse('runs:list')}{filters.query(pick='')}".rstrip("?")
    if request.method == "POST":
        if verb == "stop":
            outcome = bulk.cancel_many(actor(request), chosen)
        else:
            outcome = bulk.retry_many(actor(request), chosen, **options)
        messages.success(request, outcome_words(verb, outcome))
        return redirect(back)
    context = {
        "verb": verb,
        "given": [(name, value) for name in given if name in SENT for value in given.getlist(name)],
        "most": bulk.MOST,
        "back": back,
        **options,
    }
    if verb == "retry":
        plan = bulk.plan_many(actor(request), chosen, **options)
        context |= {"plan": plan, "repeated": repeated(plan.sums), "skipped": sum(plan.skipped.values())}
    else:
        context["stops"] = bulk.cancel_count(actor(request), chosen)
    return render(request, "runs/_many.html" if is_fragment(request) else "runs/many.html", context)


SENT = frozenset({"run", "all", "status", "scenario", "period", "q", "error", "since", "until"})  # the choice itself


def outcome_words(verb: str, outcome: Outcome) -> str:
    number = len(outcome.done)
    if verb == "stop":
        said = ngettext("{n} run is being stopped.", "{n} runs are being stopped.", number)
    else:
        said = ngettext("{n} run is repeated.", "{n} runs are repeated.", number)
    words = [said.format(n=number)]
    if outcome.skipped:
        skipped = ngettext("{n} was left out.", "{n} were left out.", len(outcome.skipped))
        words.append(skipped.format(n=len(outcome.skipped)))
    if outcome.left:
        words.append(_("There are more: repeat this for the rest."))
    return " ".join(words)
