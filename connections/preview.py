"""What a form shows beside itself: the address that the person will be sent to, and the checks."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext

from connections import oauth
from connections.config import OAuthConfig
from connections.lint import lint
from connections.lint_subject import Finding
from connections.models import Connection
from connections.redirect import redirect_uri
from lib.errors import UserError, describe

HIDDEN = "••••••"
OURS = ("state", "code_challenge")


@dataclass(frozen=True)
class Preview:
    """`parts` are name and value as a person reads them; `problem` is why there is no address."""

    base: str
    parts: list[tuple[str, str]]
    findings: list[Finding]
    problem: str = ""

    @property
    def checks(self) -> list[Finding]:
        """Without what has a box of its own."""
        return [finding for finding in self.findings if finding.field]

    @property
    def notes(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.field]


def preview(connection: Connection, config: OAuthConfig) -> Preview:
    findings = lint(config, redirect_uri=redirect_uri(connection), preset=connection.preset)
    if config.is_for_client or not config.authorization_url:
        return Preview("", [], findings)
    try:
        url = oauth.authorization_url(connection, config, state=HIDDEN, verifier=HIDDEN)
    except UserError as error:
        return Preview("", [], findings, str(describe(error.as_json(), gettext)["text"]))
    parts = urlsplit(url)
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    shown = [(name, HIDDEN if name in OURS else unquote(value)) for name, _, value in pairs]
    return Preview(f"{parts.scheme}://{parts.netloc}{parts.path}", shown, findings)
