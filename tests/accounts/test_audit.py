"""The audit log: what is noted, who reads it, that nobody rewrites it."""

import pytest
from django.db import ProgrammingError, transaction
from django.db.utils import InternalError

from accounts import audit
from accounts.models import AuditEntry, User
from tests.people import actor_of

PAGE = "/settings/audit/"


def test_what_alice_does_is_noted(client_of, alice, bob):
    browser = client_of(alice)
    browser.post(f"/settings/members/{bob.public_id}/role/", {"role": "viewer"})
    browser.post("/settings/members/", {"email": "dana@example.com", "role": "editor"})
    browser.post("/settings/tokens/", {"name": "script", "role": "viewer", "lifetime": "0"})
    page = browser.get(PAGE).content.decode()
    for words in ["Changed a role", "bob@example.com", "Invited somebody", "dana@example.com", "Created an API token"]:
        assert words in page


def test_charlie_reads_his_own_log_only(client_of, alice, bob, charlie):
    audit.record(actor_of(alice), "member.removed", "CANARY")
    assert "CANARY" not in client_of(charlie).get(PAGE).content.decode()
    assert client_of(bob).get(PAGE).status_code == 403


def test_an_entry_cannot_be_changed(alice):
    audit.record(actor_of(alice), "member.removed", "bob@example.com", why="x")
    for change in [{"subject": "nobody"}, {"details": {}}, {"who": "charlie"}, {"action": "token.created"}]:
        with pytest.raises((InternalError, ProgrammingError)), transaction.atomic():
            AuditEntry.objects.update(**change)
    assert AuditEntry.objects.get().subject == "bob@example.com"


def test_an_entry_outlives_the_account(alice, bob):
    audit.record(actor_of(bob), "token.created", "script")
    bob.delete()
    entry = AuditEntry.objects.get()
    assert (entry.user, entry.who) == (None, "bob@example.com")


def test_a_deleted_workspace_takes_its_log_along(alice, workspace):
    audit.record(actor_of(alice), "token.created", "script")
    workspace.delete()
    assert not AuditEntry.objects.exists()
    assert User.objects.filter(pk=alice.pk).exists()


def test_what_strangers_wrote_is_shown_as_text(client_of, alice):
    audit.record(actor_of(alice), "<script>alert(1)</script>", "<img src=x>\u202e\0", note="<b>\ud800")
    page = client_of(alice).get(PAGE).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_long_log_has_pages(client_of, alice, workspace):
    AuditEntry.objects.bulk_create(
        [AuditEntry(workspace=workspace, action="token.created", subject=f"n{number}.") for number in range(60)]
    )
    browser = client_of(alice)
    first = browser.get(PAGE).content.decode()
    assert "n59." in first
    assert "n9." not in first
    oldest_shown = AuditEntry.objects.order_by("-id")[49].pk
    assert f"?before={oldest_shown}" in first
    assert "n9." in browser.get(f"{PAGE}?before={oldest_shown}").content.decode()
    assert browser.get(f"{PAGE}?before=nonsense").status_code == 200


def test_the_log_of_the_account_shows_on_the_profile(client_of, alice, charlie):
    browser = client_of(alice)
    audit.record_personal(alice, "account.signed_in", address="192.0.2.7")
    assert "192.0.2.7" in browser.get("/settings/profile/").content.decode()
    assert "192.0.2.7" not in client_of(charlie).get("/settings/profile/").content.decode()
