"""New accounts: the open door, the closed door, the first start's link."""

import re
import threading

import pytest
from django.db import connection
from django.test import Client

from accounts import setup
from accounts.models import Membership, SetupLink, User, Workspace
from tests.people import PASSWORD

NEW = {"name": "Анна", "email": "Anna@Slovo.School", "password": "длинная фраза", "timezone": "Asia/Yekaterinburg"}


def test_anna_signs_up_and_owns_a_workspace(client, db):
    answer = client.post("/sign-up/", NEW, headers={"Accept-Language": "ru,en;q=0.5"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    anna = User.objects.get(email="anna@slovo.school")
    assert (anna.name, anna.language, anna.timezone) == ("Анна", "ru", "Asia/Yekaterinburg")
    membership = Membership.objects.get(user=anna)
    assert (membership.role, membership.workspace.timezone) == ("owner", "Asia/Yekaterinburg")
    assert client.get("/settings/members/").status_code == 200


def test_the_english_reader_gets_english(client, db):
    client.post("/sign-up/", NEW, headers={"Accept-Language": "en-GB"})
    assert User.objects.get().language == "en"


@pytest.mark.parametrize("password", ["short", "password123", "anna@slovo.school", "12345678"])
def test_a_weak_password_is_refused_with_the_reason(client, db, password):
    answer = client.post("/sign-up/", NEW | {"password": password})
    assert answer.status_code == 422
    assert 'id="id_password_error"' in answer.content.decode()
    assert not User.objects.exists()


def test_a_long_phrase_of_128_characters_is_a_password(client, db):
    phrase = "слово " * 21 + "ab"
    assert len(phrase) == 128
    assert client.post("/sign-up/", NEW | {"password": phrase}).status_code == 302
    assert User.objects.get().check_password(phrase)


def test_passwords_are_hashed_with_scrypt(settings, db):
    from apinita import settings as ours

    settings.PASSWORD_HASHERS = ours.PASSWORD_HASHERS
    assert User.objects.create_user("a@example.com", PASSWORD).password.startswith("scrypt$")


def test_a_taken_address_is_not_taken_over(client, alice):
    before = alice.password
    answer = client.post("/sign-up/", NEW | {"email": "ALICE@example.com"})
    assert answer.status_code == 422
    assert "session" not in client.cookies
    assert User.objects.get(email=alice.email).password == before


def test_signing_up_may_be_closed(client, db, settings):
    settings.SIGN_UP_OPEN = False
    assert client.get("/sign-up/").status_code == 403
    assert client.post("/sign-up/", NEW).status_code == 403
    assert not User.objects.exists()
    assert "/sign-up/" not in client.get("/sign-in/").content.decode()


def test_one_address_cannot_make_accounts_without_end(client, db):
    codes = [client.post("/sign-up/", NEW | {"email": f"a{n}@example.com"}).status_code for n in range(3)]
    assert codes[0] == 302
    for n in range(40):
        Client().post("/sign-up/", NEW | {"email": f"b{n}@example.com"})
    assert Client().post("/sign-up/", NEW | {"email": "c@example.com"}).status_code == 429


def test_the_first_start_link_makes_the_owner_even_where_signing_up_is_closed(client, db, settings):
    settings.SIGN_UP_OPEN = False
    assert setup.is_needed()
    url = setup.new_setup_link()
    assert url.startswith(f"{settings.PUBLIC_URL}/setup/")
    path = url.removeprefix(settings.PUBLIC_URL)
    assert client.get(path).status_code == 200
    assert client.post(path, NEW | {"workspace": "Школа"}).status_code == 302
    assert client.get("/settings/audit/").status_code == 200
    assert Workspace.objects.get().name == "Школа"
    assert not setup.is_needed()


def test_the_link_works_once(client, db, settings):
    path = setup.new_setup_link().removeprefix(settings.PUBLIC_URL)
    client.post(path, NEW | {"workspace": "Школа"})
    again = Client().post(path, NEW | {"email": "eve@example.com", "workspace": "X"})
    assert again.status_code == 404
    assert not User.objects.filter(email="eve@example.com").exists()


def test_a_wrong_form_does_not_use_the_link_up(client, alice, settings):
    path = setup.new_setup_link().removeprefix(settings.PUBLIC_URL)
    assert client.post(path, NEW | {"email": alice.email, "workspace": "X"}).status_code == 422
    assert client.post(path, NEW | {"workspace": "X"}).status_code == 302


def test_a_newer_link_ends_the_older_one(client, db, settings):
    old = setup.new_setup_link().removeprefix(settings.PUBLIC_URL)
    new = setup.new_setup_link().removeprefix(settings.PUBLIC_URL)
    assert client.get(old).status_code == 404
    assert client.get(new).status_code == 200
    assert client.get("/setup/x/").status_code == 404


def test_only_a_digest_of_the_link_is_kept(db):
    secret = setup.new_setup_link().rstrip("/").rsplit("/", 1)[1]
    assert secret.encode() not in bytes(SetupLink.objects.get().digest)
    assert len(secret) >= 43


def test_the_owner_takes_the_account_that_the_command_line_made(client, db, settings):
    made = User.objects.create_user("anna@slovo.school")
    assert setup.is_needed()
    path = setup.new_setup_link().removeprefix(settings.PUBLIC_URL)
    client.post(path, NEW | {"workspace": "Школа"})
    assert User.objects.get(pk=made.pk).check_password(NEW["password"])


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_the_link_make_one_owner(settings):
    path = setup.new_setup_link().removeprefix(settings.PUBLIC_URL)
    codes = []

    def open_it(number: int) -> None:
        answer = Client().post(path, NEW | {"email": f"{number}@example.com", "workspace": "X"})
        codes.append(answer.status_code)
        connection.close()

    threads = [threading.Thread(target=open_it, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [302, 404, 404, 404]
    assert User.objects.count() == 1


def test_the_forms_name_what_a_password_manager_needs(client, db):
    page = client.get("/sign-up/").content.decode()
    assert re.search(r'type="password"[^>]*autocomplete="new-password"', page)
    assert "data-guess-zone" in page
