"""The token endpoint: a code, a refresh token or the client itself exchanged for an access token.

RFC 6749 §4 and §5; the texts are Google's.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import unquote_plus

from sandbox.messages import FORM, Json, Request, Response, Unreadable, json_response, method_not_allowed
from sandbox.oauth import grants
from sandbox.oauth.scopes import unite, unknown
from sandbox.store import AccessToken, Client, Code, RefreshToken, Store

NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
EXPIRED = "Token has been expired or revoked."


class Refused(Exception):
    """An error of RFC 6749 §5.2."""

    def __init__(self, code: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


def token(store: Store, request: Request) -> Response:
    if request.method != "POST":
        return method_not_allowed("POST")
    try:
        given = read(store, request)
        answer = exchange(store, given, request.headers.get("authorization", ""))
    except Refused as refused:
        headers = list(NO_STORE)
        if refused.status == 401 and "authorization" in request.headers:
            headers.append(("WWW-Authenticate", 'Basic realm="sandbox"'))
        body = {"error": refused.code, "error_description": refused.description}
        return json_response(refused.status, body, headers)
    return json_response(200, answer, NO_STORE)


def exchange(store: Store, given: Mapping[str, str], authorization: str) -> Json:
    grant_type = need(given, "grant_type", "Required parameter is missing: grant_type")
    by_grant = {
        "authorization_code": by_code,
        "refresh_token": by_refresh_token,
        "client_credentials": by_client,
    }
    if grant_type not in by_grant:
        raise Refused("unsupported_grant_type", f"Invalid grant_type: {grant_type}")
    return by_grant[grant_type](store, authenticate(store, given, authorization), given)


def by_code(store: Store, client: Client, given: Mapping[str, str]) -> Json:
    code = store.codes.get(need(given, "code", "Missing required parameter: code"))
    redirect_uri = need(given, "redirect_uri", "Missing required parameter: redirect_uri")
    if code is None:
        raise Refused("invalid_grant", "Malformed auth code.")
    if code.spent:
        grants.revoke_family(store, code.family)
        raise Refused("invalid_grant", "Bad Request")
    if code.client_id != client.id or code.expires_at <= store.clock():
        raise Refused("invalid_grant", "Bad Request")
    if code.redirect_uri != redirect_uri:
        raise Refused("redirect_uri_mismatch", "Bad Request")
    check_verifier(code, given.get("code_verifier"))
    grants.spend_code(store, code)
    refresh = None
    if code.gives_refresh_token:
        refresh = grants.issue_refresh_token(
            store, client_id=client.id, email=code.email, scope=code.scope, family=code.family
        )
    access = grants.issue_access_token(
        store, client_id=client.id, email=code.email, scope=code.scope, family=code.family
    )
    return answer_with(store, access, refresh)


def by_refresh_token(store: Store, client: Client, given: Mapping[str, str]) -> Json:
    found = store.refresh_tokens.get(need(given, "refresh_token", "Missing required parameter: refresh_token"))
    if found is None or found.client_id != client.id:
        raise Refused("invalid_grant", EXPIRED)
    if found.spent:  # somebody holds a copy: nobody knows who the thief is, so all tokens of the family end
        grants.revoke_family(store, found.family)
        raise Refused("invalid_grant", EXPIRED)
    scope = unite(given.get("scope", "")) or found.scope
    if not set(scope.split()) <= set(found.scope.split()):
        raise Refused("invalid_scope", "Some requested scopes were not granted.")
    refresh = None
    if store.settings.rotation:
        grants.spend_refresh_token(store, found)
        refresh = grants.issue_refresh_token(
            store, client_id=client.id, email=found.email, scope=found.scope, family=found.family
        )
    access = grants.issue_access_token(store, client_id=client.id, email=found.email, scope=scope, family=found.family)
    return answer_with(store, access, refresh)


def by_client(store: Store, client: Client, given: Mapping[str, str]) -> Json:
    """RFC 6749 §4.4; the token acts for the signed-in account. Google itself has no such grant for calendars."""
    scope = unite(given.get("scope", ""))
    if strange := unknown(store, scope):
        raise Refused("invalid_scope", f"Some requested scopes were invalid. {{invalid=[{', '.join(strange)}]}}")
    access = grants.issue_access_token(
        store, client_id=client.id, email=store.settings.email, scope=scope, family=f"client {client.id}"
    )
    return answer_with(store, access, None)


def answer_with(store: Store, access: AccessToken, refresh: RefreshToken | None) -> Json:
    answer = {"access_token": access.token, "expires_in": store.settings.token_lifetime}
    if refresh is not None:
        answer["refresh_token"] = refresh.token
    return answer | {"scope": access.scope, "token_type": "Bearer"}


def check_verifier(code: Code, verifier: str | None) -> None:
    """RFC 7636 §4.6."""
    if not code.challenge:
        if verifier is not None:
            raise Refused("invalid_grant", "code_verifier or verifier is not needed.")
        return
    if verifier is None:
        raise Refused("invalid_grant", "Missing code verifier.")
    computed = verifier
    if code.challenge_method == "S256":
        digest = sha256(verifier.encode()).digest()
        computed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not same(computed, code.challenge):
        raise Refused("invalid_grant", "Invalid code verifier.")


def authenticate(store: Store, given: Mapping[str, str], authorization: str) -> Client:
    """By the body or by Basic, RFC 6749 §2.3.1; both at once only where they agree."""
    client_id, secret = given.get("client_id"), given.get("client_secret")
    if authorization:
        basic_id, basic_secret = read_basic(authorization)
        if client_id not in (None, basic_id) or secret not in (None, basic_secret):
            raise Refused("invalid_request", "The client is named twice, and differently.")
        client_id, secret = basic_id, basic_secret
    if not client_id:
        raise Refused("invalid_request", "Could not determine client ID from request.")
    client = store.clients.get(client_id)
    if client is None:
        raise Refused("invalid_client", "The OAuth client was not found.", status=401)
    if not secret:
        raise Refused("invalid_request", "client_secret is missing.")
    if not same(secret, client.secret):
        raise Refused("invalid_client", "The provided client secret is invalid.", status=401)
    return client


def read_basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as broken:
        raise Refused("invalid_client", "The Authorization header is malformed.", status=401) from broken
    if scheme.lower() != "basic" or ":" not in pair:
        raise Refused("invalid_client", "The Authorization header is malformed.", status=401)
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def read(store: Store, request: Request) -> dict[str, str]:
    """The form's members; repeated ones are refused, RFC 6749 §3.2."""
    try:
        if request.content_type == "application/json" and store.settings.accept_json:
            members = request.json()
            return {name: str(value) for name, value in members.items()} if isinstance(members, dict) else {}
        if request.content_type != FORM:
            raise Refused(
                "invalid_request", f"Unsupported content type: {request.content_type or 'none'}; send {FORM}."
            )
        pairs = request.form_pairs()
    except Unreadable as unreadable:
        raise Refused("invalid_request", "Bad Request") from unreadable
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Refused("invalid_request", "OAuth 2 parameters can only have a single value.")
    return given


def need(given: Mapping[str, str], name: str, complaint: str) -> str:
    value = given.get(name)
    if not value:
        raise Refused("invalid_request", complaint)
    return value


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
