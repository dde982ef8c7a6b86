"""Tokens are renewed once, whoever asks; a failure deletes nothing, and only a definite refusal needs a person."""

import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from accounts.models import Workspace
from actions.base import Request
from connections import refresh, tokens
from connections.access import client_for
from connections.models import Connection, TokenAnswer
from connections.tokens import Tokens
from lib.errors import UserError
from tests.connections import kit
from tests.connections.odd import Came, Reply, Rotating, Server

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


def test_an_expired_token_is_renewed_once_and_the_request_sent_again(workspace: Workspace) -> None:
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        response = client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
    assert response.status == 200
    assert service.refreshes == 1
    assert [came.path for came in server.requests] == ["/thing", "/token", "/thing"]
    stored = kit.again(connection)
    assert stored.token_version == 1
    assert tokens.tokens_of(stored).refresh_token == "refresh-1-secret"
    assert not TokenAnswer.objects.exists()


def test_twenty_threads_and_two_processes_make_one_refresh(workspace: Workspace) -> None:
    service = Rotating(takes_s=0.3)
    service.is_expired = True
    with Server(service) as server:
        kit.connected(workspace, server.url)
        others = [start_process(workspace) for _ in range(2)]
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == b"ready\n"
        statuses: list[int] = []
        start = threading.Barrier(21)
        threads = [threading.Thread(target=call, args=(workspace.pk, start, statuses)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for other in others:
            assert other.stdin is not None
            other.stdin.write(b"go\n")
            other.stdin.flush()
        start.wait()
        for thread in threads:
            thread.join()
        for other in others:
            out, _ = other.communicate(timeout=30)
            statuses += json.loads(out)
    assert statuses == [200] * 30
    assert service.refreshes == 1
    assert not service.is_revoked


def call(workspace_id: int, start: threading.Barrier, statuses: list[int]) -> None:
    try:
        client = client_for(workspace_id, "calendar")
        database.close()  # the pool is smaller than the crowd
        start.wait()
        statuses.append(client.send(Request("GET", "thing")).status)
    finally:
        database.close()


def start_process(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Five threads that call the same thing in a process of their own, once it hears "go"."""
    script = f"""
import sys, threading, json
import django
django.setup()
from actions.base import Request
from connections.access import client_for
client_for({workspace.pk}, "calendar")
statuses = []
def call():
    statuses.append(client_for({workspace.pk}, "calendar").send(Request("GET", "thing")).status)
threads = [threading.Thread(target=call) for _ in range(5)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(statuses))
"""
    name = database.settings_dict["NAME"]
    env = os.environ | {"DATABASE_URL": make_conninfo(os.environ["DATABASE_URL"], dbname=name)}
    return subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=env
    )


def test_an_omitted_refresh_token_is_kept(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        if came.path == "/token":
            return Reply(200, {"access_token": "new-access-token", "expires_in": "3599", "refresh_token": None})
        return Reply(200 if came.headers["authorization"] == "Bearer new-access-token" else 401, {})

    with Server(answer) as server:
        connection = kit.connected(workspace, server.url)
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    stored = kit.again(connection)
    assert tokens.tokens_of(stored) == Tokens(
        "new-access-token", "refresh-0-secret", {"access_token": "new-access-token", "expires_in": "3599"}
    )
    assert stored.expires_at is not None
    assert timedelta(minutes=58) < stored.expires_at - timezone.now() < timedelta(hours=1)


def test_a_withdrawn_grant_asks_for_a_person_and_is_not_tried_again(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        return Reply(400, {"error": "invalid_grant"}) if came.path == "/token" else Reply(401, {})

    with Server(answer) as server:
        connection = kit.connected(workspace, server.url)
        for _ in range(3):
            with pytest.raises(UserError) as caught:
                client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
            assert caught.value.code == "reauthorization_needed"
            assert caught.value.params["connection"] == "calendar"
    assert len(server.to("/token")) == 1
    stored = kit.again(connection)
    assert stored.status == "needs_reauthorization"
    assert stored.error["code"] == "token_refused"
    assert stored.refresh_owner == ""
    assert tokens.tokens_of(stored).refresh_token == "refresh-0-secret"  # nothing is deleted


@pytest.mark.parametrize(
    ("trouble", "headers"),
    [(Reply(503, {}), {}), (Reply(200, b"<html>down</html>"), {}), (Reply(429, {}, {"Retry-After": "60"}), {})],
)
def test_a_token_endpoint_in_trouble_is_given_time(
    workspace: Workspace, trouble: Reply, headers: dict[str, str]
) -> None:
    with Server(lambda came: trouble if came.path == "/token" else Reply(401, {})) as server:
        connection = kit.connected(workspace, server.url)
        for _ in range(5):
            with pytest.raises(UserError) as caught:
                client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
            assert caught.value.code == "token_refresh_paused"
            assert caught.value.retry
            assert caught.value.retry_after_s is not None
    assert len(server.to("/token")) == 1  # the others met the pause
    assert kit.again(connection).status == "connected"


def test_twelve_tries_are_enough_for_two_hours(workspace: Workspace) -> None:
    error = UserError("upstream_unreachable", retry=True)
    waited = tries = 0.0
    while waited < 2 * 3600:
        waited += refresh.pause_after(int(tries), error)
        tries += 1
    assert tries <= 12


def test_a_wrong_client_secret_is_a_matter_of_settings(workspace: Workspace) -> None:
    with Server(
        lambda came: Reply(401, {"error": "invalid_client"}) if came.path == "/token" else Reply(401, {})
    ) as server:
        connection = kit.connected(workspace, server.url)
        with pytest.raises(UserError) as caught:
            client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
    assert (caught.value.code, caught.value.reason) == ("reauthorization_needed", "misconfigured")
    assert kit.again(connection).status == "misconfigured"


def test_losing_a_race_is_no_refusal(workspace: Workspace) -> None:
    """Somebody stored newer tokens while ours were refused: theirs are used."""

    def answer(came: Came) -> Reply:
        if came.path == "/token":
            current = Connection.objects.get(slug="calendar")
            newer = Tokens(access_token="newer-access-token", refresh_token="newer-refresh-token")
            Connection.objects.filter(pk=current.pk).update(
                token_version=1, tokens=tokens.sealed(current, "tokens", newer.as_json())
            )
            database.close()
            return Reply(400, {"error": "invalid_grant"})
        return Reply(200 if came.headers["authorization"] == "Bearer newer-access-token" else 401, {})

    with Server(answer) as server:
        connection = kit.connected(workspace, server.url)
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert kit.again(connection).status == "connected"


def test_an_answer_that_a_crash_left_behind_is_used_instead_of_a_second_refresh(workspace: Workspace) -> None:
    service = Rotating()
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        # What a worker killed between the answer and the write leaves behind:
        service.token(Came("POST", "/token", {}, {}, b"refresh_token=refresh-0-secret"))
        body = {"access_token": service.access, "refresh_token": service.refresh, "expires_in": 3600}
        tokens.keep_answer(connection, 200, json.dumps(body).encode(), version=0)
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert service.refreshes == 1
    assert not service.is_revoked
    assert not server.to("/token")


def test_a_dead_holder_of_the_lease_is_replaced_when_its_time_is_over(workspace: Workspace) -> None:
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        Connection.objects.filter(pk=connection.pk).update(
            refresh_owner="dead", refresh_lease_until=timezone.now() + timedelta(seconds=0.5)
        )
        started = time.monotonic()
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert time.monotonic() - started > 0.4
    assert service.refreshes == 1


def test_a_living_holder_is_waited_for_in_vain_only_so_long(workspace: Workspace, monkeypatch: Any) -> None:
    monkeypatch.setattr(refresh, "WAIT_S", 0.3)
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        Connection.objects.filter(pk=connection.pk).update(
            refresh_owner="alive", refresh_lease_until=timezone.now() + timedelta(minutes=1)
        )
        with pytest.raises(UserError) as caught:
            client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
    assert caught.value.code == "token_refresh_busy"
    assert caught.value.retry
    assert service.refreshes == 0


def test_without_a_refresh_token_a_refusal_needs_a_person(workspace: Workspace) -> None:
    with Server(lambda came: Reply(401, {})) as server:
        connection = kit.connected(workspace, server.url, tokens=Tokens(access_token="access-0-secret"))
        with pytest.raises(UserError) as caught:
            client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
    assert (caught.value.code, caught.value.reason) == ("reauthorization_needed", "no_refresh_token")
    assert kit.again(connection).status == "needs_reauthorization"
    assert not server.to("/token")


def test_a_second_refusal_is_the_answer_and_makes_no_second_refresh(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        return Reply(200, {"access_token": "fresh-token-value"}) if came.path == "/token" else Reply(401, {})

    with Server(answer) as server:
        kit.connected(workspace, server.url)
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 401
    assert len(server.to("/token")) == 1


def test_a_configured_status_renews_too_but_a_useless_refresh_is_not_repeated(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        return Reply(200, {"access_token": "fresh-token-value"}) if came.path == "/token" else Reply(403, {})

    with Server(answer) as server:
        kit.connected(workspace, server.url, expired_statuses=[401, 403])
        for _ in range(3):
            assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 403
    assert len(server.to("/token")) == 1


def test_an_expiry_told_in_the_body_renews(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        if came.path == "/token":
            return Reply(200, {"access_token": "fresh-token-value"})
        is_fresh = came.headers["authorization"] == "Bearer fresh-token-value"
        return Reply(200, {"ok": True} if is_fresh else {"ok": False, "error": "token_expired"})

    with Server(answer) as server:
        kit.connected(workspace, server.url, expired_when="{{ body.error == 'token_expired' }}")
        response = client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
    assert response.json() == {"ok": True}


def test_a_token_near_its_end_is_renewed_ahead(workspace: Workspace) -> None:
    service = Rotating()
    with Server(service) as server:
        now = timezone.now()
        kit.connected(
            workspace, server.url, expires_at=now + timedelta(seconds=30), refreshed_at=now - timedelta(minutes=59)
        )
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert [came.path for came in server.requests] == ["/token", "/thing"]


def test_a_short_lived_token_is_not_renewed_at_every_use(workspace: Workspace) -> None:
    service = Rotating()
    with Server(service) as server:
        now = timezone.now()
        kit.connected(workspace, server.url, expires_at=now + timedelta(seconds=30), refreshed_at=now)
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert service.refreshes == 0


def test_a_token_that_still_lives_is_used_when_its_renewal_has_to_wait(workspace: Workspace) -> None:
    with Server(lambda came: Reply(500 if came.path == "/token" else 200, {})) as server:
        now = timezone.now()
        kit.connected(
            workspace, server.url, expires_at=now + timedelta(seconds=30), refreshed_at=now - timedelta(hours=1)
        )
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200


def test_client_credentials_get_their_token_at_the_first_use(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        if came.path == "/token":
            return Reply(200, {"access_token": f"minted-token-{len(server.to('/token'))}", "expires_in": 60})
        is_first = came.headers["authorization"] == "Bearer minted-token-1"
        return Reply(401 if is_first and len(server.to("/thing")) > 1 else 200, {})

    with Server(answer) as server:
        kit.connected(
            workspace,
            server.url,
            grant="client_credentials",
            token_params={"grant_type": "client_credentials", "scope": "{{ scope }}"},
            token_headers={"Authorization": "Basic {{ base64_encode(client_id ~ ':' ~ client_secret) }}"},
            tokens=None,
            status="new",
        )
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert [came.form for came in server.to("/token")] == [{"grant_type": "client_credentials"}] * 2
    assert server.to("/token")[0].headers["authorization"] == "Basic Y2xpZW50OmNsaWVudC1zZWNyZXQtdmFsdWU="
