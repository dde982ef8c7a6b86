"""The REST API of the workspace: members, invitations, tokens, usage, the audit log, who calls, what can go wrong."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit, members, tokens
from accounts.access import actor, person
from accounts.api_schema import ErrorSerializer
from accounts.api_serializers import (
    AuditSerializer,
    CatalogueSerializer,
    InvitationSerializer,
    MemberSerializer,
    MeSerializer,
    NewInvitationSerializer,
    NewTokenSerializer,
    RoleSerializer,
    TokenSerializer,
    UsageSerializer,
    UserSerializer,
    WorkspaceSerializer,
)
from accounts.models import AuditEntry, User, Workspace
from accounts.pagination import Cursor
from accounts.roles import Role
from accounts.usage import month_start, this_month
from lib.errors import BUTTONS, CATALOGUE, Json, Words

WRONG = {(400, "application/json"): ErrorSerializer}
MISSING = {(404, "application/json"): ErrorSerializer}


def results_of(name: str, serializer: serializers.BaseSerializer[Any]) -> serializers.Serializer[Any]:
    """The shape of a list that is answered whole: `{"results": […]}`."""
    return inline_serializer(name, {"results": serializer})


def checked(serializer: type[serializers.Serializer[Any]], request: Request, **options: Any) -> dict[str, Any]:
    """The body, read by a serializer; raises ValidationError."""
    filled = serializer(data=request.data, **options)
    filled.is_valid(raise_exception=True)
    values: dict[str, Any] = filled.validated_data
    return values


def invited(request: Request) -> Response:
    values = checked(InvitationSerializer, request)
    invitation, url = members.invite(actor(request), values["email"], Role(values["role"]))
    invitation.url = url  # type: ignore[attr-defined]
    return Response(NewInvitationSerializer(invitation).data, status=201)


class MemberList(APIView):
    needs = Role.OWNER

    @extend_schema(operation_id="members_list", responses=results_of("Members", MemberSerializer(many=True)))
    def get(self, request: Request) -> Response:
        """The members of the workspace."""
        found = members.members_of(actor(request).workspace)
        return Response({"results": MemberSerializer(found, many=True).data})

    @extend_schema(request=InvitationSerializer, responses={201: NewInvitationSerializer} | WRONG)
    def post(self, request: Request) -> Response:
        """Invite somebody by e-mail; the same as POST invitations/."""
        return invited(request)


class MemberDetail(APIView):
    needs = Role.OWNER
    needs_by_method = {"DELETE": Role.VIEWER}  # everybody may leave

    @extend_schema(responses={200: MemberSerializer} | MISSING)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(MemberSerializer(members.member(actor(request), public_id)).data)

    @extend_schema(request=RoleSerializer, responses={200: MemberSerializer} | WRONG | MISSING)
    def patch(self, request: Request, public_id: str) -> Response:
        """Change a member's role."""
        member = members.member(actor(request), public_id)
        members.change_role(actor(request), member, Role(checked(RoleSerializer, request)["role"]))
        return Response(MemberSerializer(member).data)

    @extend_schema(responses={204: None} | MISSING)
    def delete(self, request: Request, public_id: str) -> Response:
        """Remove a member, or leave the workspace oneself."""
        members.remove(actor(request), members.member(actor(request), public_id))
        return Response(status=204)


class InvitationList(APIView):
    needs = Role.OWNER
    needs_by_method = {"GET": Role.OWNER}

    @extend_schema(
        operation_id="invitations_list", responses=results_of("Invitations", InvitationSerializer(many=True))
    )
    def get(self, request: Request) -> Response:
        """The invitations that may still be accepted."""
        found = members.open_invitations(actor(request).workspace)
        return Response({"results": InvitationSerializer(found, many=True).data})

    @extend_schema(request=InvitationSerializer, responses={201: NewInvitationSerializer} | WRONG)
    def post(self, request: Request) -> Response:
        """Invite somebody: a letter is sent, and the answer has the link."""
        return invited(request)


class InvitationDetail(APIView):
    needs = Role.OWNER

    @extend_schema(responses={204: None} | MISSING)
    def delete(self, request: Request, public_id: str) -> Response:
        """Withdraw an invitation."""
        members.withdraw(actor(request), public_id)
        return Response(status=204)


