"""The checks of an OAuth form, one function each: what is off, and what is right."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from connections import address
from connections.lint_subject import (
    ANY_SERVICE,
    CALENDAR_SCOPE,
    Finding,
    Subject,
    first_scope,
    is_known_address,
    is_known_pair,
    is_local,
    sends,
    service_of,
    site_of,
)


def redirect(subject: Subject) -> Iterator[Finding]:
    in_address = subject.address.get("redirect_uri")
    in_token = subject.config.token_params.get("redirect_uri")
    is_wrong = False
    for value, field, where in (
        (in_address, "authorization_url", _("In the authorization URL")),
        (in_token, "token_params", _("In the token request")),
    ):
        written = address.literal(value)
        if written and written != subject.redirect_uri:
            is_wrong = True
            yield Finding(
                "redirect_mismatch",
                "error",
                _("%(where)s the redirect URL is %(written)s, and field 16 has another one.")
                % {"where": where, "written": written},
                _("The service compares every character. Write {{ redirect_uri }}: it is the same in both requests."),
                field,
            )
    is_sent = subject.is_bare or in_address is not None
    if not is_sent and not is_known_address(subject):
        yield Finding(
            "redirect_missing",
            "warn",
            _("The authorization URL names no redirect_uri."),
            _("Add redirect_uri={{ redirect_uri }}, unless the service takes it from its own settings."),
        )
    elif is_sent and in_token is None and not is_known_address(subject):
        yield Finding(
            "redirect_missing_in_token",
            "warn",
            _("The token request does not repeat redirect_uri."),
            _("Most services want the same redirect_uri in both requests: add it to field 6."),
            "token_params",
        )
    elif not is_wrong:
        yield Finding("redirect_matches", "ok", _("The redirect URL is the one of field 16"))
    if subject.is_google and subject.redirect_uri.startswith("http://") and not is_local(subject.redirect_uri):
        yield Finding(
            "redirect_not_https",
            "error",
            _("Google accepts redirect URLs with https:// only."),
            _("Set APINITA_URL to the https address of this installation."),
            "redirect_uri",
        )


def scopes(subject: Subject) -> Iterator[Finding]:
    asked = subject.scopes
    marks = subject.preset.scope_marks if subject.preset else ()
    strange = [scope for scope in asked if marks and not any(mark in scope for mark in (*marks, *ANY_SERVICE))]
    others = [scope for scope in asked if service_of(scope) not in ("", "Google Calendar")]
    if strange:
        yield Finding(
            "scope_of_another_service",
            "error",
            _("%(scope)s opens %(other)s. %(service)s will answer 403 to every step.")
            % {
                "scope": strange[0],
                "other": service_of(strange[0]) or _("something else"),
                "service": _(subject.preset.name) if subject.preset else "",
            },
            _("Choose the permissions from the list, for example %(scope)s.") % {"scope": first_scope(subject)},
            "scope",
        )
    elif not asked and (subject.is_google or (subject.preset and subject.preset.scopes)):
        yield Finding(
            "scope_missing", "error", _("No permission is asked for."), _("Choose at least one permission."), "scope"
        )
    elif not marks and subject.is_google and others:
        yield Finding(
            "scope_not_calendar",
            "warn",
            _("%(scope)s opens %(other)s, not the calendar.") % {"scope": others[0], "other": service_of(others[0])},
            _("For the steps of Google Calendar ask for %(scope)s.") % {"scope": CALENDAR_SCOPE},
            "scope",
        )
    elif marks and subject.preset:
        yield Finding(
            "scope_fits", "ok", _("The permissions belong to %(service)s") % {"service": _(subject.preset.name)}, "",
            "scope",
        )  # fmt: skip


def refresh_token(subject: Subject) -> Iterator[Finding]:
    preset = subject.preset
    if subject.is_google:
        values = {name: address.literal(subject.address.get(name)) for name in ("access_type", "prompt")}
        if values["access_type"] != "offline":
            yield Finding(
                "no_offline_access",
                "error",
                _("Without access_type=offline Google gives no refresh token: the connection dies after an hour."),
                _("Add access_type=offline and prompt=consent to the authorization URL."),
            )
        elif "consent" not in (values["prompt"] or ""):
            yield Finding(
                "no_forced_consent",
                "warn",
                _("Without prompt=consent Google gives a refresh token only the very first time."),
                _("Add prompt=consent, otherwise authorizing again leaves the connection without one."),
            )
        else:
            yield Finding("refresh_token_comes", "ok", _("A refresh token will be issued"))
    elif preset and preset.offline_scope:
        if preset.offline_scope in subject.scopes:
            yield Finding("refresh_token_comes", "ok", _("A refresh token will be issued"))
        else:
            yield Finding(
                "no_offline_scope",
                "error",
                _("Without %(scope)s there is no refresh token.") % {"scope": preset.offline_scope},
                _("Choose the permission to work without you."),
                "scope",
            )
    elif preset and preset.never_expires:
        yield Finding("token_lasts", "ok", _("The token of this service does not expire, or is renewed by itself"))
    params = subject.config.refresh_params
    if params and not any(sends(value, "refresh_token") or sends(value, "access_token") for value in params.values()):
        yield Finding(
            "refresh_without_token",
            "warn",
            _("The refresh request does not send the refresh token."),
            _("Add refresh_token = {{ refresh_token }} to field 14."),
            "refresh_params",
        )


def protection(subject: Subject) -> Iterator[Finding]:
    written = subject.address.get("state")
    if written is not None and not address.names(written, "state"):
        yield Finding(
            "state_replaced",
            "warn",
            _("A state of your own cannot be checked: ours takes its place."),
            _("Write state={{ state }}, or leave it out."),
        )
    nonce = subject.address.get("nonce")
    if nonce is not None and "openid" not in subject.scopes:
        yield Finding(
            "nonce_useless",
            "warn",
            _("nonce protects nothing here: it belongs to OpenID Connect."),
            _("Leave it out; state is what protects, and it is there."),
        )
    pkce = subject.config.use_pkce or subject.address.get("code_challenge") is not None
    text = _("Protection by state and PKCE is added by itself") if pkce else _("Protection by state is added by itself")
    yield Finding("protected", "ok", text)


def encoding(subject: Subject) -> Iterator[Finding]:
    for name in ("redirect_uri", "scope"):
        value = subject.address.get(name) or ""
        if address.literal(value) and ("://" in value or " " in value) and not address.QUOTED.fullmatch(value.strip()):
            yield Finding(
                "not_encoded",
                "warn",
                _("%(name)s stands in the address as it is, not percent-encoded.") % {"name": name},
                _("It works until it holds & or #. Write {{ %(name)s }}: it is encoded by itself.") % {"name": name},
            )


def parameters(subject: Subject) -> Iterator[Finding]:
    if not subject.is_bare and not is_known_address(subject):
        for name in ("client_id", "response_type"):
            if subject.address.get(name) is None:
                yield Finding(
                    "parameter_missing",
                    "warn",
                    _("The authorization URL has no %(name)s.") % {"name": name},
                    _("Add it, unless the documentation of the service says otherwise."),
                )
    if not any(sends(value, "code") for value in subject.config.token_params.values()):
        yield Finding(
            "code_not_sent",
            "error",
            _("The token request does not send the code."),
            _("Add code = {{ code }} to field 6."),
            "token_params",
        )


def secrets(subject: Subject) -> Iterator[Finding]:
    names = {name for name, _value in subject.address.pairs}
    if "client_secret" in names or sends(subject.config.authorization_url, "client_secret"):
        yield Finding(
            "secret_in_address",
            "error",
            _("The client secret stands in the authorization URL."),
            _("Browsers, proxies and the service's logs keep this address. Remove the secret from it."),
        )


def api_requests(subject: Subject) -> Iterator[Finding]:
    config = subject.config
    values = [*config.request_headers.values(), *config.request_query.values()]
    if not any(sends(value, "access_token") or sends(value, "token") for value in values):
        yield Finding(
            "token_not_sent",
            "warn",
            _("No request would carry the access token."),
            _("Add Authorization = Bearer {{ access_token }} to field 9."),
            "request_headers",
        )


def transport(subject: Subject) -> Iterator[Finding]:
    config = subject.config
    for field in ("authorization_url", "token_url", "refresh_url", "revoke_url", "api_base_url"):
        url: str = getattr(config, field)
        if url.startswith("http://") and not is_local(url):
            yield Finding(
                "plain_http",
                "error",
                _("%(host)s is reached without encryption.") % {"host": urlsplit(url).hostname or url},
                _("Write https://: the secret and the tokens would be readable on the way."),
                field,
            )
    ours, theirs = site_of(config.authorization_url), site_of(config.token_url)
    if ours and theirs and ours != theirs and not is_known_pair(config):
        yield Finding(
            "hosts_differ",
            "warn",
            _("The person signs in at %(one)s, and the secret goes to %(other)s.") % {"one": ours, "other": theirs},
            _("Check that both belong to the same service."),
            "token_url",
        )


def client_id(subject: Subject) -> Iterator[Finding]:
    written = subject.config.client_id
    if subject.is_google and written and not written.endswith(".apps.googleusercontent.com"):
        yield Finding(
            "client_id_unlike",
            "warn",
            _("A Client ID of Google ends in .apps.googleusercontent.com."),
            _("Copy it whole. “Secret ID” and project numbers are something else."),
            "client_id",
        )


def testing_mode(subject: Subject) -> Iterator[Finding]:
    if subject.is_google:
        yield Finding(
            "testing_mode",
            "warn",
            _("Testing mode at Google"),
            _("As long as the application is not published, the access ends after 7 days. Publish it under Audience."),
            "",
        )


CODE_RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    redirect,
    scopes,
    refresh_token,
    protection,
    encoding,
    parameters,
    secrets,
    client_id,
    api_requests,
    transport,
    testing_mode,
)
CLIENT_RULES = (api_requests, transport)
