"""What the holder of a token may ask: to end it, and whom it acts for. RFC 7009, OpenID Connect Core §5.3."""

from sandbox.messages import FORM, Request, Response, json_response, method_not_allowed
from sandbox.oauth import grants
from sandbox.store import Store


def revoke(store: Store, request: Request) -> Response:
    """An access or a refresh token ends the whole grant: https://developers.google.com/identity/protocols/oauth2."""
    if request.method != "POST":
        return method_not_allowed("POST")
    form = request.form() if request.content_type == FORM else {}
    value = form.get("token") or request.query.get("token")
    if not isinstance(value, str):
        return json_response(
            400, {"error": "invalid_request", "error_description": "Missing required parameter: token"}
        )
    found = grants.live_access_token(store, value) or store.refresh_tokens.get(value)
    if found is None:
        return json_response(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})
    grants.revoke_grant(store, client_id=found.client_id, email=found.email)
    return json_response(200, {})


def userinfo(store: Store, request: Request) -> Response:
    """Who the token acts for. More generous than Google, which tells the address only to the `email` scope."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    found = grants.live_access_token(store, value) if scheme.lower() == "bearer" else None
    if found is None:
        body = {"error": "invalid_request", "error_description": "Invalid Credentials"}
        return json_response(401, body, [("WWW-Authenticate", 'Bearer realm="sandbox", error="invalid_token"')])
    account = store.account(found.email)
    return json_response(200, {"sub": account.sub, "email": account.email, "name": account.name})
