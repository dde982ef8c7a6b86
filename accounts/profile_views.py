"""One's own pages: the profile and the password, new workspaces and the choice among them."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, devices, passwords, signing_in, tokens
from accounts.access import person
from accounts.addresses import local_path
from accounts.entry_views import GET_AND_POST, home, tokens_revoked, too_many, with_tries
from accounts.forms import ChangePasswordForm, ProfileForm, WorkspaceForm
from accounts.models import AuditEntry, Membership, User
from accounts.registering import make_workspace
from accounts.throttle import Refused

ACTIVITY_SHOWN = 10


@require_http_methods(GET_AND_POST)
def profile(request: HttpRequest) -> HttpResponse:
    user = person(request)
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=user.pk))
    if request.method == "POST" and form.is_valid():
        changed = form.save()
        with translation.override(changed.language):
            messages.success(request, gettext("The profile is saved."))
        response = redirect("accounts:profile")
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, changed.language, samesite="Lax")
        return response
    activity = AuditEntry.objects.filter(user=user, workspace=None).order_by("-id")[:ACTIVITY_SHOWN]
    context = {"form": form, "activity": audit.titled(activity), "tab": "profile"}
    return render(request, "accounts/profile.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters("current", "password")
@require_http_methods(GET_AND_POST)
def password(request: HttpRequest) -> HttpResponse:
    user = person(request)
    form = ChangePasswordForm(request.POST or None, user=user, has_tokens=tokens.live_tokens(user).exists())
    if request.method == "POST" and form.is_valid() and knows_the_current(request, form, user):
        values = form.cleaned_data
        revoked = passwords.change(request, user, values["password"], revoke_tokens=values.get("revoke_tokens", False))
        update_session_auth_hash(request, user)  # this session stays, the others end
        messages.success(request, gettext("The password is changed; other devices are signed out."))
        if revoked:
            messages.warning(request, tokens_revoked(revoked))
        response: HttpResponse = redirect("accounts:profile")
        devices.remember(request, response, user)
        return response
    context = {"form": form, "tab": "profile"}
    return render(request, "accounts/password.html", context, status=422 if form.errors else 200)


def knows_the_current(request: HttpRequest, form: ChangePasswordForm, user: User) -> bool:
    """Throttled like signing in: somebody at an open cabinet must not guess on."""
    try:
        signing_in.check_credentials(request, user.email, form.cleaned_data["current"])
    except signing_in.WrongCredentials as wrong:
        form.add_error("current", with_tries(gettext("The password is wrong."), wrong.left))
    except Refused as refused:
        form.add_error(None, too_many(refused))
    return form.is_valid()


@require_http_methods(GET_AND_POST)
def new_workspace(request: HttpRequest) -> HttpResponse:
    user = person(request)
    form = WorkspaceForm(request.POST or None, initial={"timezone": user.timezone})
    if request.method == "POST" and form.is_valid():
        made = make_workspace(form.cleaned_data["name"], owner=user, timezone=form.cleaned_data["timezone"])
        request.session[signing_in.SESSION_WORKSPACE] = made.pk
        return redirect(home())
    return render(request, "accounts/new_workspace.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def switch_workspace(request: HttpRequest) -> HttpResponse:
    memberships: list[Membership] = getattr(request, "memberships", [])
    wanted = request.POST.get("workspace", "")
    membership = next((one for one in memberships if one.workspace.public_id == wanted), None)
    if membership is None:
        raise Http404
    request.session[signing_in.SESSION_WORKSPACE] = membership.workspace_id
    return redirect(local_path(request.POST.get("next"), home()))
