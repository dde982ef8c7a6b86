"""Signing in and out, and what a session is worth."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from accounts import passwords
from accounts.models import AuditEntry, KnownNetwork, SignInAttempt, User
from accounts.signing_in import SESSION_BEGAN
from tests.people import PASSWORD

WRONG = "not the password"
PAGE = "/settings/profile/"


def try_to_sign_in(client: Client, email: str, password: str, **more):
    return client.post("/sign-in/", {"email": email, "password": password, **more})


def test_alice_signs_in_with_her_address_in_any_case(client, alice):
    answer = try_to_sign_in(client, " Alice@Example.COM ", PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get(PAGE).status_code == 200
    assert AuditEntry.objects.get(user=alice).action == "account.signed_in"


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client, alice):
    wrong = try_to_sign_in(client, alice.email, WRONG)
    unknown = try_to_sign_in(client, "nobody@example.com", WRONG)
    assert wrong.status_code == unknown.status_code == 422
    assert body_without(wrong, alice.email) == body_without(unknown, "nobody@example.com")
    assert "4 tries are left" in wrong.content.decode()


def body_without(answer, email: str) -> str:
    text = answer.content.decode().replace(email, "")
    return "\n".join(line for line in text.splitlines() if "csrf" not in line.lower())


def test_the_time_of_the_answer_tells_nothing(client, alice, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    User.objects.filter(pk=alice.pk).update(password=make_password(PASSWORD))
    User.objects.create_user("no-password@example.com")
    User.objects.create_user("inactive@example.com", PASSWORD, is_active=False)
    known = fastest(client, alice.email)
    for who in ["nobody@example.com", "no-password@example.com", "inactive@example.com"]:
        assert 0.4 < fastest(client, who) / known < 2.5, who


def fastest(client, email: str) -> float:
    """Seconds of CPU, so that a busy machine does not count."""
    took = []
    for _ in range(2):
        start = time.process_time()
        assert try_to_sign_in(client, email, WRONG).status_code == 422
        took.append(time.process_time() - start)
    return min(took)


def test_the_sixth_try_is_refused_even_with_the_right_password(client, alice):
    for _ in range(5):
        assert try_to_sign_in(client, alice.email, WRONG).status_code == 422
    refused = try_to_sign_in(client, alice.email, PASSWORD)
    assert refused.status_code == 429
    assert "Try again in 15 minutes" in refused.content.decode()


def test_an_unknown_address_is_throttled_like_a_known_one(client, db):
    for _ in range(5):
        try_to_sign_in(client, "nobody@example.com", WRONG)
    assert try_to_sign_in(client, "nobody@example.com", WRONG).status_code == 429


def test_the_wait_ends_and_refused_tries_do_not_prolong_it(client, alice):
    for _ in range(7):
        try_to_sign_in(client, alice.email, WRONG)
    assert SignInAttempt.objects.count() == 5
    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert try_to_sign_in(client, alice.email, PASSWORD).status_code == 302


def test_somebody_elsewhere_does_not_lock_alice_out(client, alice):
    stranger = Client(REMOTE_ADDR="198.51.100.7")
    for _ in range(8):
        try_to_sign_in(stranger, alice.email, WRONG)
    assert try_to_sign_in(client, alice.email, PASSWORD).status_code == 302


def test_one_address_cannot_try_many_accounts(client, alice):
    SignInAttempt.objects.bulk_create(
        [SignInAttempt(email=f"{number}@example.com", address="127.0.0.1") for number in range(50)]
    )
    assert try_to_sign_in(client, alice.email, PASSWORD).status_code == 429


def test_a_forged_forwarded_header_does_not_change_the_address(client, alice):
    for number in range(5):
        client.post(
            "/sign-in/", {"email": alice.email, "password": WRONG}, headers={"X-Forwarded-For": f"203.0.113.{number}"}
        )
    assert try_to_sign_in(client, alice.email, PASSWORD).status_code == 429


def test_success_forgets_the_tries_before_it(client, alice):
    for _ in range(4):
        try_to_sign_in(client, alice.email, WRONG)
    assert try_to_sign_in(client, alice.email, PASSWORD).status_code == 302
    assert not SignInAttempt.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/settings/members/?a=1", "/settings/members/?a=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("http:///evil.example", "/"),
    ],
)
def test_next_leads_to_our_own_pages_only(client, alice, wanted, goes_to):
    assert try_to_sign_in(client, alice.email, PASSWORD, next=wanted)["Location"] == goes_to


def test_the_page_that_was_wanted_comes_after_signing_in(client, alice):
    asked = client.get("/settings/members/?x=1")
    assert asked["Location"] == "/sign-in/?next=%2Fsettings%2Fmembers%2F%3Fx%3D1"
    page = client.get(asked["Location"])
    assert 'name="next" value="/settings/members/?x=1"' in page.content.decode()


def test_the_session_gets_a_new_id_and_dies_on_the_server(client, alice):
    client.get("/sign-in/")
    try_to_sign_in(client, alice.email, PASSWORD)
    cookie = client.cookies["session"].value
    client.post("/sign-out/")
    thief = Client()
    thief.cookies["session"] = cookie
    assert thief.get(PAGE).status_code == 302


def test_signing_out_takes_a_post(client_of, alice):
    browser = client_of(alice)
    assert browser.get("/sign-out/").status_code == 405
    assert browser.get(PAGE).status_code == 200


def test_without_a_csrf_token_nothing_is_changed(client_of, alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.post("/sign-out/").status_code == 403
    assert browser.get(PAGE).status_code == 200


def test_remembering_keeps_the_cookie_after_the_browser_closes(client, alice):
    try_to_sign_in(client, alice.email, PASSWORD)
    assert client.cookies["session"]["max-age"] == ""
    client.post("/sign-out/")
    try_to_sign_in(client, alice.email, PASSWORD, remember="on")
    assert client.cookies["session"]["max-age"] == 7 * 24 * 3600


def test_no_session_lives_longer_than_thirty_days(client_of, alice):
    browser = client_of(alice)
    assert browser.get(PAGE).status_code == 200
    session = browser.session
    session[SESSION_BEGAN] = (timezone.now() - timedelta(days=30, minutes=1)).timestamp()
    session.save()
    assert browser.get(PAGE)["Location"].startswith("/sign-in/")


def test_pages_of_the_signed_in_are_kept_by_no_cache(client_of, alice):
    assert "no-store" in client_of(alice).get(PAGE)["Cache-Control"]


def test_an_inactive_account_is_out_at_once(client_of, alice):
    browser = client_of(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert browser.get(PAGE).status_code == 302


def test_htmx_is_sent_to_the_sign_in_page_as_a_whole(client, db):
    answer = client.get(
        "/settings/members/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/settings/tokens/"}
    )
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/sign-in/?next=%2Fsettings%2Ftokens%2F")


def lock_out(email: str) -> None:
    """Strangers have used up all tries of the account."""
    SignInAttempt.objects.bulk_create(
        SignInAttempt(email=email, address=f"203.0.{number // 200}.{number % 200}") for number in range(200)
    )


def visited(user: User, address: str) -> Client:
    """A browser at this address in which the person has signed in and out."""
    browser = Client(REMOTE_ADDR=address)
    assert try_to_sign_in(browser, user.email, PASSWORD).status_code == 302
    browser.post("/sign-out/")
    return browser


def at(browser: Client, address: str) -> Client:
    browser.defaults["REMOTE_ADDR"] = address
    return browser


def test_the_addresses_of_one_ipv6_network_count_as_one(alice):
    for number in range(5):
        stranger = Client(REMOTE_ADDR=f"2001:db8:1:2::{number:x}")
        assert try_to_sign_in(stranger, alice.email, WRONG).status_code == 422
    assert try_to_sign_in(Client(REMOTE_ADDR="2001:db8:1:2:ffff::1"), alice.email, PASSWORD).status_code == 429
    assert try_to_sign_in(Client(REMOTE_ADDR="2001:db8:1:3::1"), alice.email, PASSWORD).status_code == 302


def test_strangers_lock_nobody_out_of_a_place_that_is_known(alice, bob):
    browser = visited(alice, "198.51.100.7")
    lock_out(alice.email)
    assert try_to_sign_in(Client(REMOTE_ADDR="192.0.2.1"), alice.email, PASSWORD).status_code == 429
    assert try_to_sign_in(Client(REMOTE_ADDR="198.51.100.7"), alice.email, PASSWORD).status_code == 302  # the network
    assert try_to_sign_in(at(browser, "192.0.2.9"), alice.email, PASSWORD).status_code == 302  # the browser
    browser.post("/sign-out/")
    lock_out(bob.email)
    assert try_to_sign_in(browser, bob.email, PASSWORD).status_code == 429  # it is known for Alice


def test_a_known_browser_may_not_guess_more_often_than_others(alice):
    browser = visited(alice, "198.51.100.7")
    for _ in range(5):
        assert try_to_sign_in(browser, alice.email, WRONG).status_code == 422
    assert try_to_sign_in(browser, alice.email, PASSWORD).status_code == 429


def test_a_new_password_ends_the_cookies_of_known_browsers(alice):
    browser = visited(alice, "198.51.100.7")
    alice.set_password("another long phrase")
    alice.save()
    lock_out(alice.email)
    assert try_to_sign_in(at(browser, "192.0.2.9"), alice.email, "another long phrase").status_code == 429


@pytest.mark.parametrize("cookie", ["", "x", "W10:1a:b", "\x00"])
def test_a_made_up_cookie_of_a_browser_counts_for_nothing(alice, cookie):
    lock_out(alice.email)
    browser = Client()
    browser.cookies["device"] = cookie
    assert try_to_sign_in(browser, alice.email, PASSWORD).status_code in {400, 429}


def test_whoever_has_reset_their_password_can_sign_in_although_strangers_go_on(client, alice):
    visited(alice, "198.51.100.7")
    lock_out(alice.email)
    alice.refresh_from_db()
    client.post(f"/reset/{alice.public_id}/{passwords.token_for(alice)}/", {"password": "another long phrase"})
    assert try_to_sign_in(client, alice.email, "another long phrase").status_code == 302
    assert not KnownNetwork.objects.filter(address="198.51.100.7").exists()


def test_the_cookie_of_a_known_browser_is_for_the_server_only(client, alice):
    try_to_sign_in(client, alice.email, PASSWORD)
    cookie = client.cookies["device"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert alice.email not in cookie.value
