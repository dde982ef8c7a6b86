"""A forgotten password, a changed one."""

import re
from collections.abc import Callable
from time import monotonic, sleep

import pytest
from django.core import mail
from django.test import Client

from accounts import tokens
from accounts.models import AuditEntry, SignInAttempt, User
from accounts.roles import Role
from tests.people import PASSWORD, actor_of, token_of

NEW = "another long phrase"


@pytest.fixture
def letters() -> Callable[[int], list]:
    """Waits until so many letters have come: they leave in threads of their own."""

    def wait(count: int) -> list:
        end = monotonic() + 5
        while len(mail.outbox) < count and monotonic() < end:
            sleep(0.005)
        assert len(mail.outbox) == count
        return mail.outbox

    return wait


def link_in(letter) -> str:
    return re.search(r"https?://\S+?(/\S+)", letter.body.replace("http://127.0.0.1", "http://h"))[1]


def ask(client: Client, email: str, letters) -> str:
    client.post("/reset/", {"email": email})
    return link_in(letters(1)[0])


def test_alice_resets_her_password_by_letter(client, alice, letters, django_capture_on_commit_callbacks):
    link = ask(client, alice.email, letters)
    assert client.get(link).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(link, {"password": NEW}).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert letters(2)[1].subject == "Your APInita password was changed"


def test_the_link_works_once(client, alice, letters):
    link = ask(client, alice.email, letters)
    client.post(link, {"password": NEW})
    assert client.get(link).status_code == 404
    assert client.post(link, {"password": "yet another phrase"}).status_code == 404


def test_the_link_lasts_an_hour(client, alice, letters, settings):
    assert settings.PASSWORD_RESET_TIMEOUT <= 3600
    link = ask(client, alice.email, letters)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert client.get(link).status_code == 404


def test_the_link_of_one_does_not_open_the_account_of_another(client, alice, bob, letters):
    link = ask(client, alice.email, letters)
    assert client.get(link.replace(alice.public_id, bob.public_id)).status_code == 404


def test_the_letter_leads_to_the_address_of_the_settings(alice, letters, settings):
    settings.ALLOWED_HOSTS = ["*"]
    Client(headers={"Host": "evil.example"}).post("/reset/", {"email": alice.email})
    text = letters(1)[0].body
    assert settings.PUBLIC_URL in text
    assert "evil" not in text


def test_an_unknown_address_gets_the_same_page_and_no_letter(client, alice):
    known = client.post("/reset/", {"email": alice.email})
    unknown = client.post("/reset/", {"email": "nobody@example.com"})
    assert known.status_code == unknown.status_code == 200
    clean = [re.sub("(?i).*csrf.*", "", page.content.decode()) for page in (known, unknown)]
    assert clean[0].replace(alice.email, "") == clean[1].replace("nobody@example.com", "")


def test_an_address_is_not_flooded_with_letters(client, alice, letters):
    for _ in range(6):
        assert client.post("/reset/", {"email": alice.email}).status_code == 200
    letters(3)


def test_the_letter_is_written_in_the_language_of_its_reader(client, alice, letters, settings):
    User.objects.filter(pk=alice.pk).update(language="ru")
    client.post("/reset/", {"email": alice.email}, headers={"Accept-Language": "en"})
    letter = letters(1)[0]
    assert "http" in letter.body
    assert letter.to == [alice.email]


def test_a_new_password_signs_other_devices_out_and_keeps_this_one(client_of, alice):
    here, there = client_of(alice), client_of(alice)
    answer = here.post("/settings/password/", {"current": PASSWORD, "password": NEW})
    assert answer.status_code == 302
    assert here.get("/settings/profile/").status_code == 200
    assert there.get("/settings/profile/").status_code == 302


def test_a_reset_ends_every_session(client, client_of, alice, letters):
    there = client_of(alice)
    client.post(ask(client, alice.email, letters), {"password": NEW})
    assert there.get("/settings/profile/").status_code == 302


def test_the_current_password_is_asked_for_and_cannot_be_guessed(client_of, alice):
    here = client_of(alice)
    codes = [here.post("/settings/password/", {"current": f"guess {n}", "password": NEW}).status_code for n in range(6)]
    assert set(codes) == {422}
    assert here.post("/settings/password/", {"current": PASSWORD, "password": NEW}).status_code == 422
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_a_reset_revokes_the_api_tokens_and_says_so(client, alice, letters, django_capture_on_commit_callbacks):
    """Somebody may have registered Alice's address, made a token and waited for her."""
    secrets = [tokens.make(actor_of(alice), f"t{number}", role=Role.OWNER)[1] for number in range(2)]
    link = ask(client, alice.email, letters)
    assert "revokes your API tokens" in mail.outbox[0].body
    assert "2 API tokens of yours will be revoked" in client.get(link).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(link, {"password": NEW}, follow=True).content.decode()
    assert "2 API tokens are revoked" in page
    assert "2 API tokens were revoked as well" in letters(2)[1].body
    assert [api_status(secret) for secret in secrets] == [401, 401]
    assert AuditEntry.objects.filter(action="token.revoked", user=alice).count() == 2


def api_status(secret: str) -> int:
    return Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/me/").status_code


def test_a_reset_without_tokens_speaks_of_none(client, alice, letters, django_capture_on_commit_callbacks):
    link = ask(client, alice.email, letters)
    assert "revoked" not in client.get(link).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(link, {"password": NEW})
    assert "API token" not in letters(2)[1].body


def test_a_changed_password_keeps_the_tokens_unless_they_are_to_end(client_of, alice):
    browser = client_of(alice)
    assert 'name="revoke_tokens"' not in browser.get("/settings/password/").content.decode()
    secret = token_of(alice)
    assert 'name="revoke_tokens"' in browser.get("/settings/password/").content.decode()
    browser.post("/settings/password/", {"current": PASSWORD, "password": NEW})
    assert api_status(secret) == 200
    answer = browser.post(
        "/settings/password/", {"current": NEW, "password": PASSWORD, "revoke_tokens": "on"}, follow=True
    )
    assert "1 API token is revoked" in answer.content.decode()
    assert api_status(secret) == 401


def test_strangers_cannot_keep_the_reset_letter_from_a_known_browser(alice, letters):
    browser = Client(REMOTE_ADDR="198.51.100.7")
    browser.post("/sign-in/", {"email": alice.email, "password": PASSWORD})
    browser.post("/sign-out/")
    SignInAttempt.objects.bulk_create(
        SignInAttempt(kind="reset", email=alice.email, address=f"203.0.113.{number}") for number in range(10)
    )
    Client(REMOTE_ADDR="192.0.2.1").post("/reset/", {"email": alice.email})
    browser.post("/reset/", {"email": alice.email})
    letters(1)
