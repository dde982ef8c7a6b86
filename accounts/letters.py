"""The letters that the product sends: in the reader's language, with addresses from the settings, off the request."""

import re
import unicodedata
from typing import Any

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from accounts import post_office
from accounts.models import Invitation, User

LONGEST_NAME = 60
# What a mail program could make a link of. «И.И.Иванов» is none.
ADDRESS = re.compile(
    r"""
      [a-z][a-z0-9+.-]* :/ \S*                                    # https://…
    | www[.．。｡] \S+
    | \d{1,3} (?: [.]\d{1,3} ){3} \S*                            # an IP address
    | (?: \w[\w-]* [.．。｡] )+ [^\W\d_]{2,} [:/] \S*             # host/path
    | \S+@\S+
    | (?: \w[\w-]* [.．。｡] )* \w[\w-]+ [.．。｡]                     # a host alone
      (?: [a-z]{2,} | xn--[\w-]+ | рф|рус|москва|дети|онлайн|сайт ) \b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def send_reset(user: User, url: str) -> None:
    send("reset", user.email, user.language, {"user": user, "url": url})


def send_password_changed(user: User, url: str, *, revoked: int = 0) -> None:
    """Tells the owner of the account, in case it was somebody else, and how many API tokens ended with it."""
    send("password_changed", user.email, user.language, {"user": user, "url": url, "revoked": revoked})


def send_invitation(invitation: Invitation, url: str) -> None:
    """It goes to somebody who did not ask: what strangers call themselves must not be a message of its own."""
    invited = User.objects.filter(email=invitation.email).first()
    inviter = invitation.invited_by
    values = {
        "name": harmless(invitation.workspace.name),
        "who": (harmless(inviter.name) or inviter.email) if inviter else "",
        "invitation": invitation,
        "url": url,
    }
    language = invited.language if invited else translation.get_language()
    send("invitation", invitation.email, language, values, urgent=False)


def send(name: str, to: str, language: str | None, values: dict[str, Any], *, urgent: bool = True) -> None:
    """A letter is a template: its first line is the subject. It leaves after the answer, so that neither a slow
    mail server nor the time of the answer (is there such an account?) reaches the visitor."""
    with translation.override(language or translation.get_language()):
        subject, _, text = render_to_string(f"accounts/letters/{name}.txt", values).strip().partition("\n")
    post_office.post(EmailMessage(" ".join(subject.split()), text.strip() + "\n", to=[to]), urgent=urgent)


def harmless(name: str) -> str:
    """A name that somebody chose, for a letter to others: short, on one line, without addresses to click on."""
    spaced = "".join(" " if unicodedata.category(mark) in {"Cc", "Zl", "Zp", "Zs"} else mark for mark in name)
    visible = "".join(mark for mark in spaced if not unicodedata.category(mark).startswith("C"))
    words = " ".join(ADDRESS.sub(" ", visible).split())
    return words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME - 1].rstrip()}…"
