"""Language and zone: a person's own, else the cookie's, else the browser's."""

import re

from django.utils import timezone, translation

from accounts import audit, zones
from accounts.models import AuditEntry, User

SIGN_IN = "/sign-in/"


def language(answer) -> str:
    return re.search(r'<html lang="(\w+)"', answer.content.decode())[1]


def test_a_stranger_reads_in_the_language_of_the_browser(client, db):
    assert language(client.get(SIGN_IN, headers={"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"})) == "ru"
    assert language(client.get(SIGN_IN, headers={"Accept-Language": "en"})) == "en"
    assert language(client.get(SIGN_IN, headers={"Accept-Language": "de"})) == "en"


def test_the_cookie_comes_before_the_browser(client, db):
    client.cookies["language"] = "ru"
    assert language(client.get(SIGN_IN, headers={"Accept-Language": "en"})) == "ru"


def test_the_persons_language_comes_first(client_of, alice):
    User.objects.filter(pk=alice.pk).update(language="ru")
    browser = client_of(alice)
    browser.cookies["language"] = "en"
    answer = browser.get("/settings/profile/", headers={"Accept-Language": "en"})
    assert (language(answer), answer["Content-Language"]) == ("ru", "ru")


def test_nothing_of_it_stays_for_the_next_request(client_of, alice):
    User.objects.filter(pk=alice.pk).update(language="ru", timezone="Asia/Tokyo")
    before = translation.get_language(), timezone.get_current_timezone_name()
    client_of(alice).get("/settings/profile/")
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before


def test_times_are_shown_in_the_persons_zone(client_of, alice):
    User.objects.filter(pk=alice.pk).update(timezone="Asia/Tokyo")
    audit.record_personal(alice, "account.signed_in")
    here = AuditEntry.objects.get().at.astimezone(zones.zoneinfo.ZoneInfo("Asia/Tokyo"))
    page = client_of(alice).get("/settings/profile/").content.decode()
    assert f'datetime="{here.isoformat(timespec="seconds")}"' in page


def test_the_profile_changes_name_language_and_zone(client_of, alice):
    browser = client_of(alice)
    browser.post("/settings/profile/", {"name": "Алиса", "language": "ru", "timezone": "Asia/Omsk", "email": "x@y.z"})
    alice.refresh_from_db()
    assert (alice.name, alice.language, alice.timezone, alice.email) == (
        "Алиса",
        "ru",
        "Asia/Omsk",
        "alice@example.com",
    )
    assert language(browser.get("/settings/profile/")) == "ru"


def test_a_zone_or_language_that_is_none_is_refused(client_of, alice):
    for form in [{"language": "ru", "timezone": "Mars/Olympus"}, {"language": "tlh", "timezone": "UTC"}]:
        assert client_of(alice).post("/settings/profile/", {"name": "A"} | form).status_code == 422
    alice.refresh_from_db()
    assert alice.language == "en"


def test_a_zone_that_the_system_has_lost_does_not_break_the_pages(client_of, alice):
    User.objects.filter(pk=alice.pk).update(timezone="Mars/Olympus")
    assert client_of(alice).get("/settings/members/").status_code == 200


def test_zones_stand_in_the_order_of_the_clock():
    names = [name for name, _ in zones.choices()]
    assert names.index("America/New_York") < names.index("Europe/London") < names.index("Europe/Moscow")
    assert names.index("Europe/Moscow") < names.index("Asia/Tokyo")
    assert ("Europe/Moscow", "Europe/Moscow (UTC+03:00)") in zones.choices()
