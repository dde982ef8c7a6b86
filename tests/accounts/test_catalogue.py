"""GET errors/: every code in words; and nobody keeps what a token was shown."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


def test_every_code_has_words_of_its_own_or_of_its_reasons(api: Callable[..., APIClient]) -> None:
    rows = api("viewer").get("/api/v1/errors/").json()["results"]
    assert {"in_use", "invalid_input", "upstream_status", "unknown_outcome"} <= {row["code"] for row in rows}
    assert [row["code"] for row in rows if not row["text"] and not row["reasons"]] == []
    assert next(row["text"] for row in rows if row["code"] == "in_use")


def test_what_a_token_is_shown_is_not_kept_by_caches(api: Callable[..., APIClient]) -> None:
    assert api("viewer").get("/api/v1/me/").headers["Cache-Control"] == "no-store"


def test_a_code_comes_with_what_may_be_pressed(api: Callable[..., APIClient]) -> None:
    answer = api("viewer").get("/api/v1/errors/", headers={"Accept-Language": "ru"})
    row = next(row for row in answer.json()["results"] if row["code"] == "unknown_outcome")
    assert (row["button"], row["button_label"]) == ("decide", "Решить")
    reasons = next(row for row in answer.json()["results"] if row["code"] == "token_refused")["reasons"]
    assert next(one["button"] for one in reasons if one["reason"] == "invalid_grant") == "reconnect"
    assert [row["button_label"] for row in answer.json()["results"] if not row["button"]] != []
