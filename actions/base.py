"""What an action is: a class that declares its inputs and its effect, and does one thing.

From the declaration come the form of the cabinet, the checks of a draft, the JSON Schema of the API, the preview and
the execution. Most actions are an HttpAction: a pure function from inputs to one request.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from actions.answers import refusal_of, result_of
from actions.effects import Effect
from actions.fields import Errors, Field, join, messages_of
from actions.requests import UNSET, Request, segment
from lib.errors import InvalidInput, Json, UserError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from lib import egress

__all__ = ["UNSET", "Action", "Client", "Context", "Effect", "HttpAction", "Request", "result_of", "segment"]

MAX_BYTES = 5_000_000  # of an answer
EXPRESSION_SCHEMA = {
    "type": "string",
    "pattern": r"\{\{|\{%|<<",
    "description": "A text with an expression: {{ s2.body.id }}",
}


class Client(Protocol):
    """Sends requests, signed in or plain. `exchanges` is what went over the wire, secrets masked, newest last."""

    base_url: str
    exchanges: list[dict[str, Json]]

    def send(
        self, request: Request, *, timeout_s: float = 30, redirects: int = 0, max_bytes: int = MAX_BYTES
    ) -> "egress.Response":
        """Raises UserError when there is no usable answer; an error status is an answer."""


@dataclass(frozen=True)
class Context:
    """Where an action is executed. `run_key` is the same in a run and its retries, `path` names the step in it.

    `repeated`: an earlier attempt may have been sent already.
    """

    run_id: str
    run_key: str
    path: str
    attempt: int
    client: Client
    repeated: bool = False
    timezone: str = "UTC"

    @property
    def once_key(self) -> str:
        """The same on each attempt of this step, another for every other step: 64 hex digits."""
        return hashlib.sha256(f"{self.run_key}\n{self.path}".encode()).hexdigest()


class Action:
    """An instance is an action with its inputs, cleaned; the class is the declaration.

    `kind` colours the tile, `test_note` stands beside the button that tests the step, `access` names what the
    connection must be allowed. `only_under` holds the trigger types the step works under, all where it is empty.
    """

    do_not_call_in_templates: ClassVar[bool] = True  # a template reads the declaration, it does not make an action
    key: ClassVar[str]
    title: ClassVar["StrOrPromise"]
    help: ClassVar["StrOrPromise"] = ""
    returns: ClassVar["StrOrPromise"] = ""
    test_note: ClassVar["StrOrPromise"] = ""
    icon: ClassVar[str] = "box"
    kind: ClassVar[str] = "action"
    effect: ClassVar[Effect] = Effect.PURE
    connection: ClassVar[Literal["none", "optional", "required"]] = "none"
    access: ClassVar[str] = ""
    base_url: ClassVar[str] = ""
    replies: ClassVar[bool] = False
    only_under: ClassVar[frozenset[str]] = frozenset()
    fields: ClassVar[dict[str, Field[Any]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = [one for part in reversed(cls.__mro__) for one in vars(part).values() if isinstance(one, Field)]
        cls.fields = {field.name: field for field in declared}

    def __init__(self, cleaned: Mapping[str, Any], given: frozenset[str]) -> None:
        self.cleaned = cleaned
        self.given = given  # names of the inputs that are there at all, blank ones too

    @classmethod
    def clean(cls, inputs: Mapping[str, Json]) -> Self:
        """Make the action of inputs without expressions. Raises InvalidInput with all that is wrong."""
        cleaned: dict[str, Any] = {}
        errors = cls._unknown(inputs)
        for name, field in cls.fields.items():
            try:
                cleaned[name] = field.clean(inputs.get(name))
            except ValidationError as error:
                errors |= under(name, messages_of(error))
        if not errors:
            action = cls(cleaned, given_in(inputs))
            errors = action.conflicts()
        if errors:
            raise InvalidInput(errors)
        return action

    @classmethod
    def check(cls, inputs: Mapping[str, Json]) -> Errors:
        """What is wrong with a draft's inputs, by path. Expressions count as right whatever they will give."""
        cleaned: dict[str, Any] = {}
        errors = cls._unknown(inputs)
        for name, field in cls.fields.items():
            cleaned[name], found = field.check(inputs.get(name))
            errors |= under(name, found)
        return errors or cls(cleaned, given_in(inputs)).conflicts()

    @classmethod
    def schema(cls) -> dict[str, Json]:
        """JSON Schema (2020-12) of the inputs."""
        described: dict[str, Json] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "title": str(cls.title),
            "description": str(cls.help),
            "properties": {name: field.schema() for name, field in cls.fields.items()},
            "required": [name for name, field in cls.fields.items() if field.required],
            "additionalProperties": False,
            "$defs": {"expression": EXPRESSION_SCHEMA},
        }
        return described

    def conflicts(self) -> Errors:
        """What is wrong between inputs, by name. In a draft's check, one with an expression is its field's `blank`."""
        return {}

    def effect_of(self) -> Effect:
        """What a repeat may do with these inputs."""
        return self.effect

    def perform(self, ctx: Context) -> Json:
        """The step's result. Raises UserError."""
        raise NotImplementedError

    def preview(self, ctx: Context) -> Request | None:
        """What would be sent, as far as it is known without sending anything."""
        return None

    @classmethod
    def _unknown(cls, inputs: Mapping[str, Json]) -> Errors:
        there = ", ".join(cls.fields)
        return {
            name: [gettext("There is no such input; there is: %(there)s.") % {"there": there}]
            for name in inputs
            if name not in cls.fields
        }


class HttpAction(Action):
    """An action that is one HTTP request."""

    effect = Effect.READ
    timeout_s: ClassVar[float] = 30

    def request(self, ctx: Context) -> Request:
        raise NotImplementedError

    def result(self, response: "egress.Response", ctx: Context) -> Json:
        return result_of(response)

    def perform(self, ctx: Context) -> Json:
        return self.result(self.send(self.request(ctx), ctx), ctx)

    def preview(self, ctx: Context) -> Request | None:
        return self.request(ctx).under(ctx.client.base_url or self.base_url)

    def send(self, request: Request, ctx: Context) -> "egress.Response":
        """Raises UserError for an answer that is a refusal, and whatever the client raises."""
        response = self.exchange(request, ctx)
        if self.is_refusal(response):
            raise self.refusal(response)
        return response

    def exchange(self, request: Request, ctx: Context) -> "egress.Response":
        absolute = request.under(ctx.client.base_url or self.base_url)
        return ctx.client.send(absolute, timeout_s=self.timeout_s)

    def is_refusal(self, response: "egress.Response") -> bool:
        return response.status >= 400

    def refusal(self, response: "egress.Response") -> UserError:
        return refusal_of(response, self.effect_of())


def given_in(inputs: Mapping[str, Json]) -> frozenset[str]:
    """Null counts as left out."""
    return frozenset(name for name, value in inputs.items() if value is not None)


def under(name: str, errors: Errors) -> Errors:
    return {join(name, inner): messages for inner, messages in errors.items()}
