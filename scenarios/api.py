"""The REST API of scenarios and modules (docs/api.md): it translates, and calls what the cabinet calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from accounts.access import actor
from accounts.api_fields import StrictSerializer
from accounts.pagination import Cursor
from actions import registry
from lib.errors import InvalidInput, Json
from scenarios import access, api_shapes, editing, running, trying
from scenarios.document import InvalidDocument
from scenarios.models import Run
from scenarios.triggers import TRIGGERS

LONGEST_WAIT_S = 60.0
UNSHOWN_OF_SCENARIO = ("scenario__document", "scenario__samples", "scenario__trigger_secrets")
UNSHOWN = {  # columns that the lists do not show, and that may be large
    "scenarios": ("samples", "trigger_secrets", "published__document", "published__trigger_secrets"),
}
JSON = OpenApiTypes.OBJECT


class AnyJson(serializers.JSONField):
    """A JSON object in the OpenAPI document."""


class ScenarioBody(StrictSerializer):
    document = AnyJson()
    revision = serializers.IntegerField(required=False, min_value=1)


class ScenarioShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(["draft", "active", "paused"])
    revision = serializers.IntegerField()
    version = serializers.IntegerField(allow_null=True)
    document = AnyJson()
    trigger = AnyJson()
    problems = serializers.ListField(child=AnyJson(), required=False, help_text="Not in lists.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class StepTestBody(StrictSerializer):
    results = serializers.DictField(required=False)


RunStarted = inline_serializer("RunStarted", {"run": serializers.CharField()})
VersionMade = inline_serializer("VersionMade", {"version": serializers.IntegerField()})
DRAFT = OpenApiParameter("draft", bool, description="Store a document that cannot run yet; its problems are answered.")
WAIT = OpenApiParameter("wait", float, description="Seconds to wait for the run's end.")


class ScenarioApi(ViewSet):
    lookup_value_regex = "[^/]+"

    @extend_schema(responses=ScenarioShape(many=True))
    def list(self, request: Request) -> Response:
        who = actor(request)
        rows = access.scenarios(who).select_related("hook", "schedule", "published", "workspace")
        rows = rows.defer(*UNSHOWN["scenarios"])
        return paged(self, request, rows, lambda row: api_shapes.scenario_in_list(row, who))

    @extend_schema(parameters=[DRAFT], request=ScenarioBody, responses={201: ScenarioShape})
    def create(self, request: Request) -> Response:
        body = checked(ScenarioBody, request.data)
        draft = flag(request, "draft")
        with in_words():
            scenario = editing.create(actor(request), body["document"], draft=draft)
        return self.shown(request, scenario.public_id, sound=None if draft else scenario.revision, status=201)

    @extend_schema(responses=ScenarioShape)
    def retrieve(self, request: Request, pk: str) -> Response:
        return self.shown(request, pk)

    @extend_schema(parameters=[DRAFT], request=ScenarioBody, responses=ScenarioShape)
    def partial_update(self, request: Request, pk: str) -> Response:
        scenario = self.row(request, pk)
        body = checked(ScenarioBody, request.data)
        if "revision" not in body:
            raise InvalidInput({"revision": [gettext("This field is required.")]})
        draft = flag(request, "draft")
        with in_words():
            saved = editing.save(actor(request), scenario, body["document"], revision=body["revision"], draft=draft)
        return self.shown(request, pk, sound=None if draft else saved.revision)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        editing.delete(actor(request), self.row(request, pk))
        return Response(status=204)

    @extend_schema(request=None, responses=VersionMade)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        with in_words():
            version = editing.publish(actor(request), self.row(request, pk))
        return Response({"version": version.number})

    @extend_schema(request=None, responses=ScenarioShape)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        editing.activate(actor(request), self.row(request, pk))
        return self.shown(request, pk)

    @extend_schema(request=None, responses=ScenarioShape)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: str) -> Response:
        editing.deactivate(actor(request), self.row(request, pk))
        return self.shown(request, pk)

    @extend_schema(parameters=[WAIT], request=JSON, responses={200: JSON, 202: RunStarted})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """The body becomes the trigger's body. With `?wait=`, 200 and the whole run where it ended in time."""
        scenario = self.row(request, pk)
        seconds = seconds_to_wait(request)
        body = request.data if request.content_type else {}
        started = running.start_by_hand(actor(request), scenario, body)
        if seconds is not None and running.wait(started, seconds):
            return Response(shown(request, access.run(actor(request), started.id.hex)))
        return Response({"run": started.id.hex}, status=202)

    @extend_schema(
        parameters=[OpenApiParameter("send", bool), OpenApiParameter("key", str, OpenApiParameter.PATH)],
        request=StepTestBody,
        responses=JSON,
    )
    @action(detail=True, methods=["post"], url_path="steps/(?P<key>[^/]+)/test")
    def test(self, request: Request, pk: str, key: str) -> Response:
        scenario = self.row(request, pk)
        body = checked(StepTestBody, request.data or {})
        send = flag(request, "send", default=True)
        answer = trying.try_step(actor(request), scenario, key, results=body.get("results"), send=send)
        if "error" in answer:
            answer["error"] = api_shapes.error(answer["error"])
        return Response(answer)

    def row(self, request: Request, pk: str) -> Any:
        return access.scenario(actor(request), pk)

    def shown(self, request: Request, pk: str, *, sound: int | None = None, status: int = 200) -> Response:
        """The scenario as it is now. `sound` is the revision that has just been checked and found without problems."""
        row = self.row(request, pk)
        shape = api_shapes.scenario(row, actor(request), is_sound=row.revision == sound)
        return Response(shape, status=status)


class ModulesApi(APIView):
    @extend_schema(responses=JSON)
    def get(self, request: Request) -> Response:
        """Every trigger and action, with the JSON Schema of its inputs."""
        found = [api_shapes.module(trigger) for trigger in TRIGGERS.values()]
        for connector in registry.connectors():
            found += [api_shapes.module(one, connector.key) for one in connector.actions]
        return Response({"results": found})


def paged(view: Any, request: Request, rows: Any, shape: Any) -> Response:
    pages = Cursor()
    page = pages.paginate_queryset(rows, request, view)
    return pages.get_paginated_response([shape(row) for row in page or []])


def checked(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    read = serializer(data=data)
    read.is_valid(raise_exception=True)
    valid: dict[str, Any] = read.validated_data
    return valid


@contextmanager
def in_words() -> Iterator[None]:
    """A document's problems as the API answers them: 400 with `errors` keyed by path."""
    try:
        yield
    except InvalidDocument as error:
        raise InvalidInput(editing.in_words(error, gettext)) from error


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    value = request.query_params.get(name, str(default)).lower()
    return value in {"true", "1", "yes", ""}


def seconds_to_wait(request: Request) -> float | None:
    text = request.query_params.get("wait")
    if text is None:
        return None
    try:
        return min(LONGEST_WAIT_S, max(0.0, float(text)))
    except ValueError:
        raise InvalidInput({"wait": [gettext("This must be a number.")]}) from None


def shown(request: Request, run: Run) -> dict[str, Json]:
    return api_shapes.run_with_steps(run, steps_url(request, run))


def steps_url(request: Request, run: Run) -> str:
    return str(reverse("run-steps", args=[run.id.hex], request=request))
