"""The pages of a workspace: its name and zone, its members, its API tokens, its audit log."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit, members, tokens
from accounts.access import Forbidden, actor
from accounts.addresses import public_address
from accounts.decorators import needs
from accounts.entry_views import GET_AND_POST, home
from accounts.forms import InviteForm, RoleForm, TokenForm, WorkspaceSettingsForm
from accounts.models import ROLES, AuditEntry, Workspace
from accounts.roles import Role
from accounts.usage import in_words, this_month
from lib.errors import UserError, describe

AUDIT_PAGE = 50


@require_http_methods(GET_AND_POST)
@needs()
def workspace(request: HttpRequest) -> HttpResponse:
    who = actor(request)
    form = WorkspaceSettingsForm(request.POST or None, instance=Workspace.objects.get(pk=who.workspace.pk))
    if request.method == "POST":
        who.require(Role.OWNER)
        if form.is_valid():
            audit.record(who, "workspace.changed", form.save().name, **changes(form))
            messages.success(request, gettext("The workspace is saved."))
            return redirect("accounts:workspace")
    context = {
        "form": form,
        "tab": "workspace",
        "may_edit": who.may(Role.OWNER),
        "usage": in_words(this_month(who.workspace)),
    }
    return render(request, "accounts/workspace.html", context, status=422 if form.errors else 200)


def changes(form: WorkspaceSettingsForm) -> dict[str, int]:
    """How long data is kept from now on, where that was changed."""
    return {name: form.cleaned_data[name] for name in form.changed_data if name.startswith("keep_")}


@require_http_methods(GET_AND_POST)
@needs()
def member_list(request: HttpRequest) -> HttpResponse:
    """The members; a POST invites and shows the link, this once."""
    who = actor(request)
    form = InviteForm(request.POST or None)
    link = ""
    if request.method == "POST":
        who.require(Role.OWNER)
        if form.is_valid():
            try:
                _, link = members.invite(who, form.cleaned_data["email"], Role(form.cleaned_data["role"]))
            except UserError as error:
                form.add_error("email", words(error))
    context = {
        "form": InviteForm() if link else form,
        "link": link,
        "email": form.cleaned_data["email"] if link else "",
        "tab": "members",
        "may_edit": who.may(Role.OWNER),
        "memberships": members.members_of(who.workspace),
        "invitations": members.open_invitations(who.workspace) if who.may(Role.OWNER) else [],
        "roles": ROLES,
    }
    return render(request, "accounts/members.html", context, status=422 if form.errors and not link else 200)


@require_POST
@needs(Role.OWNER)
def change_role(request: HttpRequest, public_id: str) -> HttpResponse:
    who = actor(request)
    member = members.member(who, public_id)
    form = RoleForm(request.POST)
    if form.is_valid():
        role = Role(form.cleaned_data["role"])
        done = gettext("The role is changed.")
        attempt(request, lambda: members.change_role(who, member, role), done)
    return redirect("accounts:members")


@require_http_methods(GET_AND_POST)
@needs()
def remove_member(request: HttpRequest, public_id: str) -> HttpResponse:
    """Remove a member, or leave the workspace oneself."""
    who = actor(request)
    member = members.member(who, public_id)
    leaves = member.user_id == (who.user and who.user.pk)
    if not leaves:
        who.require(Role.OWNER)
    if request.method == "POST":
        done = gettext("You have left the workspace.") if leaves else gettext("The member is removed.")
        removed = attempt(request, lambda: members.remove(who, member), done)
        return redirect(home() if leaves and removed else "accounts:members")
    return confirm(request, "accounts/remove_member.html", member=member, leaves=leaves, back="accounts:members")


@require_POST
@needs(Role.OWNER)
def withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    members.withdraw(actor(request), public_id)
    messages.success(request, gettext("The invitation is withdrawn."))
    return redirect("accounts:members")


@require_http_methods(GET_AND_POST)
@needs()
def token_list(request: HttpRequest) -> HttpResponse:
    """The API tokens; a POST makes one and shows it, this once."""
    who = actor(request)
    form = TokenForm(request.POST or None, role=who.role)
    secret = ""
    if request.method == "POST" and form.is_valid():
        role = Role(form.cleaned_data["role"])
        _, secret = tokens.make(who, form.cleaned_data["name"], role=role, expires_at=form.expires_at())
    context = {
        "form": TokenForm(role=who.role) if secret else form,
        "secret": secret,
        "tab": "tokens",
        "tokens": tokens.visible(who),
        "now": timezone.now(),
        "api_url": public_address("/api/v1/"),
    }
    return render(request, "accounts/tokens.html", context, status=422 if form.errors and not secret else 200)


@require_http_methods(GET_AND_POST)
@needs()
def revoke_token(request: HttpRequest, public_id: str) -> HttpResponse:
    who = actor(request)
    token = tokens.get(who, public_id)
    if request.method == "POST":
        tokens.revoke(who, token)
        messages.success(request, gettext("The token is revoked."))
        return redirect("accounts:tokens")
    return confirm(request, "accounts/revoke_token.html", token=token, back="accounts:tokens")


@require_safe
@needs(Role.OWNER)
def audit_log(request: HttpRequest) -> HttpResponse:
    """Newest first, a page at a time: `?before=` takes the number of the page's last entry."""
    entries = AuditEntry.objects.filter(workspace=actor(request).workspace).order_by("-id")
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        entries = entries.filter(id__lt=int(before))
    page = audit.titled(entries[: AUDIT_PAGE + 1])
    shown = page[:AUDIT_PAGE]
    context = {
        "entries": shown,
        "older_url": f"?before={shown[-1].pk}" if len(page) > AUDIT_PAGE else None,
        "newest_url": reverse("accounts:audit") if before else None,
        "tab": "audit",
    }
    return render(request, "accounts/audit.html", context)


def attempt(request: HttpRequest, act: Callable[[], None], done: str) -> bool:
    """Do it and say so, or say why it could not be done."""
    try:
        act()
    except Forbidden:
        raise
    except UserError as error:
        messages.error(request, words(error))
        return False
    messages.success(request, done)
    return True


def words(error: UserError) -> str:
    """An error and what to do about it, in one line."""
    told = describe(error.as_json(), gettext)
    return f"{told['text']} {told['hint']}".strip()


def confirm(request: HttpRequest, template: str, *, back: str, **context: object) -> HttpResponse:
    """The question before something final: a page of its own, or a fragment for the dialog when htmx asks."""
    layout = "accounts/dialog.html" if request.headers.get("HX-Request") else "accounts/question.html"
    response = render(request, template, {**context, "back_url": reverse(back), "layout": layout})
    response["Vary"] = "HX-Request"
    return response
