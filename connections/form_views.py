"""The pages where a connection is chosen, filled in and sent off: gallery, form, live preview, authorization."""

from typing import Any

from django.contrib import messages
from django.forms.utils import ErrorDict
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit
from accounts.access import actor
from accounts.decorators import needs
from accounts.roles import Role
from connections import address, cookies, editing, oauth, presets, preview, usage
from connections.config import OAuthConfig
from connections.forms import ConnectionForm, OAuthForm, form_for
from connections.leaving import failed, found, go, leave
from connections.models import Connection
from connections.pages import gallery, key_types, searched, tile_of
from connections.redirect import redirect_uri
from lib.errors import InvalidInput, UserError, describe

SECRETS = ("client_secret", "key", "password", "token")
KEY_START = {"api_key": {"header": "X-API-Key"}}
# Fields that are seen without unfolding anything: an error in another one unfolds all.
IN_SIGHT = {"name", "client_id", "client_secret", "scopes", "scope", "offline", "__all__"}


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.EDITOR)
def new(request: HttpRequest) -> HttpResponseBase:
    """Choosing makes the record, so that the redirect URL exists before the service's console asks for it."""
    if request.method != "POST":
        query = request.GET.get("q", "").strip()
        context = {"presets": searched(gallery(), query), "types": key_types(), "query": query}
        return render(request, "connections/new.html", context)
    type_ = request.POST.get("type") or "oauth2"
    preset = presets.find(request.POST.get("preset") or "generic")
    if preset is None or type_ not in FORM_TITLES:
        raise Http404("no such preset")
    name = _(preset.name) if type_ == "oauth2" and preset.key != "generic" else str(FORM_TITLES[type_]())
    made = editing.create(
        actor(request),
        name=name,
        type=type_,
        preset=preset.key if type_ == "oauth2" else "",
        settings=KEY_START.get(type_),
    )
    return redirect("connections:edit", public_id=made.public_id)


@sensitive_post_parameters(*SECRETS)
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.EDITOR)
def edit(request: HttpRequest, public_id: str) -> HttpResponseBase:
    connection = found(request, public_id)
    if request.method != "POST":
        return form_page(request, form_for(connection))
    form = form_for(connection, request.POST)
    wish = request.POST.get("do", "save")
    if wish not in ("save", "authorize", "draft"):
        return form_again(request, form, wish)
    if not form.is_valid():
        return form_page(request, form, status=422)
    try:
        changed = editing.change(
            actor(request),
            connection,
            name=form.cleaned_data["name"],
            settings=form.settings(),
            secrets=form.secrets(),
        )
    except InvalidInput as error:
        form.take_errors(error.errors)
        return form_page(request, form, status=422)
    except UserError as error:
        if error.code != "secret_needed":
            raise
        words = describe(error.as_json(), _)
        form.add_error(form.secret_name, f"{words['text']} {words['hint']}")
        return form_page(request, form, status=422)
    if wish == "authorize" and changed.type == "oauth2":
        return begin(request, changed, form)
    messages.success(request, _("“%(name)s” is saved.") % {"name": changed.name})
    return go(request, reverse("connections:detail", args=[changed.public_id]))


def form_again(request: HttpRequest, form: ConnectionForm, wish: str) -> HttpResponse:
    """The form once more, unsaved: with a blank row, with a pasted address taken apart, or with its preview."""
    form.is_valid()
    form.errors.clear()
    values: dict[str, Any] = {**form.cleaned_data, **form.settings()}
    field = wish.removeprefix("add:")
    if wish.startswith("add:") and field in form.fields:
        values[field] = {**values.get(field, {}), "": ""}
    if wish == "tidy" and isinstance(form, OAuthForm):
        values |= address.tidied(form.as_config())
        values["scopes"], values["scope"] = form.split_scope(values["scope"])
    if isinstance(form, OAuthForm) and wish != "tidy":
        values["scopes"], values["scope"] = form.split_scope(form.joined_scope())
    return form_page(request, form_for(form.connection, initial=values), config=OAuthConfig.of(values))


