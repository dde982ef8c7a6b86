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
