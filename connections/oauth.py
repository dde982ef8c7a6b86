"""The authorization code flow: begin it, and finish it once, in the browser that began it.

The redirect URI is one value per connection, used verbatim in both requests. `state` and PKCE are ours, whether or not
the templates think of them.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import ApiToken, User
from connections import account, conversation, events, flows, refresh, tokens
from connections.answers import Answer, TokenRefused
from connections.config import OAuthConfig
from connections.conversation import TokenRequest
from connections.flows import BadState as BadState
from connections.hosts import require_own, written_host
from connections.masking import mask_error, mask_text
from connections.models import AuthorizationFlow, Connection
from connections.redirect import redirect_uri
from connections.rendering import (
    Names,
    host_of,
    one_time_state,
    place_of,
    render_address,
    render_pairs,
    render_text_pairs,
)
from connections.tokens import Tokens
from lib.egress.urls import Origin, parse
from lib.errors import InvalidInput, Json, UserError, describe, gettext_noop

KEPT_OF_CALLBACK = 2000  # characters of a parameter
PERSON_REFUSED = frozenset(
    {"access_denied", "user_denied", "consent_required", "interaction_required", "login_required"}
)
NEEDED = gettext_noop("Fill this in first.")


@dataclass(frozen=True)
class Begun:
    """Where to send the person; None where no person is needed. `nonce` goes into the browser's cookie."""

    url: str | None
    nonce: str | None = None


def begin(
    connection: Connection,
    *,
    user: User | None,
    token: ApiToken | None = None,
    browser: str | None = None,
    in_browser: bool,
) -> Begun:
    """Begin an authorization; with client credentials, get the token at once.

    `in_browser`: begun in the cabinet, to be finished in the same browser; `browser` is the nonce that it has.
    `token`: of the API, where it was begun by one. Nobody (`user` is None) is the operator, at the command line.
    Raises UserError authorization_unsupported, InvalidInput for fields without which it cannot begin, token_refused.
    """
    config = tokens.config(connection)
    if not isinstance(config, OAuthConfig):
        raise UserError("authorization_unsupported")
    require_filled(connection, config)
    if config.is_for_client:
        refresh.renewed_by_hand(connection)
        return Begun(None)
    state, verifier = one_time_state(), secrets.token_urlsafe(48)
    nonce = (browser or secrets.token_urlsafe(24)) if in_browser else None
    url = authorization_url(connection, config, state=state, verifier=verifier)
    flows.start(connection, config, state=state, verifier=verifier, browser=nonce, user=user, token=token)
    return Begun(url, nonce)


def require_filled(connection: Connection, config: OAuthConfig) -> None:
    needed = ["client_id", "token_url"] + ([] if config.is_for_client else ["authorization_url"])
    if missing := [name for name in needed if not getattr(config, name)]:
        raise InvalidInput({name: [NEEDED] for name in missing})


def authorization_url(connection: Connection, config: OAuthConfig, *, state: str, verifier: str) -> str:
    """The address that the person is sent to, with what the template leaves out. Raises InvalidInput for no address."""
    names = {
        "client_id": config.client_id,
        "redirect_uri": redirect_uri(connection),
        "scope": config.scope,
        "state": state,
        "code_challenge": challenge_of(verifier),
    }
    url = render_address(config.authorization_url, names)
    return completed(url, web_origin(config.authorization_url, url), names, with_pkce=config.use_pkce)


def web_origin(template: str, url: str) -> Origin:
    """Where a browser may be sent: never a `javascript:` that an expression made, nor another host than is written."""
    try:
        origin = parse(url).origin
    except UserError as error:
        raise InvalidInput({"authorization_url": [str(describe(error.as_json(), _)["text"])]}) from None
    if (host := written_host(template)) and host != place_of(origin):
        raise InvalidInput({"authorization_url": [_("The expressions in it change the host of the address.")]})
    return origin


def completed(url: str, origin: Origin, names: Mapping[str, str], *, with_pkce: bool) -> str:
    """A bare address gets the standard's parameters; every one gets our `state`, and PKCE where it is wanted."""
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair]
    present = {name_of(pair) for pair in pairs}
    added: dict[str, str] = {}
    if not pairs:
        added = {"response_type": "code", "client_id": names["client_id"], "redirect_uri": names["redirect_uri"]}
        added |= {"scope": names["scope"]} if names["scope"] else {}
    if names["state"] not in [value for name, value in parse_qsl(parts.query) if name == "state"]:
        # A fixed or random state of the template's own would match nothing in our books.
        pairs = [pair for pair in pairs if name_of(pair) != "state"]
        added["state"] = names["state"]
    if with_pkce and "code_challenge" not in present:
        added |= {"code_challenge": names["code_challenge"], "code_challenge_method": "S256"}
    elif "code_challenge" in present and "code_challenge_method" not in present:
        added["code_challenge_method"] = "S256"
    pairs += [f"{name}={quote(value, safe='')}" for name, value in added.items()]
    return urlunsplit((origin.scheme, origin.netloc, parts.path, "&".join(pairs), ""))


def name_of(pair: str) -> str:
    return pair.partition("=")[0]


