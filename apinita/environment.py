"""What the environment says: each variable is read here, once, and `.env.example` lists each."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from apinita import embedded
from lib.crypto import BadKeys, Keyring

ROOT = Path(__file__).resolve().parent.parent

# Web server and workers share connections between their threads. A command has one thread, and wants to hear at once
# that the database is away: apinita.command_line turns this off before the settings are read.
uses_pool = True


class BadSetting(ValueError):
    """A setting that cannot be used; the message is one sentence for the operator."""


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if value and value not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise BadSetting(f"{name} must be on or off, not {value!r}.")
    return value in {"1", "true", "yes", "on"} if value else default


def number(name: str, default: int) -> int:
    value = text(name)
    if value and not value.isdecimal():
        raise BadSetting(f"{name} must be a whole number, not {value!r}.")
    return int(value) if value else default


def data_folder() -> Path:
    return Path(text("APINITA_DATA", str(ROOT / "var"))).resolve()


def public_url() -> str:
    """The address that people and services reach us under, without a slash at its end."""
    url = text("APINITA_URL", f"http://127.0.0.1:{number('PORT', 8000)}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadSetting(f"APINITA_URL must be an address such as https://apinita.example, not {url!r}.")
    return url


def database() -> dict[str, Any]:
    """Django's description of the database: DATABASE_URL, or the embedded server in the data folder."""
    url = text("DATABASE_URL") or embedded.database_url(data_folder())
    try:
        parts = dict(conninfo_to_dict(url))
    except ProgrammingError as error:
        # Not the parser's own words: they may quote the password.
        example = "postgresql://user:password@host:5432/apinita"
        raise BadSetting(f"DATABASE_URL cannot be read; it is written like {example}.") from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "apinita"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
    }


def redis_url() -> str:
    return text("REDIS_URL") or embedded.redis_url(data_folder())


def is_embedded() -> bool:
    if bool(text("DATABASE_URL")) != bool(text("REDIS_URL")):
        raise BadSetting("DATABASE_URL and REDIS_URL go together: set both, or neither for the embedded servers.")
    return not text("DATABASE_URL")


def keyring() -> Keyring:
    """The secret keys: APINITA_SECRET_KEYS, or the file that the first embedded start wrote."""
    return Keyring.parse(text("APINITA_SECRET_KEYS") or embedded.secret_keys(data_folder()))


def require_keys() -> None:
    """A process that keeps secrets ends at once where there are no keys: what it sealed could never be opened."""
    try:
        keyring()
    except BadKeys as error:
        raise SystemExit(f"APInita cannot start: {error}; set APINITA_SECRET_KEYS, or start with make run.") from error
