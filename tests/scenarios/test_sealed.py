"""Sealed columns of scenarios survive a change of keys."""

from typing import Any

import pytest

from accounts.models import User
from connections import rotation
from lib.crypto import Keyring, key_id_of
from scenarios import editing
from scenarios.models import Hook, Scenario
from scenarios.triggers import url_of
from tests.scenarios.making import document, made

pytestmark = pytest.mark.django_db


def test_addresses_and_signature_secrets_can_be_read_after_a_rotation(alice: User, settings: Any) -> None:
    scenario = made(alice, document("webhook", signature={"mode": "github", "secret": "key-1"}))
    address = url_of(scenario)
    old, new = Keyring(settings.KEYRING.keys), Keyring.parse(Keyring.generate("fresh"))
    settings.KEYRING = Keyring(new.keys | old.keys)
    for column in rotation.COLUMNS:
        assert rotation.rotate(column).unreadable == 0
    settings.KEYRING = new
    scenario = Scenario.objects.get(pk=scenario.pk)
    assert key_id_of(bytes(Hook.objects.get(scenario=scenario).token)) == "fresh"
    assert url_of(scenario) == address
    assert editing.secrets_of(scenario) == {"secret": "key-1"}
    assert editing.secrets_of(scenario, scenario.published) == {"secret": "key-1"}
