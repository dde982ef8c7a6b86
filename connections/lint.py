"""What is off with an OAuth form before the first click, in words. Shown live, stored nowhere, forbids nothing.

The widespread instruction for Google has most of it: another service's scope, two different redirect URIs, no
prompt=consent, a nonce instead of state.
"""

from connections import address, presets
from connections.config import OAuthConfig
from connections.lint_rules import CLIENT_RULES, CODE_RULES
from connections.lint_subject import Finding, Subject


def lint(config: OAuthConfig, *, redirect_uri: str, preset: str = "") -> list[Finding]:
    """Findings in the order of the form, errors and warnings before what is right."""
    subject = Subject(config, address.parse(config.authorization_url), redirect_uri, presets.find(preset))
    rules = CLIENT_RULES if config.is_for_client else CODE_RULES
    found = [finding for rule in rules for finding in rule(subject)]
    return sorted(found, key=lambda finding: ("error", "warn", "ok").index(finding.level))
