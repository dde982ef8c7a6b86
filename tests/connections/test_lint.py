"""What is wrong with a form is explained before the first click; what is right is said too."""

from dataclasses import replace
from typing import Any

import pytest

from connections import address, presets
from connections.config import OAuthConfig
from connections.lint import lint

OURS = "https://app.example/connections/AbC/callback/"
GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth"
SEED = OAuthConfig(
    client_id="628194730251.apps.googleusercontent.com",
    authorization_url=(
        "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline&response_type=code"
        "&client_id={{ client_id }}&nonce={{ random() }}&redirect_uri=https://cabinet.apinita.ru/connections/17"
        "&scope=https://www.googleapis.com/auth/spreadsheets"
    ),
    token_url="https://oauth2.googleapis.com/token",
    token_params={
        "grant_type": "authorization_code",
        "client_id": "{{ client_id }}",
        "client_secret": "{{ client_secret }}",
        "redirect_uri": "https://apinita.ru/connections/17",
        "code": "{{ code }}",
    },
    refresh_url="https://oauth2.googleapis.com/token",
)


def codes(config: OAuthConfig, preset: str = "google_calendar") -> dict[str, str]:
    return {finding.code: finding.level for finding in lint(config, redirect_uri=OURS, preset=preset)}


def google(**changes: Any) -> OAuthConfig:
    preset = presets.find("google_calendar")
    assert preset is not None
    return replace(preset.oauth(), **changes)


def test_the_widespread_instruction_is_explained() -> None:
    found = codes(SEED)
    assert found["scope_of_another_service"] == "error"
    assert found["redirect_mismatch"] == "error"
    assert found["no_forced_consent"] == "warn"
    assert found["nonce_useless"] == "warn"
    assert found["not_encoded"] == "warn"
    assert found["testing_mode"] == "warn"
    assert found["protected"] == "ok"
    texts = [f"{one.text} {one.hint}" for one in lint(SEED, redirect_uri=OURS, preset="google_calendar")]
    assert any("spreadsheets" in text and "Google Sheets" in text for text in texts)
    assert sum("cabinet.apinita.ru" in text for text in texts) == 1
    assert sum("https://apinita.ru/" in text for text in texts) == 1


def test_the_google_preset_is_right() -> None:
    assert {code for code, level in codes(google()).items() if level != "ok"} == {"testing_mode"}
    assert set(codes(google())) == {
        "redirect_matches", "scope_fits", "refresh_token_comes", "protected", "testing_mode",
    }  # fmt: skip


@pytest.mark.parametrize("preset", [one.key for one in presets.KNOWN])
def test_no_preset_has_an_error(preset: str) -> None:
    known = presets.find(preset)
    assert known is not None
    assert "error" not in codes(known.oauth(), preset).values()


def test_taking_the_pasted_address_apart_makes_it_right() -> None:
    changes = address.tidied(replace(SEED, client_id=""))
    assert changes["scope"] == "https://www.googleapis.com/auth/spreadsheets"
    assert changes["token_params"]["redirect_uri"] == "{{ redirect_uri }}"
    right = replace(SEED, **changes)
    assert right.authorization_url == (
        "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&access_type=offline&prompt=consent"
        "&client_id={{ client_id }}&redirect_uri={{ redirect_uri }}&scope={{ scope }}&state={{ state }}"
    )
    left = {code for code, level in codes(right).items() if level != "ok"}
    assert left == {"scope_of_another_service", "testing_mode"}  # what to ask for, the person decides
    assert not address.tidied(right)


def test_a_pasted_client_id_goes_into_its_field() -> None:
    pasted = OAuthConfig(authorization_url="https://a.example/auth?client_id=abc%20d&response_type=code&scope=x+y")
    changes = address.tidied(pasted)
    assert (changes["client_id"], changes["scope"]) == ("abc d", "x y")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"authorization_url": f"{GOOGLE}?response_type=code&scope={{{{ scope }}}}"}, "no_offline_access"),
        ({"authorization_url": "https://a.example/a?client_secret={{ client_secret }}"}, "secret_in_address"),
        ({"authorization_url": "https://a.example/auth?client_id=1&state=abc"}, "state_replaced"),
        ({"token_url": "http://oauth2.example.com/token"}, "plain_http"),
        ({"token_url": "https://tokens.elsewhere.example/token"}, "hosts_differ"),
        ({"token_params": {"grant_type": "authorization_code"}}, "code_not_sent"),
        ({"request_headers": {}}, "token_not_sent"),
        ({"refresh_params": {"grant_type": "refresh_token"}}, "refresh_without_token"),
        ({"client_id": "12345"}, "client_id_unlike"),
        ({"scope": ""}, "scope_missing"),
    ],
)  # fmt: skip
def test_each_slip_has_its_word(change: dict[str, Any], code: str) -> None:
    assert codes(google(**change))[code] in ("warn", "error")


def test_a_broken_expression_does_not_break_the_checks() -> None:
    assert codes(google(authorization_url="https://a.example/?x={{ client_id", token_params={"code": "{{ code"}))