class TokenList(APIView):
    needs = Role.VIEWER  # a person, of their own role or below; a token must be an owner's: tokens.make

    @extend_schema(operation_id="tokens_list", responses=results_of("Tokens", TokenSerializer(many=True)))
    def get(self, request: Request) -> Response:
        """The workspace's tokens; those who are no owners see their own."""
        return Response({"results": TokenSerializer(tokens.visible(actor(request)), many=True).data})

    @extend_schema(request=TokenSerializer, responses={201: NewTokenSerializer} | WRONG)
    def post(self, request: Request) -> Response:
        """Make a token; `token` is shown this once. What a token makes ends with it at the latest.

        A token that calls this needs the owner's role.
        """
        values = checked(TokenSerializer, request)
        made, secret = tokens.make(
            actor(request), values["name"], role=Role(values["role"]), expires_at=values.get("expires_at")
        )
        made.token = secret  # type: ignore[attr-defined]
        return Response(NewTokenSerializer(made).data, status=201)


class TokenDetail(APIView):
    needs = Role.VIEWER

    @extend_schema(responses={200: TokenSerializer} | MISSING)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(TokenSerializer(tokens.get(actor(request), public_id)).data)

    @extend_schema(responses={204: None} | MISSING)
    def delete(self, request: Request, public_id: str) -> Response:
        """Revoke a token: its next request is refused, and so are those of the tokens made with it.

        A token that calls this needs the owner's role.
        """
        tokens.revoke(actor(request), tokens.get(actor(request), public_id))
        return Response(status=204)


class Usage(APIView):
    @extend_schema(responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """What the workspace has used this month."""
        workspace = actor(request).workspace
        return Response(UsageSerializer({"since": month_start(workspace), "counts": this_month(workspace)}).data)


class AuditLog(ListAPIView[AuditEntry]):
    """Who did what in the workspace, newest first."""

    needs_by_method = {"GET": Role.OWNER}
    serializer_class = AuditSerializer
    pagination_class = Cursor
    queryset = AuditEntry.objects.none()  # only for the OpenAPI document

    def get_queryset(self) -> QuerySet[AuditEntry]:
        return AuditEntry.objects.filter(workspace=actor(self.request).workspace).select_related("user")


class Me(APIView):
    needs = Role.VIEWER

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who calls: the person, the workspace, the role and the token."""
        who = actor(request)
        return Response(
            MeSerializer({"user": who.user, "workspace": who.workspace, "role": who.role, "token": who.token}).data
        )

    @extend_schema(request=UserSerializer, responses={200: UserSerializer} | WRONG)
    def patch(self, request: Request) -> Response:
        """Change one's own name, language or time zone; a token needs the owner's role for it."""
        actor(request).require_own_hand()
        user = User.objects.get(pk=person(request).pk)
        filled = UserSerializer(user, data=request.data, partial=True)
        filled.is_valid(raise_exception=True)
        filled.save()
        return Response(filled.data)


class WorkspaceDetail(APIView):
    needs = Role.OWNER

    @extend_schema(responses=WorkspaceSerializer)
    def get(self, request: Request) -> Response:
        return Response(WorkspaceSerializer(actor(request).workspace).data)

    @extend_schema(request=WorkspaceSerializer, responses={200: WorkspaceSerializer} | WRONG)
    def patch(self, request: Request) -> Response:
        """Change the workspace's name or time zone, or how long runs and their data are kept."""
        workspace = Workspace.objects.get(pk=actor(request).workspace.pk)
        filled = WorkspaceSerializer(workspace, data=request.data, partial=True)
        filled.is_valid(raise_exception=True)
        kept = {name: days for name, days in filled.validated_data.items() if name.startswith("keep_")}
        filled.save()
        audit.record(actor(request), "workspace.changed", workspace.name, **kept)
        return Response(filled.data)


class Errors(APIView):
    @extend_schema(operation_id="errors_list", responses=results_of("Errors", CatalogueSerializer(many=True)))
    def get(self, request: Request) -> Response:
        """Every error code with its words, in the language of Accept-Language."""
        return Response({"results": CatalogueSerializer(catalogue(), many=True).data})


def catalogue() -> list[dict[str, Json]]:
    """[{"code", "text", "hint", "button", "button_label", "reasons": [{"reason", …}]}] by code."""
    codes: dict[str, dict[str, Json]] = {}
    for key in sorted(CATALOGUE):
        code, _, reason = key.partition(".")
        entry = codes.setdefault(code, {"code": code, **in_words(Words(""))} | {"reasons": []})
        if reason:
            entry["reasons"].append({"reason": reason, **in_words(CATALOGUE[key])})
        else:
            entry.update(in_words(CATALOGUE[key]))
    return list(codes.values())


def in_words(words: Words) -> dict[str, str]:
    """An empty text stays empty: the translation of "" would be the catalogue's own header."""
    return {
        "text": words.text and gettext(words.text),
        "hint": words.hint and gettext(words.hint),
        "button": words.button,
        "button_label": words.button and gettext(BUTTONS[words.button]),
    }
