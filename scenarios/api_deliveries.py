"""The REST API of the webhook ledger (docs/api.md): its rows, one delivery, its bytes, and delivering it once more."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.access import actor
from accounts.roles import Role
from lib.errors import InvalidInput, Json, UserError
from scenarios import access, deliveries
from scenarios.api import AnyJson, RunStarted, paged
from scenarios.api_shapes import moment
from scenarios.models import Delivery
from scenarios.redelivering import redeliver


class DeliveryShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    scenario = serializers.CharField()
    verdict = serializers.ChoiceField(deliveries.verdicts())
    reason = serializers.CharField(help_text="Of `over_limit`: `backlog` or `loop_detected`; else empty.")
    method = serializers.CharField()
    received_at = serializers.DateTimeField()
    content_type = serializers.CharField()
    size = serializers.IntegerField()
    source = serializers.CharField(allow_null=True, help_text="The sender's address.")  # type: ignore[assignment]
    run = serializers.CharField(allow_null=True, help_text="For a duplicate, the first one's.")
    repeats = serializers.CharField(allow_null=True, help_text="The delivery that this one was made of.")


class WholeDeliveryShape(DeliveryShape):
    query = serializers.CharField()
    headers = AnyJson()
    dedupe_key = serializers.CharField(allow_null=True)
    is_kept = serializers.BooleanField(help_text="Whether the bytes are there: they can be fetched and redelivered.")
    body = AnyJson(help_text="As steps see it, secrets masked.")


class DeliveryApi(ViewSet):
    lookup_value_regex = "[^/]+"
    cursor_ordering = "-id"

    @extend_schema(
        operation_id="deliveries_list",
        parameters=[
            OpenApiParameter("scenario", str),
            OpenApiParameter("verdict", str, description="One or more, separated by commas."),
        ],
        responses=DeliveryShape(many=True),
    )
    def list(self, request: Request) -> Response:
        """The webhook ledger, newest first."""
        asked = request.query_params
        rows = deliveries.listed(access.deliveries(actor(request)), verdicts(asked.get("verdict", "")))
        if asked.get("scenario"):
            rows = rows.filter(scenario__public_id=asked["scenario"])
        return paged(self, request, rows, shape)

    @extend_schema(operation_id="deliveries_retrieve", responses=WholeDeliveryShape)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(whole(access.delivery(actor(request), pk)))

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def body(self, request: Request, pk: str) -> HttpResponse:
        """The bytes as they came. For editors: nothing in them is masked."""
        who = actor(request)
        who.require(Role.EDITOR)
        row = access.delivery(who, pk)
        if row.body is None:
            raise UserError("body_not_kept")
        return attachment(row)

    @extend_schema(request=None, responses={202: RunStarted})
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, pk: str) -> Response:
        """A new run of the version in force, from the bytes that were kept."""
        run = redeliver(actor(request), access.delivery(actor(request), pk))
        return Response({"run": run.id.hex}, status=202)


def attachment(row: Delivery) -> HttpResponse:
    """Never shown by a browser, whatever is in it: a stranger wrote it."""
    headers = {"Content-Disposition": f'attachment; filename="{deliveries.file_name(row)}"'}
    headers |= {"X-Content-Type-Options": "nosniff"}
    return HttpResponse(bytes(row.body or b""), content_type="application/octet-stream", headers=headers)


def shape(row: Delivery) -> dict[str, Json]:
    repeated = deliveries.repeated_by(row)
    return {
        "id": row.id.hex,
        "scenario": row.scenario.public_id,
        "verdict": row.verdict,
        "reason": deliveries.reason_of(row),
        "method": row.method,
        "received_at": moment(row.received_at),
        "content_type": row.content_type,
        "size": row.size,
        "source": row.source,
        "run": row.run_id.hex if row.run_id else None,
        "repeats": repeated.hex if repeated else None,
    }


def whole(row: Delivery) -> dict[str, Json]:
    return shape(row) | {
        "query": deliveries.query_of(row),
        "headers": deliveries.headers_of(row),
        "dedupe_key": row.dedupe_key,
        "is_kept": row.body is not None,
        "body": deliveries.body_of(row),
    }


def verdicts(text: str) -> list[str]:
    wanted = [one.strip() for one in text.split(",") if one.strip()]
    there = deliveries.verdicts()
    if unknown := [one for one in wanted if one not in there]:
        message = gettext("There is no verdict “{name}”; there is: {there}.")
        raise InvalidInput({"verdict": [message.format(name=unknown[0], there=", ".join(there))]})
    return wanted
