"""An authorization server as odd as real ones: each habit is a switch that a test turns.

It hands out codes and tokens with characters that must be encoded, compares `redirect_uri` byte by byte, takes a code
once, and (where told) rotates refresh tokens and burns the whole grant when a used one comes again (RFC 9700, 4.14.2).
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.acceptance.http_server import Reply, Seen, Server, reply

CLIENT_ID = "клиент+1@example/№7"
CLIENT_SECRET = "s3cr:t/+=&%тайна"


@dataclass
class Grant:
    access: set[str] = field(default_factory=set)
    refresh: str | None = None
    used_refresh: set[str] = field(default_factory=set)
    revoked: bool = False
    scope: str = ""


@dataclass
class Code:
    redirect_uri: str
    challenge: str | None
    method: str | None
    scope: str
    used: bool = False


class OddOAuth(Server):
    def __init__(self) -> None:
        super().__init__()
        self.redirect_uri = ""  # what is registered; set by the test
        self.client_auth = "body"  # body | basic | query
        self.token_format = "form"  # form | json | query
        self.require_pkce = False
        self.rotate = False
        self.give_refresh = True
        self.lifetime: Any = 3600
        self.expired_status = 401
        self.refusal: str | None = None  # the person presses «No»
        self.slow_refresh_s = 0.0
        self.shape = lambda tokens: reply(tokens)
        self.token_faults: list[Reply] = []  # answered by the token endpoint before anything else
        self.codes: dict[str, Code] = {}
        self.grants: list[Grant] = []
        self.revocations: list[dict[str, str]] = []
        self.refreshes = 0
        self.reuses = 0
        self.complaints: list[str] = []
        self.resource_lock = threading.Lock()

    # What the test turns

    def expire_access(self) -> None:
        with self.lock:
            for grant in self.grants:
                grant.access.clear()

    def revoke_everything(self) -> None:
        with self.lock:
            for grant in self.grants:
                grant.access.clear()
                grant.revoked = True

    def token_requests(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path in {"/o/token", "/o/refresh"}]

    # What the product talks to

    def answer(self, seen: Seen) -> Reply:
        routes = {"/o/authorize": self.authorize, "/o/token": self.token, "/o/refresh": self.token}
        routes["/o/revoke"] = self.revoke
        if seen.path in routes:
            return routes[seen.path](seen)
        return self.resource(seen)

    def authorize(self, seen: Seen) -> Reply:
        asked = seen.query
        if asked.get("client_id") != CLIENT_ID:
            return reply({"error": "invalid_client", "got": asked.get("client_id")}, 400)
        if asked.get("redirect_uri") != self.redirect_uri:
            return reply({"error": "redirect_uri_mismatch", "got": asked.get("redirect_uri")}, 400)
        if asked.get("response_type") != "code":
            return reply({"error": "unsupported_response_type"}, 400)
        if self.require_pkce and (asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge")):
            return reply({"error": "invalid_request", "error_description": "PKCE is required"}, 400)
        state = {"state": asked["state"]} if "state" in asked else {}
        if self.refusal:
            return Reply(302, b"", {"Location": f"{self.redirect_uri}?{urlencode({'error': self.refusal} | state)}"})
        code = f"4/0A{secrets.token_urlsafe(12)}+x=/&й"
        challenge, method = asked.get("code_challenge"), asked.get("code_challenge_method")
        with self.lock:
            self.codes[code] = Code(self.redirect_uri, challenge, method, asked.get("scope", ""))
        answer = urlencode({"code": code, "scope": asked.get("scope", "")} | state)
        return Reply(302, b"", {"Location": f"{self.redirect_uri}?{answer}"})

    def token(self, seen: Seen) -> Reply:
        with self.lock:
            if self.token_faults:
                return self.token_faults.pop(0)
        try:
            fields = self.fields_of(seen)
        except (ValueError, UnicodeDecodeError) as problem:
            return self.refuse("invalid_request", f"unreadable: {problem}")
        if not self.client_is_right(seen, fields):
            return self.refuse("invalid_client", "client authentication failed", status=401)
        kind = fields.get("grant_type")
        if kind == "authorization_code":
            return self.exchange(fields)
        if kind == "refresh_token":
            return self.refresh(fields)
        if kind == "client_credentials":
            return self.shape(self.issue(Grant(scope=fields.get("scope", "")), refresh=False))
        return self.refuse("unsupported_grant_type", str(kind))

    def fields_of(self, seen: Seen) -> dict[str, str]:
        if self.token_format == "query":
            if seen.method != "GET":
                raise ValueError(f"GET expected, not {seen.method}")
            return seen.query
        if seen.method != "POST":
            raise ValueError(f"POST expected, not {seen.method}")
        kind = seen.headers.get("content-type", "").split(";")[0]
        if self.token_format == "json":
            if kind != "application/json":
                raise ValueError(f"JSON expected, not {kind}")
            return dict(json.loads(seen.body))
        if kind != "application/x-www-form-urlencoded":
            raise ValueError(f"a form expected, not {kind}")
        return seen.form

    def client_is_right(self, seen: Seen, fields: dict[str, str]) -> bool:
        if self.client_auth == "basic":
            expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            return seen.headers.get("authorization") == f"Basic {expected}" and "client_secret" not in fields
        return fields.get("client_id") == CLIENT_ID and fields.get("client_secret") == CLIENT_SECRET

    def exchange(self, fields: dict[str, str]) -> Reply:
        with self.lock:
            code = self.codes.get(fields.get("code", ""))
            if code is None or code.used:
                return self.refuse("invalid_grant", "the code is unknown or used")
            code.used = True
        if fields.get("redirect_uri") != code.redirect_uri:
            return self.refuse("redirect_uri_mismatch", f"got {fields.get('redirect_uri')}")
        if code.challenge:
            digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
                return self.refuse("invalid_grant", "the code verifier does not match")
        grant = Grant(scope=code.scope)
        return self.shape(self.issue(grant, refresh=self.give_refresh))

    def refresh(self, fields: dict[str, str]) -> Reply:
        given = fields.get("refresh_token", "")
        if self.slow_refresh_s:
            time.sleep(self.slow_refresh_s)  # so that the others have time to come too
        with self.lock:
            for grant in self.grants:
                if given and given in grant.used_refresh:
                    self.reuses += 1
                    grant.revoked = True
                    grant.access.clear()
                    return self.refuse("invalid_grant", "the refresh token was used before: everything is revoked")
                if given and given == grant.refresh and not grant.revoked:
                    self.refreshes += 1
                    if self.rotate:
                        grant.used_refresh.add(given)
                    return self.shape(self.issue(grant, refresh=self.rotate))
        return self.refuse("invalid_grant", "Token has been expired or revoked.")

    def issue(self, grant: Grant, *, refresh: bool) -> dict[str, Any]:
        access = f"acc.{secrets.token_urlsafe(12)}/+=~"
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "scope": grant.scope}
        with self.lock:
            grant.access.add(access)
            if grant not in self.grants:
                self.grants.append(grant)
            if refresh:
                grant.refresh = answer["refresh_token"] = f"1//{secrets.token_urlsafe(12)}+/="
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        return answer

    def refuse(self, error: str, description: str, status: int = 400) -> Reply:
        self.complaints.append(f"{error}: {description}")
        return reply({"error": error, "error_description": description}, status)

    def revoke(self, seen: Seen) -> Reply:
        fields = seen.form or seen.query
        with self.lock:
            self.revocations.append(fields)
        return reply({})

    # A protected resource

    def knows(self, authorization: str) -> bool:
        kind, _, token = authorization.partition(" ")
        with self.lock:
            return kind == "Bearer" and any(token in grant.access for grant in self.grants if not grant.revoked)

    def resource(self, seen: Seen) -> Reply:
        if not self.knows(seen.headers.get("authorization", "")):
            return reply({"error": "the token has expired"}, self.expired_status)
        return reply({"ok": True, "path": seen.path, "query": seen.query})