def form_page(
    request: HttpRequest, form: ConnectionForm, *, status: int = 200, config: OAuthConfig | None = None
) -> HttpResponse:
    connection = form.connection
    context: dict[str, Any] = {
        "form": form,
        "connection": connection,
        "tile": tile_of(connection),
        "secret": form[form.secret_name],
        "waits_for": usage.waiting_runs(connection),
    }
    if isinstance(form, OAuthForm):
        preset = form.preset
        shown = config or (form.as_config() if form.is_bound and hasattr(form, "cleaned_data") else None)
        saved = OAuthConfig.of(connection.config)
        context |= {
            "preset": preset if preset and preset.key != "generic" else None,
            "service": _(preset.service) if preset and preset.service else "",
            "steps": [_(step) for step in preset.steps] if preset else [],
            "scope_help": {scope.value: (scope.short, _(scope.help) if scope.help else "") for scope in preset.scopes}
            if preset
            else {},
            "redirect_uri": redirect_uri(connection),
            "preview": preview.preview(connection, shown or saved),
            "can_tidy": bool(address.tidied(shown or saved)),
            "saved": saved,
            "summaries": summaries(shown or saved),
            "all_fields": request.POST.get("all_fields") == "on"
            or preset is None
            or preset.key == "generic"
            or bool(set(form.errors) - IN_SIGHT),
        }
        return render(request, "connections/oauth_form.html", context, status=status)
    return render(request, "connections/key_form.html", context, status=status)


def summaries(config: OAuthConfig) -> dict[str, str]:
    """What stands in the folded sections, in one line each."""
    hosts = [config.authorization_url.partition("?")[0].split("/")[2:3], [config.token_url.partition("//")[2]]]
    login = ", ".join(filter(None, (part for parts in hosts for part in parts)))
    headers = [f"{name}: {value}" for name, value in (config.request_headers | config.request_query).items()]
    return {
        "login": f"{login} · {config.token_method}" if login else "",
        "api": headers[0] if headers else "",
        "statuses": ", ".join(str(status) for status in config.expired_statuses),
    }


@sensitive_post_parameters(*SECRETS)
@require_POST
@needs(Role.EDITOR)
def live_preview(request: HttpRequest, public_id: str) -> HttpResponse:
    """The address and the checks for what stands in the form now; nothing is stored."""
    connection = found(request, public_id)
    form = form_for(connection, request.POST)
    if not isinstance(form, OAuthForm):
        raise Http404("nothing to preview")
    form.is_valid()
    config = form.as_config()
    context = {
        "preview": preview.preview(connection, config),
        "connection": connection,
        "can_tidy": bool(address.tidied(config)),
        "oob": True,
    }
    return render(request, "connections/_preview.html", context)


FORM_TITLES = {
    "oauth2": lambda: _("My service"),
    "api_key": lambda: _("API key"),
    "basic": lambda: _("Login and password"),
    "bearer": lambda: _("Bearer token"),
}


def begin(request: HttpRequest, connection: Connection, form: ConnectionForm | None) -> HttpResponseBase:
    """Send the person to the service. What keeps it from beginning is said at the form's fields."""
    who = actor(request)
    try:
        begun = oauth.begin(connection, user=who.user, browser=cookies.nonce_of(request), in_browser=True)
    except InvalidInput as error:
        form = form or form_for(connection, initial=None)
        words = {name: [_(message) for message in messages_] for name, messages_ in error.errors.items()}
        bound = form if form.is_bound else bound_to_itself(connection)
        bound.take_errors(words)
        return form_page(request, bound, status=422)
    except UserError as error:
        return failed(request, connection, error)
    audit.record(who, "connection.authorization_begun", connection.name)
    if begun.url is None:
        messages.success(request, _("“%(name)s” is connected.") % {"name": connection.name})
        return go(request, reverse("connections:detail", args=[connection.public_id]))
    response = leave(request, begun.url)
    cookies.put_nonce(response, begun.nonce)
    return response


def bound_to_itself(connection: Connection) -> ConnectionForm:
    """The form with its own values as if they had been sent, to show errors at them."""
    form = form_for(connection)
    form.is_bound = True
    form.cleaned_data = dict(form.initial)
    form._errors = ErrorDict()  # type: ignore[attr-defined]
    return form
