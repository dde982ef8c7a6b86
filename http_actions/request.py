"""A request to any service."""

import uuid
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from actions.base import Context, HttpAction
from actions.effects import Effect
from actions.fields import (
    BooleanField,
    ChoiceField,
    Errors,
    HeaderNameField,
    HeadersField,
    HeaderValueField,
    LongTextField,
    NumberField,
    QueryField,
    StatusesField,
    UrlField,
)
from actions.requests import Request
from http_actions import payload

if TYPE_CHECKING:
    from lib import egress

METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "MERGE")
EFFECTS = {
    "GET": Effect.READ,
    "HEAD": Effect.READ,
    "PUT": Effect.KEYED,  # idempotent by RFC 9110 9.2.2
    "DELETE": Effect.KEYED,
}
MAX_REDIRECTS = 5
AUTO = "auto"


class HttpRequest(HttpAction):
    key = "http.request"
    title = _("HTTP request")
    help = _("Sends a request to any service and gives its answer to the steps after.")
    returns = _("The answer: status, headers, body.")
    test_note = _("sends a real request")
    icon = "globe"
    kind = "time"
    effect = Effect.ONCE
    connection = "optional"

    method = ChoiceField(_("Method"), choices=tuple((name, name) for name in METHODS), example="POST")
    url = UrlField(_("Request URL"), placeholder="https://api.example.com/v1/orders", max_length=8192)
    format = ChoiceField(
        _("Data format"),
        choices=payload.FORMATS,
        default="json",
        help=_("Sets Content-Type. For text you may set another one in the headers."),
    )
    pairs = payload.BodyField(
        _("Request fields"),
        name="fields",
        default=None,
        help=_("For JSON and forms. Inner names become result[status]=ok in a form."),
        example={"result": {"status": "ok"}, "message": "{{ s1.body.text }}"},
    )
    body = LongTextField(
        _("Request text"), default="", help=_("Instead of the fields: the body as it is sent."), advanced=True
    )
    headers = HeadersField(_("Request headers"), default=None, example={"X-Request-Id": "{{ run.id }}"})
    query = QueryField(
        _("URL parameters"), default=None, help=_("Added to the URL and encoded as needed."), example={"page": 2}
    )
    fail_on = StatusesField(
        _("Statuses that are a failure"),
        default="4xx,5xx",
        advanced=True,
        help=_("Empty: the run goes on whatever the answer is."),
        example="404,5xx",
    )
    seconds = NumberField(_("Time limit, seconds"), name="timeout_s", default=30, least=1, most=300, advanced=True)
    follow_redirects = BooleanField(
        _("Follow redirects"), default=None, advanced=True, help=_("As usual: for GET and HEAD, up to five times.")
    )
    idempotency_key = HeaderValueField(
        _("Idempotency key"),
        default="",
        advanced=True,
        help=_("The same on every attempt, so that the service can recognise a repeat. “auto” makes one for the step."),
        example=AUTO,
    )
    idempotency_header = HeaderNameField(_("Header of the idempotency key"), default="Idempotency-Key", advanced=True)

    def conflicts(self) -> Errors:
        return payload.conflicts(self.format, self.pairs, self.body)

    def effect_of(self) -> Effect:
        return EFFECTS.get(self.method) or (Effect.KEYED if self.idempotency_key else Effect.ONCE)

    def request(self, ctx: Context) -> Request:
        body = payload.encode(self.format, self.pairs, self.body)
        headers = payload.without_content_type(self.headers)
        if body:
            headers["Content-Type"] = payload.content_type(self.format, self.headers)
        if self.idempotency_key:
            is_auto = self.idempotency_key == AUTO
            headers[self.idempotency_header] = str(uuid.UUID(ctx.once_key[:32])) if is_auto else self.idempotency_key
        return Request(self.method, self.url, query=self.query, headers=headers, body=body)

    def exchange(self, request: Request, ctx: Context) -> "egress.Response":
        follows = self.method in ("GET", "HEAD") if self.follow_redirects is None else self.follow_redirects
        return ctx.client.send(request, timeout_s=self.seconds, redirects=MAX_REDIRECTS if follows else 0)

    def is_refusal(self, response: "egress.Response") -> bool:
        return response.status in self.fail_on
