"""The language of the pages."""

from django.test import Client

from accounts.models import User


def test_a_stranger_s_choice_is_kept_in_a_cookie(client: Client, db: None) -> None:
    client.post("/language/", {"language": "ru", "next": "/"})
    assert client.cookies["language"].value == "ru"


def test_the_choice_of_somebody_signed_in_is_kept_in_the_account(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.post("/language/", {"language": "ru", "next": "/"})
    alice.refresh_from_db()
    assert alice.language == "ru"


def test_an_unknown_language_changes_nothing(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.post("/language/", {"language": "tlh", "next": "/"})
    alice.refresh_from_db()
    assert alice.language == "en"
