"""The answer to the request that started the run."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.base import Action, Context
from actions.effects import Effect
from actions.fields import ChoiceField, Errors, HeadersField, LongTextField, NumberField
from http_actions import payload
from lib.errors import Json

WITHOUT_BODY = (204, 205, 304)
# Headers that would speak for our whole site, not for this one answer.
FOR_THE_SITE = frozenset({
    "alt-svc", "clear-site-data", "content-security-policy", "content-security-policy-report-only",
    "cross-origin-opener-policy", "nel", "permissions-policy", "public-key-pins", "report-to", "reporting-endpoints",
    "service-worker-allowed", "set-cookie", "set-cookie2", "strict-transport-security", "x-content-type-options",
    "x-frame-options",
})  # fmt: skip


class Respond(Action):
    key = "webhook.respond"
    title = _("Respond to the webhook")
    help = _("Answers the request that started the run, instead of the usual confirmation.")
    returns = _("What was answered: status, headers, body.")
    test_note = _("shows the answer, sends nothing")
    icon = "corner-down-left"
    kind = "code"
    effect = Effect.PURE  # the runtime sends it
    replies = True
    only_under = frozenset({"webhook"})

    status = NumberField(_("Response status"), default=200, least=200, most=599)
    format = ChoiceField(
        _("Data format"),
        choices=payload.FORMATS,
        default="json",
        help=_("Sets Content-Type. For text you may set another one in the headers, such as text/html."),
    )
    pairs = payload.BodyField(
        _("Response fields"),
        name="fields",
        default=None,
        help=_("For JSON and forms."),
        example={"result": {"status": "ok"}, "message": "{{ s2.body.id }}"},
    )
    body = LongTextField(_("Response text"), default="", help=_("Instead of the fields: the body as it is sent."))
    headers = HeadersField(
        _("Response headers"),
        default=None,
        refused=FOR_THE_SITE,
        help=_("Cookies cannot be set, nor what belongs to the whole site."),
    )

    def conflicts(self) -> Errors:
        errors = payload.conflicts(self.format, self.pairs, self.body)
        if self.status in WITHOUT_BODY and (self.pairs or self.body):
            errors["status"] = [gettext("An answer with the status %(status)s has no body.") % {"status": self.status}]
        return errors

    def perform(self, ctx: Context) -> Json:
        """The runtime sends it: {"status", "headers" with lower-case names, "body" as text}."""
        body = payload.encode(self.format, self.pairs, self.body)
        headers = {name.lower(): value for name, value in payload.without_content_type(self.headers).items()}
        if body:
            headers[payload.CONTENT_TYPE] = payload.content_type(self.format, self.headers)
        return {"status": self.status, "headers": headers, "body": body.decode()}
