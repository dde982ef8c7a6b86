"""Token answers in all their shapes, and what they mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connections import answers
from connections.answers import TokenRefused
from lib.errors import UserError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = NOW + timedelta(hours=1)


def parse(body: Any, *, status: int = 200, **paths: str) -> answers.Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answers.parse(status, raw, paths=paths, now=NOW, host="auth.example")


@pytest.mark.parametrize(
    ("fields", "moment"),
    [
        ({"expires_in": 3600}, HOUR),
        ({"expires_in": "3600"}, HOUR),
        ({"expires_in": 3600.0}, HOUR),
        ({"expires_at": int(HOUR.timestamp())}, HOUR),
        ({"expires_in": int(HOUR.timestamp())}, HOUR),
        ({"expires": int(HOUR.timestamp() * 1000)}, HOUR),
        ({"expires_at": "2026-11-24T13:00:00Z"}, HOUR),
        ({}, None),
        ({"expires_in": None}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_in": 0}, None),
        ({"expires_in": True}, None),
        ({"expires_in": 1e308}, None),
    ],
)
def test_the_end_of_a_token_is_understood(fields: dict[str, Any], moment: datetime | None) -> None:
    assert parse({"access_token": "a", **fields}).expires_at == moment


def test_a_form_encoded_answer_is_read() -> None:
    answer = parse(b"access_token=gho_16&scope=repo%2Cgist&token_type=bearer&expires_in=3600")
    assert (answer.access_token, answer.scopes, answer.expires_at) == ("gho_16", ["repo", "gist"], HOUR)


def test_nested_tokens_are_found_by_their_path() -> None:
    body = {"code": 0, "data": {"access_token": "a", "tokens": [{"refresh": "r"}], "ttl": 3600}}
    answer = parse(body, access_token="data.access_token", refresh_token="data.tokens.0.refresh", expires_in="data.ttl")
    assert (answer.access_token, answer.refresh_token, answer.expires_at) == ("a", "r", HOUR)


@pytest.mark.parametrize(
    ("body", "status", "reason", "final"),
    [
        ({"error": "invalid_grant", "error_description": "gone"}, 400, "invalid_grant", True),
        ({"error": "bad_verification_code"}, 200, "invalid_grant", True),
        ({"ok": False, "error": "invalid_refresh_token"}, 200, "invalid_grant", True),
        ({"hint": "Token has been revoked", "title": "x", "status": 400}, 400, "invalid_grant", True),
        ({"error": "invalid_client"}, 401, "invalid_client", False),
        ({"error": {"code": "invalid_client", "message": "m"}}, 400, "invalid_client", False),
        ({"error": "redirect_uri_mismatch"}, 400, "redirect", False),
        ({"error": "invalid_scope"}, 400, "", False),
        (b"<html>no</html>", 404, "status", False),
    ],
)
def test_a_refusal_is_told_by_its_reason(body: Any, status: int, reason: str, final: bool) -> None:
    with pytest.raises(TokenRefused) as caught:
        parse(body, status=status)
    assert (caught.value.reason, caught.value.is_final, caught.value.retry) == (reason, final, False)


@pytest.mark.parametrize(
    ("body", "status"), [(b"<html>", 200), ({}, 200), (b"", 200), ({}, 503), ([1], 200), ({}, 429)]
)
def test_what_is_no_refusal_may_pass(body: Any, status: int) -> None:
    with pytest.raises(UserError) as caught:
        parse(body, status=status)
    assert caught.value.retry


def test_the_account_is_taken_from_where_it_happens_to_stand() -> None:
    token = "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFAYi5jIn0.x"
    assert parse({"access_token": "a", "id_token": token}).account == "a@b.c"
    assert parse({"access_token": "a", "team": {"name": "T"}}, account="team.name").account == "T"
    assert parse({"access_token": "a", "id_token": "x.!.y"}).account == ""
