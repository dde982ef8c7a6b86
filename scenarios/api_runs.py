"""The REST API of runs (docs/api.md): looking, and what a person does to one of them or to many."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.http import Http404
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.access import actor
from accounts.api_fields import Instant, StrictSerializer
from accounts.roles import Role
from lib.errors import InvalidInput, Json, UserError, describe
from scenarios import access, api_shapes, bulk, payloads, retrying, running
from scenarios.api import JSON, UNSHOWN_OF_SCENARIO, RunStarted, checked, paged, shown, steps_url
from scenarios.bulk import Chosen, Outcome
from scenarios.models import RUN_STATUSES
from scenarios.selecting import Selection
from scenarios.triggers import run_id_of

LONGEST_POSITION = 9  # digits: more than a run has steps, and a number for the database
UNSHOWN = ("input", "reply", "version__document", "version__trigger_secrets", *UNSHOWN_OF_SCENARIO)
VERSIONS = ["same", "current"]


class RetryBody(StrictSerializer):
    version = serializers.ChoiceField(VERSIONS, default="same")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "from": serializers.CharField(required=False)}


class ResolveBody(StrictSerializer):
    path = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "as": serializers.ChoiceField(["done", "repeat", "failed"])}


class FilterBody(StrictSerializer):
    scenario = serializers.CharField(required=False)
    status = serializers.CharField(required=False)
    since = Instant(required=False)
    until = Instant(required=False)
    error = serializers.CharField(required=False)


class ChosenBody(StrictSerializer):
    """Either of the two."""

    filter = FilterBody(required=False)
    runs = serializers.ListField(child=serializers.CharField(), required=False, max_length=bulk.MOST)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("filter" in attrs) == ("runs" in attrs):
            raise InvalidInput({"filter": [gettext("Give either a filter or the runs.")]})
        return attrs


class RetryManyBody(ChosenBody):
    version = serializers.ChoiceField(VERSIONS, default="same")
    plan = serializers.BooleanField(default=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "from": serializers.ChoiceField(["failed"], required=False, allow_null=True)}


FROM = OpenApiParameter("from", str, description="A step's path; the whole run without it.")
VERSION = OpenApiParameter("version", str, enum=VERSIONS)
ManyDone = inline_serializer(
    "ManyDone",
    {
        "started": serializers.IntegerField(required=False),
        "cancelled": serializers.IntegerField(required=False),
        "runs": serializers.ListField(child=serializers.CharField()),
        "skipped": serializers.ListField(child=serializers.DictField()),
        "more": serializers.BooleanField(),
    },
)


class RunApi(ViewSet):
    lookup_value_regex = "[^/]+"

    @extend_schema(
        operation_id="runs_list",
        parameters=[
            OpenApiParameter("scenario", str),
            OpenApiParameter("status", str, description="One or more, separated by commas."),
            OpenApiParameter("since", OpenApiTypes.DATETIME),
            OpenApiParameter("until", OpenApiTypes.DATETIME),
            OpenApiParameter("error", str, description="An error's code."),
        ],
        responses=JSON,
    )
    def list(self, request: Request) -> Response:
        asked = request.query_params
        times = {name: moment(name, asked[name]) for name in ("since", "until") if asked.get(name)}
        rows = selection({**asked.dict(), **times}).narrowed(access.runs(actor(request)).defer(*UNSHOWN))
        return paged(self, request, rows, api_shapes.run)

    @extend_schema(responses=JSON)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(shown(request, access.run(actor(request), pk)))

    @extend_schema(parameters=[OpenApiParameter("after", str)], responses=JSON)
    @action(detail=True)
    def steps(self, request: Request, pk: str) -> Response:
        """The steps after a position and path: what `steps_next` of a run points to."""
        run = access.run(actor(request), pk)
        position, _, path = request.query_params.get("after", "0").partition(" ")
        if not position.isdecimal() or len(position) > LONGEST_POSITION:
            raise InvalidInput({"after": [gettext("This must be a number.")]})
        steps, after = api_shapes.steps_after(run, int(position), path.replace("\0", ""))
        following = f"{steps_url(request, run)}?after={quote(after)}" if after else None
        return Response({"results": steps, "next": following})

    @extend_schema(
        parameters=[
            OpenApiParameter("path", str, required=True),
            OpenApiParameter("name", str, required=True, enum=payloads.NAMES),
        ],
        responses=JSON,
    )
    @action(detail=True)
    def payload(self, request: Request, pk: str) -> Response:
        """A step's whole value; of a large one the run itself shows only the start, as `{"_cut": {…}}`."""
        run = access.run(actor(request), pk)
        name = request.query_params.get("name", "")
        if name not in payloads.NAMES:
            there = ", ".join(payloads.NAMES)
            raise InvalidInput({"name": [gettext("This must be one of: {there}.").format(there=there)]})
        step = run.steps.filter(path=request.query_params.get("path", "")).first()
        if step is None:
            raise Http404
        return Response(api_shapes.whole(step, name))

    @extend_schema(request=None, responses=JSON)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        run = running.cancel(actor(request), access.run(actor(request), pk))
        return Response(shown(request, run))

    @extend_schema(operation_id="runs_cancel_many", request=ChosenBody, responses=ManyDone)
    @action(detail=False, methods=["post"], url_path="cancel")
    def cancel_many(self, request: Request) -> Response:
        """Cancels the runs under way that fit a filter, or those named; at most 1,000 at a time."""
        actor(request).require(Role.EDITOR)
        outcome = bulk.cancel_many(actor(request), chosen(checked(ChosenBody, request.data)))
        return Response({"cancelled": len(outcome.done), **told(outcome)})

    @extend_schema(methods=["GET"], parameters=[FROM, VERSION], request=None, responses=JSON)
    @extend_schema(methods=["POST"], request=RetryBody, responses={202: RunStarted})
    @action(detail=True, methods=["get", "post"])
    def retry(self, request: Request, pk: str) -> Response:
        """GET says what a repeat would keep and what it would do again; POST repeats."""
        run = access.run(actor(request), pk)
        is_plan = request.method == "GET"
        body = checked(RetryBody, request.query_params.dict() if is_plan else request.data or {})
        with step_named_in("from"):
            if is_plan:
                return Response(api_shapes.plan(retrying.plan(run, body.get("from"), body["version"])))
            new = retrying.retry(actor(request), run, start_at=body.get("from"), version=body["version"])
        return Response({"run": new.id.hex}, status=202)

    @extend_schema(operation_id="runs_retry_many", request=RetryManyBody, responses=ManyDone)
    @action(detail=False, methods=["post"], url_path="retry")
    def retry_many(self, request: Request) -> Response:
        """Repeats the failed runs that fit a filter, or those named; at most 1,000 at a time, none of them twice."""
        actor(request).require(Role.EDITOR)
        body = checked(RetryManyBody, request.data)
        options: dict[str, Any] = {"from_failed": body.get("from") == "failed", "version": body["version"]}
        if body["plan"]:
            found = bulk.plan_many(actor(request), chosen(body), **options)
            counts = {"runs": found.runs, "skipped": found.skipped, "more": found.left, "summed": found.planned}
            return Response({**counts, "plan": api_shapes.plan(found.sums)})
        outcome = bulk.retry_many(actor(request), chosen(body), **options)
        return Response({"started": len(outcome.done), **told(outcome)})

    @extend_schema(request=ResolveBody, responses=JSON)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        run = access.run(actor(request), pk)
        body = checked(ResolveBody, request.data)
        with step_named_in("path"):
            run = running.resolve(actor(request), run, path=body["path"], outcome=body["as"])
        return Response(shown(request, run))


