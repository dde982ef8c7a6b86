"""The pages before signing in: sign in, sign up, a forgotten password, the first start, an invitation."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import get_language, gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import devices, members, passwords, setup, signing_in, tokens
from accounts.access import signed_in
from accounts.addresses import client_address, local_path
from accounts.forms import NewAccountForm, NewPasswordForm, ResetForm, SetupForm, SignInForm, SignUpForm
from accounts.models import Invitation, User
from accounts.registering import AddressTaken, make_workspace, register, spend_the_time_of_registering
from accounts.throttle import SIGN_UP, Refused
from lib.errors import UserError, describe

GET_AND_POST = ["GET", "HEAD", "POST"]


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(GET_AND_POST)
def sign_in(request: HttpRequest) -> HttpResponse:
    wanted = local_path(request.POST.get("next") or request.GET.get("next"), home())
    if signed_in(request) is not None:
        return redirect(wanted)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST":
        user, status = try_to_sign_in(request, form)
        if user is not None:
            return signing_in.begin_session(request, redirect(wanted), user, remember=form.cleaned_data["remember"])
    context = {"form": form, "next": wanted if wanted != home() else "", "sign_up_open": settings.SIGN_UP_OPEN}
    return render(request, "accounts/sign_in.html", context, status=status)


def try_to_sign_in(request: HttpRequest, form: SignInForm) -> tuple[User | None, int]:
    """Who it is, or the status of the answer; what went wrong stands in the form."""
    if not form.is_valid():
        return None, 422
    try:
        user = signing_in.check_credentials(request, form.cleaned_data["email"], form.cleaned_data["password"])
    except signing_in.WrongCredentials as wrong:
        form.add_error("password", with_tries(gettext("The e-mail or the password is wrong."), wrong.left))
        return None, 422
    except Refused as refused:
        form.add_error(None, too_many(refused))
        return None, 429
    return user, 302


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    signing_in.end_session(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(GET_AND_POST)
def sign_up(request: HttpRequest) -> HttpResponse:
    if signed_in(request) is not None:
        return redirect(home())
    if not settings.SIGN_UP_OPEN:
        return render(request, "accounts/sign_up_closed.html", status=403)
    form = SignUpForm(request.POST or None)
    status = 200
    if request.method == "POST":
        user, status = try_to_sign_up(request, form)
        if user is not None:
            return signing_in.begin_session(request, redirect(home()), user)
    return render(request, "accounts/sign_up.html", {"form": form}, status=status)


def try_to_sign_up(request: HttpRequest, form: SignUpForm) -> tuple[User | None, int]:
    if not form.is_valid():
        return None, 422
    values = form.cleaned_data
    try:
        SIGN_UP.spend(values["email"], client_address(request.META))
        user = new_account(values["email"], values)
    except Refused as refused:
        form.add_error(None, too_many(refused))
        return None, 429
    except AddressTaken:
        spend_the_time_of_registering(values["password"])
        form.add_error("email", address_taken())
        return None, 422
    make_workspace(workspace_name(user), owner=user, timezone=user.timezone)
    return user, 302


@never_cache
@require_http_methods(GET_AND_POST)
def reset(request: HttpRequest) -> HttpResponse:
    form = ResetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        passwords.ask_for_reset(request, form.cleaned_data["email"])
        return render(request, "accounts/reset_sent.html", {"email": form.cleaned_data["email"]})
    return render(request, "accounts/reset.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(GET_AND_POST)
def reset_confirm(request: HttpRequest, public_id: str, token: str) -> HttpResponse:
    user = passwords.user_of_link(public_id, token)
    if user is None:
        return render(request, "accounts/reset_ended.html", status=404)
    form = NewPasswordForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        revoked = passwords.reset(request, user, form.cleaned_data["password"])
        messages.success(request, gettext("The new password is set. Sign in with it."))
        if revoked:
            messages.warning(request, tokens_revoked(revoked))
        response: HttpResponse = redirect("accounts:sign_in")
        devices.remember(request, response, user)  # whoever tries to lock them out does not keep them from signing in
        return response
    context = {"form": form, "tokens": tokens.live_tokens(user).count()}
    return render(request, "accounts/reset_confirm.html", context, status=422 if form.errors else 200)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(GET_AND_POST)
def set_up(request: HttpRequest, secret: str) -> HttpResponse:
    try:
        link = setup.link_of(secret)
        form = SetupForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            user = setup.make_owner(
                link,
                values["email"],
                values["password"],
                name=values["name"],
                language=get_language() or settings.LANGUAGE_CODE,
                timezone_name=values["timezone"],
                workspace=values["workspace"],
            )
            return signing_in.begin_session(request, redirect(home()), user)
    except AddressTaken:
        form.add_error("email", address_taken())
    except UserError as error:
        return ended(request, error)
    return render(request, "accounts/setup.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(GET_AND_POST)
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    try:
        found = members.invitation_of(secret)
        user = signed_in(request)
        if user is None and not User.objects.filter(email=found.email).exists():
            return join_as_new(request, found)
        if request.method == "POST" and user is not None:
            return join(request, found, user)
    except UserError as error:
        return ended(request, error)
    return render(request, "accounts/invitation.html", {"invitation": found, "is_for_me": is_for(user, found)})


def join_as_new(request: HttpRequest, found: Invitation) -> HttpResponse:
    form = NewAccountForm(request.POST or None, email=found.email)
    if request.method == "POST" and form.is_valid():
        try:
            user = new_account(found.email, form.cleaned_data)
        except AddressTaken:  # in another tab, a moment ago
            return redirect(request.path)
        return join(request, found, user, is_new=True)
    context = {"form": form, "invitation": found}
    return render(request, "accounts/invitation_new.html", context, status=422 if form.errors else 200)


def join(request: HttpRequest, found: Invitation, user: User, *, is_new: bool = False) -> HttpResponse:
    """Become a member; somebody new is signed in as well, whatever becomes of the invitation."""
    response: HttpResponse = redirect(home())
    if is_new:
        signing_in.begin_session(request, response, user)
    membership = members.accept(found, user)
    request.session[signing_in.SESSION_WORKSPACE] = membership.workspace_id
    messages.success(request, gettext("You have joined “{name}”.").format(name=found.workspace.name))
    return response


def is_for(user: User | None, found: Invitation) -> bool:
    return user is not None and user.email == found.email


def new_account(email: str, values: dict[str, Any]) -> User:
    """Raises AddressTaken. The language is the one that the page was read in."""
    return register(
        email,
        values["password"],
        name=values["name"],
        language=get_language() or settings.LANGUAGE_CODE,
        timezone=values["timezone"],
    )


def ended(request: HttpRequest, error: UserError) -> HttpResponse:
    status = 403 if error.code == "wrong_account" else 404
    context = {"error": describe(error.as_json(), gettext)}
    return render(request, "accounts/link_ended.html", context, status=status)


def home() -> str:
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def workspace_name(user: User) -> str:
    return gettext("Workspace of {name}").format(name=user)[:120]


def with_tries(words: str, left: int) -> str:
    """What was wrong, and how many tries are left."""
    if not left:
        return words
    tries = ngettext("{count} try is left.", "{count} tries are left.", left).format(count=left)
    return f"{words} {tries}"


def too_many(refused: Refused) -> str:
    minutes = max(1, round(refused.wait_s / 60))
    return ngettext(
        "Too many tries. Try again in {count} minute.", "Too many tries. Try again in {count} minutes.", minutes
    ).format(count=minutes)


def tokens_revoked(count: int) -> str:
    return ngettext(
        "{count} API token is revoked: make a new one for the program that used it.",
        "{count} API tokens are revoked: make new ones for the programs that used them.",
        count,
    ).format(count=count)


def address_taken() -> str:
    return gettext("An account cannot be made with this address. If it is yours, sign in or reset the password.")
