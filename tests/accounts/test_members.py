"""Members and roles, invitations, several workspaces: on pages, and acting at once."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import members
from accounts.models import Invitation, Membership, User
from accounts.roles import Role
from lib.errors import UserError
from tests.people import PASSWORD, actor_of, join, make_user, signed_in

MEMBERS = "/settings/members/"


def role_of(user: User, workspace) -> str | None:
    membership = Membership.objects.filter(user=user, workspace=workspace).first()
    return membership and membership.role


def invite(browser: Client, email: str, role: str = "editor") -> str:
    """The path of the link that the page shows."""
    page = browser.post(MEMBERS, {"email": email, "role": role}).content.decode()
    return re.search(r'data-copy="[^"]*?(/invitations/[^"]+)"', page)[1]


def test_alice_changes_a_role(client_of, alice, bob, workspace):
    client_of(alice).post(f"{MEMBERS}{bob.public_id}/role/", {"role": "viewer"})
    assert role_of(bob, workspace) == "viewer"


@pytest.mark.parametrize("who", ["bob", "vera"])
def test_only_an_owner_changes_members(client_of, alice, bob, vera, workspace, who):
    browser = client_of({"bob": bob, "vera": vera}[who])
    assert browser.post(f"{MEMBERS}{alice.public_id}/role/", {"role": "viewer"}).status_code == 403
    assert browser.post(f"{MEMBERS}{alice.public_id}/remove/").status_code == 403
    assert browser.post(MEMBERS, {"email": "x@example.com", "role": "owner"}).status_code == 403
    assert browser.get("/settings/audit/").status_code == 403
    assert browser.post("/settings/workspace/", {"name": "X", "timezone": "UTC"}).status_code == 403
    assert role_of(alice, workspace) == "owner"
    assert not Invitation.objects.exists()


def test_for_charlie_the_members_of_others_do_not_exist(client_of, charlie, bob):
    browser = client_of(charlie)
    for path in [f"{MEMBERS}{bob.public_id}/role/", f"{MEMBERS}{bob.public_id}/remove/"]:
        assert browser.post(path, {"role": "viewer"}).status_code == 404
    assert "bob" not in browser.get(MEMBERS).content.decode()


def test_the_last_owner_cannot_be_demoted_or_removed(client_of, alice, bob, workspace):
    browser = client_of(alice)
    answer = browser.post(f"{MEMBERS}{alice.public_id}/role/", {"role": "editor"}, follow=True)
    assert "at least one owner" in answer.content.decode()
    browser.post(f"{MEMBERS}{alice.public_id}/remove/")
    assert role_of(alice, workspace) == "owner"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one(alice, workspace):
    other = make_user("other@example.com")
    join(workspace, other, Role.OWNER)
    barrier = threading.Barrier(2)

    def remove(who: User, whom: User) -> None:
        membership = Membership.objects.get(user=whom, workspace=workspace)
        barrier.wait()
        try:
            members.remove(actor_of(who), membership)
        except UserError:
            pass
        finally:
            connection.close()

    pairs = [(alice, other), (other, alice)]
    threads = [threading.Thread(target=remove, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Membership.objects.filter(workspace=workspace, role="owner").count() == 1


def test_a_removed_member_is_out_on_the_next_request(client_of, alice, bob):
    browser = client_of(bob)
    assert browser.get(MEMBERS).status_code == 200
    client_of(alice).post(f"{MEMBERS}{bob.public_id}/remove/")
    assert browser.get(MEMBERS)["Location"] == "/workspaces/new/"


def test_a_changed_role_acts_on_the_next_request(client_of, alice, bob):
    browser = client_of(bob)
    client_of(alice).post(f"{MEMBERS}{bob.public_id}/role/", {"role": "owner"})
    assert browser.get("/settings/audit/").status_code == 200


def test_bob_leaves_by_himself(client_of, bob, workspace):
    assert "Leave the workspace?" in client_of(bob).get(f"{MEMBERS}{bob.public_id}/remove/").content.decode()
    client_of(bob).post(f"{MEMBERS}{bob.public_id}/remove/")
    assert role_of(bob, workspace) is None


def test_the_question_comes_as_a_fragment_to_htmx(client_of, bob):
    path = f"{MEMBERS}{bob.public_id}/remove/"
    fragment = client_of(bob).get(path, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert 'method="post"' in fragment


def test_somebody_new_joins_by_the_link_although_signing_up_is_closed(client_of, alice, workspace, settings):
    settings.SIGN_UP_OPEN = False
    link = invite(client_of(alice), "Dana@Example.com")
    newcomer = Client()
    assert newcomer.get(link).status_code == 200
    answer = newcomer.post(link, {"name": "Dana", "password": PASSWORD, "timezone": "UTC"})
    assert answer.status_code == 302
    dana = User.objects.get(email="dana@example.com")
    assert role_of(dana, workspace) == "editor"
    assert newcomer.get(MEMBERS).status_code == 200


def test_charlie_joins_with_his_account_and_lands_in_that_workspace(client_of, alice, charlie, workspace):
    link = invite(client_of(alice), charlie.email, "viewer")
    browser = client_of(charlie)
    assert browser.post(link).status_code == 302
    assert role_of(charlie, workspace) == "viewer"
    assert "Школа" in browser.get("/settings/workspace/").content.decode()


def test_the_link_is_for_one_address_and_one_time(client_of, alice, bob, charlie, workspace):
    link = invite(client_of(alice), charlie.email)
    other = make_user("eve@example.com")
    assert signed_in(other).post(link).status_code == 403
    assert client_of(charlie).post(link).status_code == 302
    client_of(charlie).post(f"{MEMBERS}{charlie.public_id}/remove/")
    Membership.objects.filter(user=charlie, workspace=workspace).delete()
    assert client_of(charlie).post(link).status_code == 404
    assert role_of(charlie, workspace) is None


def test_an_old_and_a_withdrawn_invitation_are_worth_nothing(client_of, alice, workspace):
    browser = client_of(alice)
    old = invite(browser, "old@example.com")
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get(old).status_code == 404
    link = invite(browser, "new@example.com")
    invitation = Invitation.objects.get(email="new@example.com")
    browser.post(f"/settings/invitations/{invitation.public_id}/withdraw/")
    assert Client().get(link).status_code == 404


def test_charlie_cannot_withdraw_alices_invitation(client_of, alice, charlie):
    invite(client_of(alice), "new@example.com")
    invitation = Invitation.objects.get()
    assert client_of(charlie).post(f"/settings/invitations/{invitation.public_id}/withdraw/").status_code == 404


def test_inviting_a_member_again_says_so(client_of, alice, bob):
    answer = client_of(alice).post(MEMBERS, {"email": bob.email, "role": "viewer"})
    assert answer.status_code == 422
    assert "is a member of this workspace already" in answer.content.decode()


def test_the_secret_of_an_invitation_is_not_kept(client_of, alice):
    secret = invite(client_of(alice), "new@example.com").rstrip("/").rsplit("/", 1)[1]
    assert secret.encode() not in bytes(Invitation.objects.get().digest)


def test_charlie_chooses_between_his_workspaces(client_of, charlie, workspace, other_workspace):
    join(workspace, charlie, Role.VIEWER)
    browser = client_of(charlie)
    assert "<h1>Elsewhere</h1>" in browser.get("/settings/workspace/").content.decode()
    browser.post("/workspaces/switch/", {"workspace": workspace.public_id})
    assert "<h1>Школа</h1>" in browser.get("/settings/workspace/").content.decode()
    Membership.objects.filter(user=charlie, workspace=workspace).delete()
    assert "<h1>Elsewhere</h1>" in browser.get("/settings/workspace/").content.decode()


def test_a_workspace_of_others_cannot_be_chosen(client_of, charlie, workspace):
    browser = client_of(charlie)
    assert browser.post("/workspaces/switch/", {"workspace": workspace.public_id}).status_code == 404
    assert browser.post("/workspaces/switch/", {"workspace": "\0"}).status_code == 400
    assert browser.post(f"{MEMBERS}%00/remove/").status_code == 404


def test_bob_makes_a_workspace_of_his_own(client_of, bob):
    browser = client_of(bob)
    browser.post("/workspaces/new/", {"name": "Bob's", "timezone": "Asia/Tokyo"})
    assert "Bob&#x27;s" in browser.get("/settings/workspace/").content.decode()
    assert browser.get("/settings/audit/").status_code == 200


def test_the_members_page_has_a_fixed_number_of_queries(
    client_of, alice, bob, vera, workspace, django_assert_max_num_queries
):
    for number in range(20):
        join(workspace, make_user(f"m{number}@example.com"), Role.VIEWER)
    browser = client_of(alice)
    browser.get(MEMBERS)
    with django_assert_max_num_queries(8):
        browser.get(MEMBERS)
