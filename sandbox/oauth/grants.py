"""Codes and tokens: made, looked up, exchanged, revoked. Callers hold the store's lock."""

import secrets
from dataclasses import replace

from sandbox.oauth.scopes import unite
from sandbox.store import AccessToken, Code, Consent, RefreshToken, Store

MAX_REFRESH_TOKENS = 100  # per client and account; the oldest goes silently, as Google's does
PURGE_EVERY = 1000


def issue_code(
    store: Store,
    *,
    client_id: str,
    redirect_uri: str,
    email: str,
    scope: str,
    challenge: str = "",
    challenge_method: str = "",
    gives_refresh_token: bool = False,
) -> Code:
    """Google's codes hold a slash, which is why they must be encoded again on their way back."""
    code = Code(
        code=f"4/0A{secrets.token_urlsafe(48)}",
        client_id=client_id,
        redirect_uri=redirect_uri,
        email=email,
        scope=scope,
        challenge=challenge,
        challenge_method=challenge_method,
        gives_refresh_token=gives_refresh_token,
        expires_at=store.clock() + store.settings.code_lifetime,
        family=secrets.token_hex(8),
    )
    return store.codes.put(code.code, code)


def issue_access_token(store: Store, *, client_id: str, email: str, scope: str, family: str) -> AccessToken:
    if len(store.access_tokens) >= PURGE_EVERY:
        purge(store)
    token = AccessToken(
        token=f"ya29.a0{secrets.token_urlsafe(80)}",
        client_id=client_id,
        email=email,
        scope=scope,
        expires_at=store.clock() + store.settings.token_lifetime,
        family=family,
    )
    return store.access_tokens.put(token.token, token)


def issue_refresh_token(store: Store, *, client_id: str, email: str, scope: str, family: str) -> RefreshToken:
    live = [
        token
        for token in store.refresh_tokens.rows()
        if (token.client_id, token.email, token.spent) == (client_id, email, False)
    ]
    if len(live) >= MAX_REFRESH_TOKENS:
        store.refresh_tokens.remove(live[0].token)
    token = RefreshToken(f"1//0{secrets.token_urlsafe(60)}", client_id, email, scope, family)
    return store.refresh_tokens.put(token.token, token)


def spend_code(store: Store, code: Code) -> None:
    store.codes.put(code.code, replace(code, spent=True))


def spend_refresh_token(store: Store, token: RefreshToken) -> None:
    store.refresh_tokens.put(token.token, replace(token, spent=True))


def live_access_token(store: Store, token: str) -> AccessToken | None:
    found = store.access_tokens.get(token)
    return found if found is not None and found.expires_at > store.clock() else None


def remember_consent(store: Store, *, client_id: str, email: str, scope: str) -> None:
    key = f"{client_id} {email}"
    before = store.consents.get(key)
    store.consents.put(key, Consent(client_id, email, unite(before.scope if before else "", scope)))


def consented_scope(store: Store, *, client_id: str, email: str) -> str:
    consent = store.consents.get(f"{client_id} {email}")
    return consent.scope if consent else ""


def revoke_family(store: Store, family: str) -> None:
    """End all tokens that come from one authorization: its code or a rotated token was used twice."""
    for access in store.access_tokens.rows():
        if access.family == family:
            store.access_tokens.remove(access.token)
    for refresh in store.refresh_tokens.rows():
        if refresh.family == family:
            store.refresh_tokens.remove(refresh.token)


def revoke_grant(store: Store, *, client_id: str, email: str) -> None:
    """End all that a person has given a client, the memory of the consent included."""
    for access in store.access_tokens.rows():
        if (access.client_id, access.email) == (client_id, email):
            store.access_tokens.remove(access.token)
    for refresh in store.refresh_tokens.rows():
        if (refresh.client_id, refresh.email) == (client_id, email):
            store.refresh_tokens.remove(refresh.token)
    store.consents.remove(f"{client_id} {email}")


def revoke_all(store: Store) -> None:
    store.access_tokens.clear()
    store.refresh_tokens.clear()
    store.consents.clear()


def expire_access_tokens(store: Store) -> None:
    """Let every access token be too old from this moment; refresh tokens live on."""
    now = store.clock()
    for token in store.access_tokens.rows():
        if token.expires_at > now:
            store.access_tokens.put(token.token, replace(token, expires_at=now))


def purge(store: Store) -> None:
    """Drop what is long past use, so that a sandbox that runs for months stays small."""
    now = store.clock()
    for access in store.access_tokens.rows():
        if access.expires_at <= now:
            store.access_tokens.remove(access.token)
    for code in store.codes.rows():
        if code.expires_at <= now:
            store.codes.remove(code.code)