@contextmanager
def step_named_in(field: str) -> Iterator[None]:
    """A step that is not there is 404 in an address; in a body it is a wrong input."""
    try:
        yield
    except UserError as error:
        if error.code != "no_such_step":
            raise
        told = describe(error.as_json(), gettext)
        raise InvalidInput({field: [f"{told['text']} {told['hint']}"]}) from error


def chosen(body: Mapping[str, Any]) -> Chosen:
    """The runs that a body means. An id that is none means a run that is not there."""
    if "runs" not in body:
        return Chosen(filter=selection(body["filter"]))
    found = {text: run_id_of(text) for text in body["runs"]}
    if wrong := next((text for text, key in found.items() if key is None), None):
        raise InvalidInput({"runs": [gettext("There is no run “{name}”.").format(name=wrong)]})
    return Chosen(ids=tuple(dict.fromkeys(key for key in found.values() if key is not None)))


def selection(given: Mapping[str, Any]) -> Selection:
    return Selection(
        scenario=given.get("scenario") or "",
        statuses=statuses(given.get("status") or ""),
        since=given.get("since") or None,
        until=given.get("until") or None,
        error=given.get("error") or "",
    )


def told(outcome: Outcome) -> dict[str, Json]:
    skipped = [{"run": run_id, "code": code} for run_id, code in outcome.skipped.items()]
    return {"runs": outcome.done, "skipped": skipped, "more": outcome.left}


def statuses(text: str) -> tuple[str, ...]:
    wanted = [one.strip() for one in text.split(",") if one.strip()]
    there = [status for status, _label in RUN_STATUSES]
    if unknown := [one for one in wanted if one not in there]:
        message = gettext("There is no status “{name}”; there is: {there}.")
        raise InvalidInput({"status": [message.format(name=unknown[0], there=", ".join(there))]})
    return tuple(wanted)


def moment(name: str, text: str) -> datetime:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput({name: [gettext("This must be a time such as 2026-01-31T09:00:00Z.")]})
    return found
