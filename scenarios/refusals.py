"""What a webhook's sender hears when the answer is no: by status, in words, in the sender's language."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext, override
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

from lib import safe_json
from lib.errors import fill
from lib.errors import gettext_noop as _
from scenarios.depth import MOST_DEPTH


@dataclass(frozen=True)
class Refusal:
    """An answer that is no: the code and the words (docs/api.md, "Errors"), and when to come again."""

    code: str
    text: str
    hint: str
    retry_after_s: int | None = None


LATER = _("Send it again after the time in Retry-After.")
REFUSALS = {
    400: Refusal("invalid_input", _("The body ended before its Content-Length."), _("Send it again.")),
    401: Refusal(
        "bad_signature",
        _("The signature is missing or wrong."),
        _("Sign it the way that the scenario's trigger says, with the same secret."),
    ),
    404: Refusal(
        "not_found",
        _("There is no webhook here, or its scenario is switched off."),
        _("Compare the address with the one at the scenario's trigger, and switch the scenario on."),
    ),
    405: Refusal(
        "method_not_allowed",
        _("This webhook does not take this method."),
        _("Use one of those in the Allow header, or add this one at the scenario's trigger."),
    ),
    413: Refusal("too_large", _("The body is too large."), _("Send less at once, or an address to get it from.")),
    429: Refusal("over_limit", _("Too many runs of this workspace are waiting."), LATER, retry_after_s=5),
    431: Refusal("too_large", _("The headers are too large."), _("Send what is large in the body.")),
    503: Refusal("unavailable", _("It could not be stored."), LATER, retry_after_s=5),
    508: Refusal(
        "loop_detected",
        _("This scenario keeps starting itself: {most} runs have called one another already."),
        _("Look for a step that sends to this webhook, directly or through other scenarios."),
    ),
}
PERHAPS_STORED = Refusal(
    "unavailable",
    _("Nobody knows whether it was stored: the database went away in the middle."),
    _("Send it again. With a number for each delivery, named at the scenario's trigger, nothing runs twice."),
    retry_after_s=5,
)


def in_words(why: Refusal, languages: str) -> bytes:
    with override(language_of(languages)):
        text = fill(gettext(why.text), {"most": MOST_DEPTH})
        return safe_json.dumps({"code": why.code, "text": text, "hint": gettext(why.hint)})


def language_of(languages: str) -> str:
    """The first of the sender's languages that is ours, as Django chooses it for pages."""
    for wanted, _priority in parse_accept_lang_header(languages):
        try:
            return get_supported_language_variant(wanted)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
