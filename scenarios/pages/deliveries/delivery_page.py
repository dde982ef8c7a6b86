"""What the ledger's list and the page of one delivery show: verdicts in words, the body in its forms."""

from collections.abc import Mapping
from functools import cached_property

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import Actor
from accounts.roles import Role
from lib.errors import Json, fill
from scenarios import deliveries, triggers
from scenarios.depth import MOST_DEPTH
from scenarios.models import Delivery

LONGEST_TEXT = 200_000  # characters of a body shown in a page
KINDS = {"accepted": ("ok", "circle-check"), "duplicate": ("line", ""), "disabled": ("line", "")}
BAD = ("err", "circle-x")
MEANINGS = {
    "accepted": gettext_lazy("It is stored, and started a run."),
    "duplicate": gettext_lazy("A delivery with this number had come before: nothing was started a second time."),
    "bad_signature": gettext_lazy("The signature was missing or wrong. Nothing was started, the body is not kept."),
    "too_large": gettext_lazy("The body was larger than {limit_mb} MB. Nothing was started, it is not kept."),
    "disabled": gettext_lazy("The scenario was switched off. Nothing was started, the body is not kept."),
    "over_limit": gettext_lazy(
        "Too many runs of this workspace were waiting. The sender was told to send it again later."
    ),
    "loop_detected": gettext_lazy(
        "The scenario kept starting itself: {most} runs had called one another. The chain was cut here."
    ),
}


class Row:
    """A delivery in the list, or at the top of its page."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    @property
    def url(self) -> str:
        return reverse("scenarios:delivery", args=[self.delivery.scenario.public_id, self.delivery.id.hex])

    @property
    def kind(self) -> str:
        return KINDS.get(self.delivery.verdict, BAD)[0]

    @property
    def icon(self) -> str:
        return KINDS.get(self.delivery.verdict, BAD)[1]

    @property
    def label(self) -> str:
        return _("Loop") if self.is_loop else self.delivery.get_verdict_display()

    @property
    def is_loop(self) -> bool:
        return deliveries.reason_of(self.delivery) == "loop_detected"

    @property
    def meaning(self) -> str:
        words = str(MEANINGS["loop_detected" if self.is_loop else self.delivery.verdict])
        return fill(words, {"limit_mb": f"{settings.WEBHOOK_MAX_BYTES / 1_000_000:g}", "most": MOST_DEPTH})

    @property
    def is_repetition(self) -> bool:
        return deliveries.repeated_by(self.delivery) is not None

    @property
    def run_url(self) -> str:
        return reverse("runs:detail", args=[self.delivery.run_id.hex]) if self.delivery.run_id else ""


class DeliveryPage(Row):
    def __init__(self, actor: Actor, delivery: Delivery) -> None:
        super().__init__(delivery)
        self.may_act = actor.may(Role.EDITOR)

    @property
    def is_kept(self) -> bool:
        return self.delivery.body is not None

    @property
    def is_lost(self) -> bool:
        """It had a body, which is not kept any more."""
        return not self.is_kept and self.delivery.verdict in deliveries.KEPT_BODIES

    @property
    def can_be_repeated(self) -> bool:
        return self.may_act and self.is_kept and self.delivery.scenario.published_id is not None

    @cached_property
    def headers(self) -> Mapping[str, Json]:
        return deliveries.headers_of(self.delivery)

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return deliveries.query_pairs(self.delivery)

    @cached_property
    def value(self) -> Json:
        return deliveries.body_of(self.delivery)

    @property
    def is_parsed(self) -> bool:
        return isinstance(self.value, dict | list)

    @cached_property
    def text(self) -> str | None:
        text = deliveries.text_of(self.delivery)
        return text[:LONGEST_TEXT] if text is not None else None

    @property
    def is_cut(self) -> bool:
        return self.delivery.size > LONGEST_TEXT

    @cached_property
    def hex(self) -> str:
        return deliveries.hex_of(self.delivery)

    @property
    def hex_is_cut(self) -> bool:
        return self.delivery.size > deliveries.SHOWN_BYTES

    @property
    def view(self) -> str:
        """The form in which the body is shown first."""
        if self.is_parsed:
            return "tree"
        return "text" if self.text is not None else "hex"

    @cached_property
    def curl(self) -> str:
        """The address is for editors: whoever has it can start runs."""
        scenario = self.delivery.scenario
        url = triggers.url_of(scenario) if self.may_act else f"{settings.PUBLIC_URL}/hooks/…/"
        return deliveries.curl(self.delivery, url)

    @property
    def needs_file(self) -> bool:
        return f"@{deliveries.file_name(self.delivery)}" in self.curl

    @property
    def repeats_url(self) -> str:
        first = deliveries.repeated_by(self.delivery)
        here = Delivery.objects.filter(pk=first, scenario_id=self.delivery.scenario_id).exists() if first else False
        return (
            reverse("scenarios:delivery", args=[self.delivery.scenario.public_id, first.hex]) if first and here else ""
        )
