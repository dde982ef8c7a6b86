"""Closed by default: every address asks to sign in unless it is on the list."""

import re

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from accounts.middleware import PUBLIC, PUBLIC_PREFIXES

API_PUBLIC = {"/api/v1/schema/", "/api/docs/"}


def routes(resolver: URLResolver | None = None, path: str = "", namespace: str = ""):
    """(path with 1 or x for its parameters, full name) of every address."""
    for pattern in (resolver or get_resolver()).url_patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            name = f"{namespace}{pattern.name}"
            if "<format>" not in here:  # DRF's suffixes, the same views
                yield "/" + filled(here), name
        else:
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern, here, inner)


def filled(route: str) -> str:
    route = re.sub(r"\(\?P<\w+>[^)]*\)", "x", route).replace("^", "").replace("$", "")  # what DRF's routers write
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: "1" if found[1] == "int" else "x", route)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_a_stranger_is_sent_to_sign_in_from_every_page(db, method):
    closed = [(path, name) for path, name in routes() if name not in PUBLIC and not path.startswith(PUBLIC_PREFIXES)]
    assert len(closed) > 15
    for path, name in closed:
        answer = getattr(Client(), method)(path)
        assert answer.status_code == 302, (path, name)
        assert answer["Location"].startswith("/sign-in/"), (path, name)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_a_stranger_gets_401_from_every_address_of_the_api(db, method):
    paths = [path for path, _ in routes() if path.startswith("/api/") and path not in API_PUBLIC]
    assert len(paths) > 10
    for path in paths:
        answer = getattr(APIClient(), method)(path, {}, format="json")
        assert answer.status_code == 401, path
        assert answer.json()["code"] == "unauthenticated"


def test_what_is_public_is_there(db):
    names = {name for _, name in routes()}
    missing = {name for name in PUBLIC - names if name.startswith("accounts:")}
    assert not missing


def test_nothing_is_changed_by_looking(client_of, alice, bob):
    """Pages of accounts, twice: no GET may write, but for signs of life."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser = client_of(alice)
    browser.get("/settings/profile/")  # the session notes the day
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for path, name in routes():
            if name.startswith("accounts:") and "x" not in path.split("/"):
                browser.get(path)
    writes = [query["sql"] for query in queries if re.match("INSERT|UPDATE|DELETE", query["sql"])]
    assert writes == []


def test_somebody_without_a_workspace_can_make_one_and_leave(client_of, alice, bob):
    client_of(alice).post(f"/settings/members/{bob.public_id}/remove/")
    browser = client_of(bob)
    assert browser.get("/settings/tokens/")["Location"] == "/workspaces/new/"
    for path in ["/workspaces/new/", "/settings/profile/", "/settings/password/"]:
        assert browser.get(path).status_code == 200, path
    assert browser.post("/sign-out/").status_code == 302
