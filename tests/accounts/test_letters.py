"""Letters to others: how many, and nothing in them that a stranger could speak through."""

import threading
from contextlib import contextmanager

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from accounts import letters, members, post_office
from accounts.models import Invitation, SignInAttempt, Workspace
from accounts.roles import Role
from lib.errors import UserError
from tests.people import actor_of, join, make_user

INVITATIONS = "/api/v1/invitations/"


def invited(api_client, email: str):
    return api_client.post(INVITATIONS, {"email": email, "role": "viewer"})


def test_one_recipient_gets_three_invitations_a_day_from_everybody_together(api, alice, charlie):
    for number in range(2):
        assert invited(api(alice), f"victim+{number}@example.org").status_code == 201
    assert invited(api(charlie), "Victim@example.org").status_code == 201
    refused = invited(api(charlie), "victim@example.org")
    assert (refused.status_code, refused.json()["params"]["reason"]) == (429, "recipient")
    assert 86_000 < int(refused["Retry-After"]) <= 86_401
    assert Invitation.objects.filter(workspace__name="Elsewhere").count() == 1
    assert invited(api(charlie), "else@example.org").status_code == 201


def test_a_workspace_and_an_inviter_have_fifty_a_day(alice, workspace):
    other = make_user("other@example.com")
    join(workspace, other, Role.OWNER)
    for number in range(50):
        members.invite(actor_of(alice if number % 2 else other), f"n{number}@example.org", Role.VIEWER)
    with pytest.raises(UserError) as refused:
        members.invite(actor_of(other), "late@example.org", Role.VIEWER)
    assert (refused.value.code, refused.value.reason) == ("too_many_requests", "invitations")
    SignInAttempt.objects.filter(kind="inv_from").delete()
    members.invite(actor_of(alice), "late@example.org", Role.VIEWER)
    assert not Invitation.objects.filter(email="later@example.org").exists()


def test_an_inviter_is_counted_in_all_workspaces(alice):
    SignInAttempt.objects.bulk_create(SignInAttempt(kind="inv_by", email=alice.public_id) for _ in range(50))
    with pytest.raises(UserError):
        members.invite(actor_of(alice), "late@example.org", Role.VIEWER)


def test_the_page_says_why_no_more_can_be_invited(client_of, alice):
    SignInAttempt.objects.bulk_create(SignInAttempt(kind="inv_to", email="new@example.com") for _ in range(3))
    page = client_of(alice).post("/settings/members/", {"email": "new@example.com", "role": "viewer"})
    assert page.status_code == 422
    assert "new@example.com has been invited several times today." in page.content.decode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("URGENT: verify at https://evil.example/x", "URGENT: verify at"),
        ("Bcc: x@evil.example\r\nSubject: y", "Bcc: Subject: y"),
        ("evil.\u200bexample \u202emoc", "moc"),
        ("www.зло.рф, t.me/abc 10.0.0.1/x evil。com", "www. "),
        ("x" * 120, "x" * 59 + "…"),
        ("Школа №5. Казань", "Школа №5. Казань"),
        ("ООО «Т.Д.Ромашка», И.И.Иванов", "ООО «Т.Д.Ромашка», И.И.Иванов"),
    ],
)
def test_a_name_in_a_letter_leads_nowhere(name, shown):
    if name.startswith("www."):
        assert not {"зло", "t.me", "10.0", "evil"} & set(letters.harmless(name).split())
    else:
        assert letters.harmless(name) == shown


def test_a_workspace_does_not_speak_through_its_invitation(alice, workspace):
    Workspace.objects.filter(pk=workspace.pk).update(name="Verify at https://evil.example/x\r\nBcc: y@z.example")
    workspace.refresh_from_db()
    alice.name = "See www.evil.example"
    alice.save()
    with taken() as posted:
        letters.send_invitation(
            Invitation(workspace=workspace, email="v@example.org", role="viewer", invited_by=alice), "http://us/link"
        )
    (letter,) = posted
    assert letter.subject == "An invitation to “Verify at Bcc:” in APInita"
    assert "evil" not in letter.body
    assert "z.example" not in letter.body
    assert "http://us/link" in letter.body


def test_a_name_of_which_nothing_is_left_is_left_out(alice, workspace):
    workspace.name = "https://evil.example"
    with taken() as posted:
        letters.send_invitation(
            Invitation(workspace=workspace, email="v@example.org", role="viewer", invited_by=alice), "http://us/link"
        )
    assert posted[0].subject == "An invitation to APInita"


@contextmanager
def taken():
    """What is posted, instead of sending it."""
    posted: list[EmailMessage] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(post_office, "post", lambda letter, urgent=True: posted.append(letter))
        yield posted


@pytest.fixture
def slow_server(settings, monkeypatch):
    """A mail server that takes no letter until it is let; the posted ones wait."""
    let = threading.Event()
    deliver = post_office.deliver

    def waits(letter: EmailMessage) -> None:
        let.wait(10)
        deliver(letter)

    monkeypatch.setattr(post_office, "deliver", waits)
    yield let
    let.set()
    post_office._waiting.join()


def letter(subject: str) -> EmailMessage:
    return EmailMessage(subject, "text", to=["a@example.com"])


def test_many_letters_take_two_threads_and_a_bounded_queue(slow_server):
    before = threading.active_count()
    posted = [post_office.post(letter("invitation"), urgent=False) for _ in range(400)]
    assert threading.active_count() - before <= post_office.CARRIERS
    assert 100 <= posted.count(True) <= 100 + post_office.CARRIERS
    assert post_office.post(letter("reset"))  # there is room for what somebody waits for
    assert posted.count(True) + sum(post_office.post(letter("reset")) for _ in range(400)) <= 200 + 2


def test_letters_that_somebody_waits_for_go_first(slow_server):
    for _ in range(10):
        post_office.post(letter("invitation"), urgent=False)
    post_office.post(letter("reset"))
    slow_server.set()
    post_office._waiting.join()
    subjects = [sent.subject for sent in mail.outbox]
    assert subjects.count("invitation") == 10
    assert subjects.index("reset") <= post_office.CARRIERS


def test_a_letter_that_cannot_be_sent_does_not_stop_the_next(monkeypatch):
    class Broken(EmailMessage):
        def send(self, fail_silently: bool = False) -> int:
            raise ConnectionRefusedError

    for number in range(2 * post_office.CARRIERS):
        post_office.post(Broken(f"broken {number}", "", to=["a@example.com"]))
    post_office.post(letter("good"))
    post_office._waiting.join()
    assert [sent.subject for sent in mail.outbox] == ["good"]
