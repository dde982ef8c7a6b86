"""The authorization endpoint: what the person sees, and what the browser brings back."""

import pytest
import requests

from sandbox.oauth.scopes import PREFIX
from sandbox.testing import ConsentRefused, Sandbox
from tests.sandbox.conftest import EVENTS, REDIRECT_URI, OAuth, returned

SHEETS = f"{PREFIX}spreadsheets"


def test_the_page_names_the_app_the_account_and_each_permission(oauth: OAuth) -> None:
    answer = requests.get(
        oauth.url(scope=f"{EVENTS} {SHEETS}"), headers={"Accept-Language": "ru-RU,ru;q=0.9"}, timeout=10
    )
    assert answer.status_code == 200
    for words in ("APInita", "anna@sandbox.example", "Видеть и менять события", "таблицы", "Разрешить", "Отмена"):
        assert words in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("ru", "ru"), ("en-US,en;q=0.9,ru;q=0.8", "en"), ("de, ru;q=0.4", "ru"), ("", "en"), ("ru;q=nonsense", "en")],
)
def test_the_page_speaks_the_readers_language(oauth: OAuth, wanted: str, language: str) -> None:
    answer = requests.get(oauth.url(), headers={"Accept-Language": wanted}, timeout=10)
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.text


@pytest.mark.parametrize("state", ["st4te", "a b+c/d=e&f%20g#h", "привет ✓", "x" * 3000, ""])
def test_the_state_comes_back_untouched(oauth: OAuth, state: str) -> None:
    back = oauth.callback(state=state)
    assert back["state"] == state
    assert back["code"].startswith("4/0A")
    assert back["scope"] == EVENTS


def test_no_state_is_made_up(oauth: OAuth) -> None:
    assert "state" not in oauth.callback(state=None)


def test_the_redirect_uri_keeps_its_own_query(oauth: OAuth) -> None:
    location = oauth.sandbox.consent(oauth.url(redirect_uri="http://127.0.0.1:9/cb?id=17&x=%2F"))
    assert location.startswith("http://127.0.0.1:9/cb?id=17&x=%2F&state=st4te&code=4%2F0A")


def test_cancel_sends_back_access_denied(oauth: OAuth) -> None:
    assert returned(oauth.sandbox.consent(oauth.url(), allow=False)) == {"state": "st4te", "error": "access_denied"}


def test_an_unticked_permission_is_not_granted(oauth: OAuth) -> None:
    back = returned(oauth.sandbox.consent(oauth.url(scope=f"openid {EVENTS} {SHEETS}"), untick=[SHEETS]))
    assert back["scope"] == f"openid {EVENTS}"
    assert oauth.exchange(back["code"]).json()["scope"] == f"openid {EVENTS}"


def test_nothing_ticked_is_a_refusal(oauth: OAuth) -> None:
    location = oauth.sandbox.consent(oauth.url(scope=f"{EVENTS} {SHEETS}"), untick=[EVENTS, SHEETS])
    assert returned(location)["error"] == "access_denied"


def test_a_permission_that_was_not_asked_for_cannot_be_slipped_in(oauth: OAuth) -> None:
    form = {"decision": "allow", "granted": [EVENTS, SHEETS]}
    query = dict(part.split("=", 1) for part in oauth.url().partition("?")[2].split("&"))
    fields = {name: requests.utils.unquote(value) for name, value in query.items()}
    answer = requests.post(oauth.sandbox.authorization_url, data={**fields, **form}, allow_redirects=False, timeout=10)
    assert returned(answer.headers["Location"])["scope"] == EVENTS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "Missing required parameter: client_id"),
        ({"response_type": None}, "Missing required parameter: response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"redirect_uri": None}, "Missing required parameter: redirect_uri"),
        ({"redirect_uri": "javascript:alert(1)"}, "Invalid parameter value for redirect_uri"),
        ({"redirect_uri": "/relative"}, "Invalid parameter value for redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1/cb#part"}, "Invalid parameter value for redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1/cb\r\nX-Evil: 1"}, "Invalid parameter value for redirect_uri"),
        ({"scope": None}, "Missing required parameter: scope"),
        ({"scope": f"{EVENTS} calendar.evnts"}, "invalid=[calendar.evnts]"),
        ({"access_type": "forever"}, "access_type"),
        ({"prompt": "always"}, "prompt"),
        ({"code_challenge": "short"}, "code_challenge"),
        ({"code_challenge": "a" * 43, "code_challenge_method": "MD5"}, "code_challenge_method"),
        ({"code_challenge_method": "S256"}, "code_challenge"),
    ],
)
def test_a_wrong_request_is_shown_on_our_own_page(oauth: OAuth, changes: dict[str, str | None], words: str) -> None:
    answer = requests.get(oauth.url(**changes), allow_redirects=False, timeout=10)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert words in answer.text


def test_a_repeated_parameter_is_refused(oauth: OAuth) -> None:
    answer = requests.get(oauth.url() + "&scope=openid", allow_redirects=False, timeout=10)
    assert answer.status_code == 400
    assert "can only have a single value: scope" in answer.text


def test_text_from_the_request_is_escaped(oauth: OAuth) -> None:
    answer = requests.get(oauth.url(state='"><script>alert(1)</script>'), timeout=10)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    wrong = requests.get(oauth.url(client_id="<script>alert(1)</script>"), timeout=10)
    assert "<script>" not in wrong.text


@pytest.mark.parametrize(
    "other",
    [
        "http://127.0.0.1:9/connections/17/callback",
        "https://127.0.0.1:9/connections/17/callback/",
        "http://127.0.0.1:9/Connections/17/callback/",
        "http://localhost:9/connections/17/callback/",
    ],
)
def test_a_registered_redirect_uri_has_to_be_equal_letter_by_letter(other: str) -> None:
    with Sandbox(redirect_uris=[REDIRECT_URI]) as sandbox:
        oauth = OAuth(sandbox)
        assert oauth.code()
        with pytest.raises(ConsentRefused, match="redirect_uri_mismatch"):
            oauth.code(redirect_uri=other)


def test_who_has_consented_is_not_asked_again_unless_the_client_insists(oauth: OAuth) -> None:
    oauth.connect()
    again = requests.get(oauth.url(prompt=None), allow_redirects=False, timeout=10)
    assert again.status_code == 302
    assert requests.get(oauth.url(prompt="consent"), timeout=10).status_code == 200
    assert requests.get(oauth.url(prompt=None, scope=f"{EVENTS} {SHEETS}"), timeout=10).status_code == 200


def test_prompt_none_never_shows_a_page(oauth: OAuth) -> None:
    assert oauth.callback(prompt="none") == {"state": "st4te", "error": "interaction_required"}
    oauth.connect()
    assert "code" in oauth.callback(prompt="none")


def test_login_hint_chooses_the_account(oauth: OAuth) -> None:
    token = oauth.connect(login_hint="boris@sandbox.example")["access_token"]
    answer = requests.get(oauth.sandbox.userinfo_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.json()["email"] == "boris@sandbox.example"


def test_include_granted_scopes_adds_what_was_granted_before(oauth: OAuth) -> None:
    oauth.connect()
    assert oauth.connect(scope="openid")["scope"] == "openid"
    assert set(oauth.connect(scope="openid", include_granted_scopes="true")["scope"].split()) == {"openid", EVENTS}
