"""The letters that the product sends: in the reader's language, with addresses from the settings, off the request."""

import logging
import smtplib
import threading
from typing import Any

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from accounts.models import Invitation, User

log = logging.getLogger(__name__)


def send_reset(user: User, url: str) -> None:
    send("reset", user.email, user.language, {"user": user, "url": url})


def send_password_changed(user: User, url: str) -> None:
    """Tells the owner of the account, in case it was somebody else."""
    send("password_changed", user.email, user.language, {"user": user, "url": url})


def send_invitation(invitation: Invitation, url: str) -> None:
    invited = User.objects.filter(email=invitation.email).first()
    language = invited.language if invited else translation.get_language()
    send("invitation", invitation.email, language, {"invitation": invitation, "url": url})


def send(name: str, to: str, language: str | None, values: dict[str, Any]) -> None:
    """A letter is a template: its first line is the subject. It leaves in a thread of its own, so that neither a slow
    mail server nor the time of the answer (is there such an account?) reaches the visitor."""
    with translation.override(language or translation.get_language()):
        subject, _, text = render_to_string(f"accounts/letters/{name}.txt", values).strip().partition("\n")
    letter = EmailMessage(" ".join(subject.split()), text.strip() + "\n", to=[to])
    threading.Thread(target=deliver, args=(letter,), name="letter").start()


def deliver(letter: EmailMessage) -> None:
    try:
        letter.send()
    except (OSError, smtplib.SMTPException):
        log.exception("the letter “%s” could not be sent", letter.subject)