def challenge_of(verifier: str) -> str:
    """RFC 7636, 4.2: S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def finish(
    connection: Connection, callback: Mapping[str, str], *, user: User | None, browser: str | None
) -> Connection:
    """Finish an authorization with what the service sent the browser back with.

    Raises BadState; UserError authorization_refused (the person said no, nothing changed), authorization_failed,
    token_refused and what the egress raises, noted at the connection already.
    """
    state = callback.get("state", "")
    flow = flows.matching_flow(connection, state, user=user, browser=browser)
    # Used up before anything is done with it: of two callbacks with one state, one gets nothing.
    if not AuthorizationFlow.objects.filter(pk=flow.pk, used_at=None).update(used_at=timezone.now(), verifier=None):
        raise BadState
    config = tokens.oauth_config(connection)
    flows.require_still_allowed(flow, connection)
    check_issuer(config, callback)
    verifier = flows.opened_verifier(connection, flow, state)
    code = callback.get("code") or callback.get("auth_code") or ""
    hidden = tokens.hidden_of(connection) | {state, verifier, code}
    if refusal := callback.get("error"):
        raise refused(connection, refusal, callback.get("error_description", ""), hidden)
    if not code:
        raise refused(connection, "no_code", "", hidden)
    given = {"code": code, "state": state, "code_verifier": verifier, "redirect_uri": flow.redirect_uri}
    try:
        return exchanged(connection, config, flow, given=given, callback=kept(callback), hidden=hidden)
    except BadState:
        tokens.forget_answers(connection, of_exchanges=True)
        raise
    except UserError as error:
        note_failure(connection, error, hidden)
        raise


def check_issuer(config: OAuthConfig, callback: Mapping[str, str]) -> None:
    """RFC 9207: an answer of another authorization server is not ours. Only where we know who should answer."""
    issuer = callback.get("iss")
    is_known = config.issuer and host_of(config.issuer) == host_of(config.authorization_url.partition("?")[0])
    if issuer and is_known and issuer.rstrip("/") != config.issuer.rstrip("/"):
        raise BadState


def refused(connection: Connection, error: str, description: str, hidden: frozenset[str]) -> UserError:
    if error in PERSON_REFUSED:
        return UserError("authorization_refused")
    # Masked before it is cut: a secret must not survive in halves at the edge.
    params = {"error": mask_text(error, hidden)[:100], "description": mask_text(description, hidden)[:300]}
    failure = UserError("authorization_failed", params=params)
    note_failure(connection, failure, hidden)
    return failure


def note_failure(connection: Connection, error: UserError, hidden: frozenset[str]) -> None:
    """The settings are wrong, unless a service was only out of reach for a connection that works."""
    mask_error(error, hidden)
    works = connection.status == "connected" and refresh.may_pass(error)
    Connection.objects.filter(pk=connection.pk).update(
        status="connected" if works else "misconfigured", error=error.as_json()
    )
    if isinstance(error, TokenRefused):
        tokens.forget_answers(connection, of_exchanges=True)


def exchanged(
    connection: Connection,
    config: OAuthConfig,
    flow: AuthorizationFlow,
    *,
    given: Mapping[str, str],
    callback: dict[str, Json],
    hidden: frozenset[str],
) -> Connection:
    names = tokens.names_of(connection, config, tokens.secrets_of(connection), Tokens(callback=callback)) | dict(given)
    request = replace(code_request(connection, config, names), secrets=hidden)
    version = connection.token_version
    answer = conversation.fetch(
        request,
        keep=lambda status, body: tokens.keep_answer(connection, status, body, version=tokens.of_exchange(version)),
    )
    current = adopted(connection, flow, answer, callback)
    account.learn(current)
    return current


def code_request(connection: Connection, config: OAuthConfig, names: Names) -> TokenRequest:
    url = render_address(config.token_url, names)
    require_own(connection, config, config.token_url, url)
    params = render_pairs(config.token_params, names)
    if config.use_pkce and "code_verifier" not in params:
        params["code_verifier"] = names["code_verifier"]
    return TokenRequest(
        url=url,
        method=config.token_method,
        format=config.token_format,
        params=params,
        headers=render_text_pairs(config.token_headers, names),
        paths=config.token_response,
        pool=str(connection.workspace_id),
    )


def adopted(connection: Connection, flow: AuthorizationFlow, answer: Answer, callback: dict[str, Json]) -> Connection:
    """Take over what an authorization gave: it wins over a refresh that is under way.

    Raises BadState where the settings or the person's role were changed during the exchange.
    """
    with transaction.atomic():
        current = Connection.objects.select_for_update().get(pk=connection.pk)
        flows.require_settled(flow, current)
        flows.require_still_allowed(flow, current)
        old = tokens.tokens_of(current)
        is_another = bool(current.account and answer.account and current.account != answer.account)
        # Google gives a refresh token only at the first consent: the one we have stays, if it is the same person's.
        new = replace((Tokens() if is_another else old).merged(answer), callback=callback)
        Connection.objects.filter(pk=current.pk).update(
            tokens=tokens.sealed(current, "tokens", new.as_json()),
            token_version=F("token_version") + 1,
            expires_at=answer.expires_at,
            refreshed_at=timezone.now(),
            scopes=answer.scopes if answer.scopes is not None else scopes_in(tokens.oauth_config(current).scope),
            account=answer.account or current.account,
            status="connected",
            error=None,
            refresh_owner="",
            refresh_lease_until=None,
            refresh_failures=0,
            refresh_not_before=None,
        )
        tokens.forget_answers(current)
    current.refresh_from_db()
    events.tell_authorized(current)
    return current


def scopes_in(text: str) -> list[str]:
    return text.replace(",", " ").split()


def kept(callback: Mapping[str, str]) -> dict[str, Json]:
    """The callback's other parameters: some services name the account's host only there."""
    return {name: value[:KEPT_OF_CALLBACK] for name, value in callback.items() if name not in {"code", "state"}}
