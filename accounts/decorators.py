"""What a page asks of its visitor: a workspace and a role in it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from accounts.access import Actor, Forbidden
from accounts.roles import Role
from lib.errors import describe

View = Callable[..., HttpResponseBase]


def needs(role: Role = Role.VIEWER) -> Callable[[View], View]:
    """Let in those whose role covers `role`; the others, and a Forbidden raised inside, get the 403 page."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            actor: Actor | None = getattr(request, "actor", None)
            if actor is None:
                return redirect("accounts:new_workspace")
            try:
                actor.require(role)
                return view(request, *args, **kwargs)
            except Forbidden as refusal:
                return forbidden(request, refusal)

        return guarded

    return guard


def forbidden(request: HttpRequest, refusal: Forbidden) -> HttpResponse:
    return render(request, "accounts/forbidden.html", {"error": describe(refusal.as_json(), gettext)}, status=403)
