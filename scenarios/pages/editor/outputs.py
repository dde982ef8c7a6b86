"""What the test of a step gave, as the panel shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from lib.errors import Json, describe
from scenarios.document import Step
from scenarios.pages.editor import previews, steering
from scenarios.pages.editor.previews import Note
from scenarios.pages.editor.workbench import Workbench, action_of


@dataclass(frozen=True)
class Output:
    """What a test of a step gave. `rows` is the first level of the result; an old one is known from an earlier test."""

    is_ok: bool
    title: str
    result: Json = None
    rows: list[tuple[str, Json]] = field(default_factory=list)
    request: Mapping[str, Json] | None = None
    error: Mapping[str, Json] | None = None
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    took_ms: int | None = None
    is_old: bool = False
    fix_url: str = ""
    note: Note | None = None


def known(result: Json) -> Output:
    return Output(True, _("Last result"), result=result, rows=rows_of(result), is_old=True)


def tested(bench: Workbench, step: Step, answer: Mapping[str, Any]) -> Output:
    """The answer of scenarios.trying.try_step, for people."""
    request, took_ms = answer["request"], answer["took_ms"]
    if "result" in answer:
        result = answer["result"]
        title = steering.foreseen(step, result) or _("The step works")
        return Output(True, title, result, rows_of(result), request, took_ms=took_ms)
    stored = answer["error"]
    labels = {name: str(one.label) for name, one in action.fields.items()} if (action := action_of(step)) else {}
    errors = {labelled(path, labels): messages for path, messages in stored.get("errors", {}).items()}
    told = describe(stored, _)
    if field_name := labels.get(str(stored["params"].get("field", ""))):
        told = {**told, "text": f"{field_name}: {told['text']}"} if not errors else told
    connection = bench.connections.get(step.connection)
    needs_connection = stored["code"] in ("reauthorization_needed", "insufficient_scope", "no_connection")
    fix_url = reverse("connections:detail", args=[connection.public_id]) if connection and needs_connection else ""
    note = previews.untested(bench, step, needed_by(step)) if stored["code"] == "expression_failed" else None
    return Output(
        False,
        str(told["text"]),
        request=request,
        error=told,
        errors=errors,
        took_ms=took_ms,
        fix_url=fix_url,
        note=note,
    )


def needed_by(step: Step) -> Json:
    """All of a step that may have expressions."""
    return [dict(step.inputs), *(branch.when for branch in step.branches)]


def labelled(path: str, labels: Mapping[str, str]) -> str:
    name = path.partition(".")[0].partition("[")[0]
    return labels.get(name, "") + path.removeprefix(name) if name in labels else path


def rows_of(result: Json) -> list[tuple[str, Json]]:
    """The first level of a result; of an HTTP answer, that of its body."""
    inner = result.get("body") if isinstance(result, dict) and "status" in result else result
    if isinstance(inner, dict) and inner:
        return list(inner.items())
    return list(result.items()) if isinstance(result, dict) else [(_("Value"), result)]
