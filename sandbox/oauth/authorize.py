"""The authorization endpoint: checks the request, asks the person, sends the browser back with a code.

https://developers.google.com/identity/protocols/oauth2/web-server, RFC 6749 §4.1, RFC 7636.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from sandbox.messages import Pairs, Request, Response, gather, method_not_allowed, redirect
from sandbox.oauth import grants
from sandbox.oauth.scopes import unite, unknown
from sandbox.pages.consent import consent_page, refusal_page
from sandbox.pages.shell import language_of
from sandbox.store import Client, Store

CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")
PROMPTS = {"none", "consent", "select_account"}
OURS = {"decision", "granted"}  # what the consent form adds to the parameters of the request


@dataclass(frozen=True)
class Asked:
    """An authorization request that is in order."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None
    offline: bool
    prompts: frozenset[str]
    include_granted: bool
    email: str
    challenge: str
    challenge_method: str


class Refused(Exception):
    """Shown to the person on our own page: where to send the browser back is not certain."""

    def __init__(self, code: str, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


def authorize(store: Store, request: Request) -> Response:
    if request.method not in ("GET", "POST"):
        return method_not_allowed("GET", "POST")
    pairs = request.query_pairs if request.method == "GET" else request.form_pairs()
    language = language_of(request.headers)
    parameters = [(name, value) for name, value in pairs if name not in OURS]
    try:
        asked = read(store, single(parameters))
    except Refused as refused:
        given = [f"{name}={value}" for name, value in parameters if name in ("redirect_uri", "client_id")]
        return refusal_page(
            language, code=refused.code, status=refused.status, detail=refused.detail, request_details=given
        )
    if request.method == "POST":
        return decide(store, asked, gather(pairs))
    return ask(store, asked, language, parameters)


def ask(store: Store, asked: Asked, language: str, parameters: Pairs) -> Response:
    """The consent page; nothing to ask when all was allowed before and the client does not insist."""
    before = grants.consented_scope(store, client_id=asked.client.id, email=asked.email)
    is_known = set(asked.scope.split()) <= set(before.split())
    if is_known and not asked.prompts - {"none"}:
        return grant(store, asked, asked.scope, first_consent=False)
    if "none" in asked.prompts:
        return go_back(asked, error="interaction_required")
    return consent_page(
        language,
        client=asked.client,
        account=store.account(asked.email),
        scopes=asked.scope.split(),
        host=urlsplit(asked.redirect_uri).netloc,
        parameters=parameters,
    )


def decide(store: Store, asked: Asked, form: Mapping[str, str | list[str]]) -> Response:
    chosen = form.get("granted", [])
    granted = [name for name in asked.scope.split() if name in ([chosen] if isinstance(chosen, str) else chosen)]
    if form.get("decision") != "allow" or not granted:
        return go_back(asked, error="access_denied")
    is_first = not grants.consented_scope(store, client_id=asked.client.id, email=asked.email)
    return grant(store, asked, " ".join(granted), first_consent=is_first)


def grant(store: Store, asked: Asked, scope: str, *, first_consent: bool) -> Response:
    if asked.include_granted:
        scope = unite(scope, grants.consented_scope(store, client_id=asked.client.id, email=asked.email))
    grants.remember_consent(store, client_id=asked.client.id, email=asked.email, scope=scope)
    code = grants.issue_code(
        store,
        client_id=asked.client.id,
        redirect_uri=asked.redirect_uri,
        email=asked.email,
        scope=scope,
        challenge=asked.challenge,
        challenge_method=asked.challenge_method,
        gives_refresh_token=asked.offline and (first_consent or "consent" in asked.prompts),
    )
    return go_back(asked, code=code.code, scope=scope)


def go_back(asked: Asked, **answer: str) -> Response:
    """To the redirect URI as it was given, its own query kept; `state` comes back untouched."""
    if asked.state is not None:
        answer = {"state": asked.state, **answer}
    joint = "&" if "?" in asked.redirect_uri else "?"
    return redirect(f"{asked.redirect_uri}{joint}{urlencode(answer, quote_via=quote, safe='')}")


def single(parameters: Pairs) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parameters:
        if name in values:
            raise Refused("invalid_request", f"OAuth 2 parameters can only have a single value: {name}")
        values[name] = value
    return values


def read(store: Store, given: Mapping[str, str]) -> Asked:
    for name in ("client_id", "redirect_uri", "response_type", "scope"):
        if not given.get(name):
            raise Refused("invalid_request", f"Missing required parameter: {name}")
    client = store.clients.get(given["client_id"])
    if client is None:
        raise Refused("invalid_client", "The OAuth client was not found.", status=401)
    check_redirect_uri(client, given["redirect_uri"])
    if given["response_type"] != "code":
        raise Refused("unsupported_response_type", f"Invalid response_type: {given['response_type']}")
    if strange := unknown(store, given["scope"]):
        raise Refused("invalid_scope", f"Some requested scopes were invalid. {{invalid=[{', '.join(strange)}]}}")
    prompts = frozenset(given.get("prompt", "").split())
    if prompts - PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise Refused("invalid_request", f"Invalid parameter value for prompt: {given['prompt']}")
    challenge, method = read_challenge(given)
    return Asked(
        client=client,
        redirect_uri=given["redirect_uri"],
        scope=unite(given["scope"]),
        state=given.get("state"),
        offline=choice(given, "access_type", "online", "offline") == "offline",
        prompts=prompts,
        include_granted=choice(given, "include_granted_scopes", "false", "true") == "true",
        email=given["login_hint"] if "@" in given.get("login_hint", "") else store.settings.email,
        challenge=challenge,
        challenge_method=method,
    )


def check_redirect_uri(client: Client, redirect_uri: str) -> None:
    """Equal to a registered one byte by byte; a client without registered ones may use any absolute http(s) URI."""
    try:
        parts = urlsplit(redirect_uri)
        is_absolute = parts.scheme in ("http", "https") and bool(parts.hostname) and "#" not in redirect_uri
    except ValueError:
        is_absolute = False
    if not is_absolute or not all(0x20 < ord(char) < 0x7F for char in redirect_uri):
        raise Refused("invalid_request", f"Invalid parameter value for redirect_uri: {redirect_uri}")
    if client.redirect_uris and redirect_uri not in client.redirect_uris:
        raise Refused("redirect_uri_mismatch", f"The redirect URI is not registered: {redirect_uri}")


def read_challenge(given: Mapping[str, str]) -> tuple[str, str]:
    """RFC 7636 §4.3; the method is `plain` where it is not named."""
    challenge, method = given.get("code_challenge"), given.get("code_challenge_method")
    if challenge is None and method is None:
        return "", ""
    if challenge is None or not CHALLENGE.fullmatch(challenge):
        raise Refused("invalid_request", "Invalid parameter value for code_challenge: 43 to 128 unreserved characters")
    if method not in (None, "S256", "plain"):
        raise Refused("invalid_request", f"Invalid parameter value for code_challenge_method: {method}")
    return challenge, method or "plain"


def choice(given: Mapping[str, str], name: str, default: str, other: str) -> str:
    value = given.get(name, default)
    if value not in (default, other):
        raise Refused("invalid_request", f"Invalid parameter value for {name}: {value}")
    return value
