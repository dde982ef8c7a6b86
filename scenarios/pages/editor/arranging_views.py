"""Where steps stand: up, down, to another place; branches of a router; the steps that a step has for errors."""

import re

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import needs
from accounts.roles import Role
from scenarios.document import Branch, Step
from scenarios.pages.editor import drafting, panels, places, steering
from scenarios.pages.editor.editor_pages import bench_of, dialog, is_fragment, opened, told
from scenarios.pages.editor.editor_views import again
from scenarios.pages.editor.list_views import GET_AND_POST
from scenarios.pages.editor.step_views import step_of
from scenarios.pages.editor.workbench import Workbench, title_of

BRANCH_CHANGE = re.compile(r"(up|down|remove):([0-9]{1,4})")


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def move(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    """Choose a place (GET) and put the step there, with all inside it (POST)."""
    bench = bench_of(request, public_id)
    step = step_of(bench, key)
    if request.method == "POST":
        drafting.move_step(bench.actor, bench.scenario, key, after=request.POST.get("after", ""))
        return moved(request, again(bench), key)
    context = {"scenario": bench.scenario, "step": step, "title": title_of(step), "targets": places.targets(bench, key)}
    return dialog(request, "scenarios/move_step.html", context)


@require_POST
@needs(Role.EDITOR)
@told
def shift(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    """One place up or down among its neighbours."""
    bench = bench_of(request, public_id)
    step_of(bench, key)
    drafting.shift_step(bench.actor, bench.scenario, key, -1 if request.POST.get("to") == "up" else 1)
    return moved(request, again(bench), key)


def moved(request: HttpRequest, bench: Workbench, key: str) -> HttpResponse:
    """At the step where it stands now."""
    url = reverse("scenarios:step", args=[bench.scenario.public_id, key])
    if not is_fragment(request):
        return redirect(url)
    response = opened(request, bench, panels.of_step(bench, step_of(bench, key)))
    response["HX-Push-Url"], response["HX-Trigger"] = url, "dialog:close"
    return response


@require_POST
@needs(Role.EDITOR)
@told
def branches(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    """Save the router's panel where one came along, and change its branches: add, up:1, down:1, remove:1."""
    bench = bench_of(request, public_id)
    step = step_of(bench, key)
    if request.POST.get("panel") == key:
        drafting.save_step(bench.actor, bench.scenario, key, request.POST)
    change = request.POST.get("branch", "")
    if change == "add":
        drafting.add_branch(bench.actor, bench.scenario, key)
    elif found := BRANCH_CHANGE.fullmatch(change):
        word, number = found[1], int(found[2])
        if word != "remove":
            drafting.shift_branch(bench.actor, bench.scenario, key, number, -1 if word == "up" else 1)
        elif branch_of(step, number).steps:
            return ask_for_branch(request, bench, step, number)
        else:
            drafting.remove_branch(bench.actor, bench.scenario, key, number)
    return moved(request, again(bench), key)


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def delete_branch(request: HttpRequest, public_id: str, key: str, number: int) -> HttpResponse:
    bench = bench_of(request, public_id)
    step = step_of(bench, key)
    name = steering.name_of(branch_of(step, number), number)
    if request.method == "POST":
        drafting.remove_branch(bench.actor, bench.scenario, key, number)
        messages.success(request, _("The branch “{name}” is removed from the draft.").format(name=name))
        return redirect("scenarios:step", public_id, key)
    return ask_for_branch(request, bench, step, number)


def ask_for_branch(request: HttpRequest, bench: Workbench, step: Step, number: int) -> HttpResponse:
    branch = branch_of(step, number)
    name = steering.name_of(branch, number)
    context = {
        "scenario": bench.scenario,
        "key": step.key,
        "title": _("Remove the branch “{name}”?").format(name=name),
        "titles": titles_of(branch.steps),
        "action": reverse("scenarios:delete_branch", args=[bench.scenario.public_id, step.key, number]),
    }
    response = dialog(request, "scenarios/delete_inner.html", context)
    response["HX-Retarget"], response["HX-Reswap"] = "#dialog", "innerHTML"
    return response


@require_http_methods(GET_AND_POST)
@needs(Role.EDITOR)
@told
def delete_handler(request: HttpRequest, public_id: str, key: str) -> HttpResponse:
    """Take away the steps that a step has for errors."""
    bench = bench_of(request, public_id)
    step = step_of(bench, key)
    if request.method == "POST":
        drafting.remove_handler(bench.actor, bench.scenario, key)
        messages.success(request, _("The steps for errors are removed from the draft."))
        return redirect(reverse("scenarios:step", args=[public_id, key]) + "?tab=errors")
    handler = step.on_error if isinstance(step.on_error, tuple) else ()
    context = {
        "scenario": bench.scenario,
        "key": key,
        "title": _("Remove the steps for errors?"),
        "titles": titles_of(handler),
        "action": reverse("scenarios:delete_handler", args=[public_id, key]),
    }
    return dialog(request, "scenarios/delete_inner.html", context)


def titles_of(steps: tuple[Step, ...]) -> list[str]:
    return [title_of(step) for step in steps]


def branch_of(step: Step, number: int) -> Branch:
    """Raises Http404."""
    if number >= len(step.branches):
        raise Http404
    return step.branches[number]
