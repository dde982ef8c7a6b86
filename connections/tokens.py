"""A connection's secrets and tokens: sealed in columns, opened where they are needed, merged when new ones come."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from accounts import vault
from connections.answers import Answer, secrets_in
from connections.config import SECRET_BY_TYPE, Config, OAuthConfig, config_of
from connections.models import Connection, TokenAnswer
from lib import safe_json
from lib.crypto import CannotOpen
from lib.errors import Json, UserError

TABLE = Connection._meta.db_table
ANSWERS = TokenAnswer._meta.db_table


@dataclass(frozen=True, repr=False)
class Tokens:
    """What a service gave: `answer` holds the last answer's other fields, `callback` the parameters of the consent."""

    access_token: str = ""
    refresh_token: str = ""
    answer: dict[str, Json] = field(default_factory=dict)
    callback: dict[str, Json] = field(default_factory=dict)

    def merged(self, new: Answer) -> "Tokens":
        """With a new answer: what it leaves out is kept, above all the refresh token."""
        kept = {name: value for name, value in new.fields.items() if value is not None}
        return replace(
            self,
            access_token=new.access_token,
            refresh_token=new.refresh_token or self.refresh_token,
            answer={**self.answer, **kept},
        )

    def as_json(self) -> dict[str, Json]:
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "answer": self.answer,
            "callback": self.callback,
        }


def secrets_of(connection: Connection) -> dict[str, str]:
    """What the person typed in, by name. Raises UserError secrets_unreadable."""
    return dict(unseal(connection, "secrets") or {})


def tokens_of(connection: Connection) -> Tokens:
    return Tokens(**(unseal(connection, "tokens") or {}))


def unseal(connection: Connection, column: str) -> Any:
    sealed = getattr(connection, column)
    if not sealed:
        return None
    try:
        return vault.open_json(
            bytes(sealed), table=TABLE, column=column, row=connection.public_id, workspace=connection.workspace_id
        )
    except CannotOpen:
        raise UserError("secrets_unreadable", params={"name": connection.name}) from None


def sealed(connection: Connection, column: str, value: Mapping[str, Json]) -> bytes:
    """Ready for the column `secrets` or `tokens` of this connection; it opens nowhere else."""
    return vault.seal_json(
        dict(value), table=TABLE, column=column, row=connection.public_id, workspace=connection.workspace_id
    )


def keep_answer(connection: Connection, status: int, body: bytes, *, version: int) -> None:
    """Store an answer before it is parsed: whatever happens then, a rotated refresh token is not lost."""
    plain = safe_json.dumps({"status": status, "body": body.decode("latin-1")})
    TokenAnswer.objects.create(
        connection=connection,
        token_version=version,
        answer=vault.seal(plain, table=ANSWERS, column="answer", **answer_place(connection, version)),
    )


def kept_answers(connection: Connection, *, version: int) -> list[tuple[int, bytes]]:
    """Answers to a request that started from this version, newest first: (status, body)."""
    found = []
    for row in TokenAnswer.objects.filter(connection=connection, token_version=version).order_by("-id"):
        try:
            plain = vault.open(bytes(row.answer), table=ANSWERS, column="answer", **answer_place(connection, version))
        except CannotOpen:
            continue
        value = safe_json.loads(plain)
        found.append((int(value["status"]), value["body"].encode("latin-1")))
    return found


def of_exchange(version: int) -> int:
    """Answers to codes are kept apart from answers to refreshes of the same version: only those can be used later."""
    return -1 - version


def forget_answers(connection: Connection, *, of_exchanges: bool = False) -> None:
    """All of them, or only those to codes."""
    kept = TokenAnswer.objects.filter(connection=connection)
    (kept.filter(token_version__lt=0) if of_exchanges else kept).delete()


def answer_place(connection: Connection, version: int) -> dict[str, Any]:
    return {"row": f"{connection.public_id}/{version}", "workspace": connection.workspace_id}


def names_of(connection: Connection, config: Config, secrets: Mapping[str, str], tokens: Tokens) -> dict[str, Json]:
    """What the templates of a connected connection may name. `redirect_uri` is added where it is asked for."""
    names: dict[str, Json] = {
        "account": connection.account,
        "token": tokens.answer,
        "callback": tokens.callback,
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        **secrets,
    }
    if isinstance(config, OAuthConfig):
        names |= {"client_id": config.client_id, "client_secret": secrets.get("client_secret", "")}
        names["scope"] = config.scope or " ".join(connection.scopes)
    names |= {name: value for name, value in connection.config.items() if name == "username"}
    return names


def secret_values(secrets: Mapping[str, str], tokens: Tokens) -> frozenset[str]:
    """The values that must show up nowhere."""
    answered = secrets_in(tokens.answer) | secrets_in(tokens.callback)
    return frozenset(filter(None, {*secrets.values(), tokens.access_token, tokens.refresh_token, *answered}))


def hidden_of(connection: Connection) -> frozenset[str]:
    """The values of a connection that must show up nowhere; none where they cannot be decrypted anyway."""
    typed, given = dict[str, str](), Tokens()
    with suppress(UserError):
        typed = secrets_of(connection)
    with suppress(UserError):
        given = tokens_of(connection)
    return secret_values(typed, given)


def has_secret(connection: Connection) -> bool:
    return connection.secrets is not None


def secret_name(connection: Connection) -> str:
    return SECRET_BY_TYPE[connection.type]


def config(connection: Connection) -> Config:
    return config_of(connection.type, connection.config)


def oauth_config(connection: Connection) -> OAuthConfig:
    return OAuthConfig.of(connection.config)
