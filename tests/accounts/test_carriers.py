"""A letter that cannot be sent stops none behind it."""

import pytest
from django.core.mail import EmailMessage

from accounts import post_office


class Odd(EmailMessage):
    def send(self, fail_silently: bool = False) -> int:
        raise ValueError("an address that no server takes")


def test_an_odd_letter_is_noted_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    post_office.deliver(Odd("Hello", "…", to=["nobody@example.com"]))
    assert "could not be sent" in caplog.text
