"""Creates, changes, disconnects and deletes connections. Pages, the API and commands are faces of these functions."""

import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Actor
from accounts.roles import Role
from actions.base import Request
from connections import checking, conversation, events, presets, renewal, tokens, usage
from connections.client import PlainClient
from connections.config import (
    CLIENT_CREDENTIALS,
    CLIENT_PARAMS,
    CODE_PARAMS,
    SECRET_BY_TYPE,
    OAuthConfig,
    config_of,
    guarded_changes,
)
from connections.hosts import require_own
from connections.masking import MASK
from connections.models import Connection
from connections.rendering import render_address
from lib.errors import InvalidInput, UserError

SLUG_LENGTH = 64
ROMAN = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "e",
            "zh",
            "z",
            "i",
            "y",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shch",
            "",
            "y",
            "",
            "e",
            "yu",
            "ya",
        ],
        strict=True,
    )
)

log = logging.getLogger(__name__)


def create(
    actor: Actor,
    *,
    name: str,
    type: str = "oauth2",
    preset: str = "",
    slug: str = "",
    settings: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Connection:
    """A connection of the preset's settings with these on top. Raises InvalidInput, Forbidden."""
    actor.require(Role.EDITOR)
    chosen = presets.find(preset) if type == "oauth2" else None
    base = chosen.oauth().as_json() if chosen else config_of(type, {}).as_json()
    config = config_of(type, {**base, **fitting(settings or {}, base)}).as_json()
    checking.require_right(config_of(type, config))
    connection = Connection(
        workspace=actor.workspace,
        created_by=actor.user,
        name=name.strip(),
        type=type,
        preset=preset if type == "oauth2" else "",
        slug=slug or free_slug(actor, name),
        config=config,
    )
    typed = {
        **(chosen.secrets if chosen and not overrides_address(settings, chosen.oauth()) else {}),
        **(secrets or {}),
    }
    put_secrets(connection, typed)
    save(connection)
    audit.record(actor, "connection.created", connection.name, type=type, preset=preset)
    return connection


def change(
    actor: Actor,
    connection: Connection,
    *,
    name: str | None = None,
    slug: str | None = None,
    settings: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Connection:
    """Change what is given. What decides where secrets go needs the secret again and drops the tokens.

    Raises UserError secret_needed, InvalidInput, Forbidden.
    """
    actor.require(Role.EDITOR)
    with transaction.atomic():
        current = Connection.objects.select_for_update().get(pk=connection.pk)
        given = unmasked(settings or {}, current.config)
        config = config_of(current.type, {**current.config, **fitting(given, current.config)}).as_json()
        checking.require_right(config_of(current.type, config))
        before = config_of(current.type, current.config).as_json()
        guarded = guarded_changes(before, config)
        secret = SECRET_BY_TYPE[current.type]
        typed = {key: value for key, value in (secrets or {}).items() if value}
        if guarded and current.secrets and secret not in typed:
            raise UserError("secret_needed", params={"field": secret, "changed": guarded})
        current.name = current.name if name is None else name.strip()
        current.slug = current.slug if slug is None else slug
        current.config = config
        if guarded or typed:
            put_secrets(current, typed)
        if guarded:
            drop_tokens(current)
        save(current)
    audit.record(
        actor, "connection.changed", current.name, fields=[key for key in config if config[key] != before[key]]
    )
    return current


def fitting(settings: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The token request's parameters follow the grant, as long as nobody wrote their own."""
    changed = dict(settings)
    is_standard = "token_params" not in changed and base.get("token_params") in (CODE_PARAMS, CLIENT_PARAMS)
    if is_standard and "grant" in changed:
        changed["token_params"] = CLIENT_PARAMS if changed["grant"] == CLIENT_CREDENTIALS else CODE_PARAMS
    return changed


def unmasked(settings: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The API masks a key that was typed into a row: who writes the row back as it was read means the stored one."""
    given = dict(settings)
    for field in checking.PAIRS:
        if field in given:
            old = stored.get(field) or {}
            given[field] = {
                name: old.get(name, MASK) if value == MASK else value for name, value in given[field].items()
            }
    return given


def overrides_address(settings: Mapping[str, Any] | None, preset: OAuthConfig) -> bool:
    """A preset's own secret belongs to its own addresses."""
    return any(
        name.endswith("_url") and value != getattr(preset, name, value) for name, value in (settings or {}).items()
    )


def put_secrets(connection: Connection, typed: Mapping[str, str]) -> None:
    known = SECRET_BY_TYPE[connection.type]
    if unknown := set(typed) - {known}:
        raise InvalidInput({name: ["?"] for name in unknown})
    value = typed.get(known, "")
    if not value:
        return
    connection.secrets = tokens.sealed(connection, "secrets", {known: value})
    connection.secrets_set_at = timezone.now()
    if connection.type != "oauth2":
        connection.status = "connected"
        connection.error = None


def drop_tokens(connection: Connection) -> None:
    """Forget what was given for other settings. A refresh under way loses its compare-and-set."""
    connection.tokens = None
    connection.token_version += 1
    connection.expires_at = connection.refreshed_at = None
    connection.refresh_owner, connection.refresh_lease_until = "", None
    connection.refresh_failures, connection.refresh_not_before = 0, None
    connection.scopes, connection.account = [], ""
    connection.error = None
    if connection.blocked_until is not None:  # it was said to the account of before
        connection.blocked_until, connection.throttle_count = None, 0
        connection.probe_owner, connection.probe_until = "", None
        transaction.on_commit(partial(events.tell_released, connection))
    connection.status = "connected" if connection.type != "oauth2" and connection.secrets else "new"
    if connection.pk:
        connection.flows.all().delete()
        tokens.forget_answers(connection)


def save(connection: Connection) -> None:
    try:
        with transaction.atomic():
            connection.save()
    except IntegrityError:
        raise InvalidInput({"slug": [_("There is a connection with this short name already.")]}) from None


def disconnect(actor: Actor, connection: Connection) -> Connection:
    """Forget the tokens, and tell the service so where it can be told. The settings stay."""
    actor.require(Role.EDITOR)
    revoke(connection)
    with transaction.atomic():
        current = Connection.objects.select_for_update().get(pk=connection.pk)
        if current.type != "oauth2":
            current.secrets, current.secrets_set_at = None, None
        drop_tokens(current)
        current.save()
    audit.record(actor, "connection.disconnected", current.name)
    return current


def delete(actor: Actor, connection: Connection) -> None:
    """Raises UserError in_use with `params.scenarios` while scenarios use it."""
    actor.require(Role.EDITOR)
    if users := usage.users_of(connection):
        names = ", ".join(user["name"] for user in users)
        raise UserError("in_use", "connection", params={"name": connection.name, "names": names, "scenarios": users})
    revoke(connection)
    audit.record(actor, "connection.deleted", connection.name)
    connection.delete()


def revoke(connection: Connection) -> None:
    """RFC 7009, as well as it goes: a service that is away must not keep anybody from disconnecting."""
    if connection.type != "oauth2" or not connection.tokens:
        return
    try:
        config, given = tokens.oauth_config(connection), tokens.tokens_of(connection)
        token = given.refresh_token or given.access_token
        if not config.revoke_url or not token:
            return
        url = render_address(config.revoke_url, renewal.all_names(connection, config, given))
        require_own(connection, config, config.revoke_url, url)
        request = Request("POST", url, form={"token": token})
        PlainClient(pool=str(connection.workspace_id)).send(request, timeout_s=conversation.TIMEOUT_S)
    except UserError as error:
        log.warning("connection %s: the service could not be told to revoke: %s", connection.public_id, error)


def free_slug(actor: Actor, name: str) -> str:
    """A short name made of the name, in Latin letters, that the workspace does not have yet."""
    roman = "".join(ROMAN.get(letter, letter) for letter in name.lower())
    base = slugify(re.sub(r"[_.]", "-", roman))[: SLUG_LENGTH - 5].strip("-") or "connection"
    taken = set(
        Connection.objects.filter(workspace=actor.workspace, slug__startswith=base).values_list("slug", flat=True)
    )
    if base not in taken:
        return base
    return next(slug for number in range(2, len(taken) + 3) if (slug := f"{base}-{number}") not in taken)
