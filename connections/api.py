"""The REST API of connections."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit
from accounts.access import Actor, actor
from accounts.api_errors import STATUS_BY_CODE
from accounts.api_schema import ErrorSerializer
from accounts.pagination import Cursor
from accounts.roles import Role
from connections import access, cookies, editing, oauth, presets, refresh, trial
from connections.api_serializers import (
    IDENTITY,
    WRITTEN,
    AuthorizationSerializer,
    ConnectionSerializer,
    outcome_schema,
)
from connections.config import SECRET_BY_TYPE
from connections.models import Connection
from lib.errors import InvalidInput, Json, UserError, describe

STATUS_BY_CODE.update(
    {
        "token_refused": 502,
        "token_answer_unreadable": 502,
        "token_refresh_paused": 503,
        "token_refresh_busy": 503,
        "connection_throttled": 503,
        "connection_busy": 503,
        "no_connection": 404,
    }
)
WRONG = {(400, "application/json"): ErrorSerializer}
BODY = PolymorphicProxySerializer("WrittenConnection", list(WRITTEN.values()), resource_type_field_name=None)


class ConnectionList(GenericAPIView[Connection]):
    serializer_class = ConnectionSerializer
    pagination_class = Cursor
    queryset = Connection.objects.none()  # only for the OpenAPI document

    def get_queryset(self) -> QuerySet[Connection]:
        return access.visible(actor(self.request))

    @extend_schema(operation_id="connections_list", responses=ConnectionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The workspace's connections, newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([read_by(request, one) for one in page or []])

    @extend_schema(request=BODY, responses={201: ConnectionSerializer} | WRONG)
    def post(self, request: Request) -> Response:
        """Create a connection; a preset's settings are the start, what is given here wins."""
        values, settings, secrets = read(request.data, type_=type_of(request.data))
        if not values.get("name"):
            raise InvalidInput({"name": [_("Give the connection a name.")]})
        preset = values.get("preset", "")
        if preset and presets.find(preset) is None:
            known = ", ".join(["generic", *(one.key for one in presets.offered())])
            raise InvalidInput({"preset": [_("There is no such preset; there is: %(known)s.") % {"known": known}]})
        made = editing.create(
            actor(request),
            name=values["name"],
            type=type_of(request.data),
            preset=preset,
            slug=values.get("slug", ""),
            settings=settings,
            secrets=secrets,
        )
        return Response(read_by(request, made), status=201)


class ConnectionDetail(APIView):
    @extend_schema(responses=ConnectionSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(read_by(request, access.get(actor(request), slug)))

    @extend_schema(request=BODY, responses={200: ConnectionSerializer} | WRONG)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is given. Where secrets go is changed only together with the secret itself."""
        connection = access.get(actor(request), slug)
        values, settings, secrets = read(request.data, type_=connection.type)
        for fixed in ("type", "preset"):
            if fixed in values and values[fixed] != getattr(connection, fixed):
                raise InvalidInput({fixed: [_("This cannot be changed: create another connection.")]})
        changed = editing.change(
            actor(request),
            connection,
            name=values.get("name"),
            slug=values.get("slug"),
            settings=settings,
            secrets=secrets,
        )
        return Response(read_by(request, changed))

    @extend_schema(responses={204: None, (409, "application/json"): ErrorSerializer})
    def delete(self, request: Request, slug: str) -> Response:
        """Delete, and revoke the tokens; refused while scenarios use it."""
        editing.delete(actor(request), access.get(actor(request), slug))
        return Response(status=204)


class Authorize(APIView):
    needs = Role.EDITOR

    @extend_schema(request=None, responses={200: AuthorizationSerializer} | WRONG)
    def post(self, request: Request, slug: str) -> Response:
        """Where to send the person; null where none is needed (client credentials: the token is there already)."""
        who, connection = actor(request), access.get(actor(request), slug)
        in_browser = who.token is None
        begun = oauth.begin(
            connection,
            user=who.user,
            token=who.token,
            browser=cookies.nonce_of(request._request),
            in_browser=in_browser,
        )
        audit.record(who, "connection.authorization_begun", connection.name)
        response = Response({"authorization_url": begun.url})
        cookies.put_nonce(response, begun.nonce)
        return response


class Refresh(APIView):
    needs = Role.EDITOR

    @extend_schema(request=None, responses={200: ConnectionSerializer, (409, "application/json"): ErrorSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Renew the access token now; 409 reauthorization_needed where the service has withdrawn the access."""
        connection = refreshable(actor(request), slug)
        try:
            return Response(read_by(request, refresh.renewed_by_hand(connection)))
        except UserError as error:
            raise what_follows(connection, error) from None


class Check(APIView):
    needs = Role.EDITOR

    @extend_schema(request=None, responses={200: outcome_schema()})
    def post(self, request: Request, slug: str) -> Response:
        """A test call. Its failure is an answer: `ok` is false; null where there is nothing to call."""
        outcome = trial.check(access.get(actor(request), slug))
        return Response(
            {
                "ok": outcome.ok,
                "status": outcome.status,
                "took_ms": outcome.took_ms,
                "exchange": outcome.exchange,
                "error": in_words(outcome.error) if outcome.error else None,
            }
        )


class Disconnect(APIView):
    needs = Role.EDITOR

    @extend_schema(request=None, responses={200: ConnectionSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Forget the tokens, and revoke them where a URL for that is known."""
        connection = editing.disconnect(actor(request), access.get(actor(request), slug))
        return Response(read_by(request, connection))


def read_by(request: Request, connection: Connection) -> dict[str, Json]:
    """The connection as this person may see it."""
    data: dict[str, Json] = ConnectionSerializer(connection, context={"role": actor(request).role}).data
    return data


def what_follows(connection: Connection, error: UserError) -> UserError:
    """Where only a person can help, the code that runs get for the same; what the service said is its cause."""
    current = Connection.objects.get(pk=connection.pk)
    if current.status != "needs_reauthorization":
        return error
    needed = refresh.needs_person(current)
    needed.params["cause"] = current.error
    return needed


def refreshable(who: Actor, slug: str) -> Connection:
    connection = access.get(who, slug)
    if connection.type != "oauth2":
        raise UserError("authorization_unsupported")
    return connection


def type_of(data: Any) -> str:
    given = data.get("type", "oauth2") if isinstance(data, Mapping) else "oauth2"
    if not isinstance(given, str) or given not in WRITTEN:
        raise InvalidInput({"type": [_("Choose one of: %(choices)s.") % {"choices": ", ".join(WRITTEN)}]})
    return given


def read(data: Any, *, type_: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The body in three parts: what the row is called, its settings, its secrets. Raises ValidationError."""
    filled = WRITTEN[type_](data=data)
    filled.is_valid(raise_exception=True)
    values: dict[str, Any] = dict(filled.validated_data)
    secret = SECRET_BY_TYPE[type_]
    typed = values.pop(secret, None)
    identity = {name: values.pop(name) for name in IDENTITY if name in values}
    return identity, values, {secret: typed} if typed else {}


def in_words(error: UserError) -> dict[str, Json]:
    words = describe(error.as_json(), _)
    return {name: words[name] for name in ("code", "text", "hint", "params")}
