"""Does what a step says: resolves its inputs, hands the action a signed-in client, keeps secrets off the record."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import psycopg
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from actions import registry
from actions.base import Action, Context
from connections import access
from connections.client import PlainClient
from connections.masking import MASK, mask_headers, mask_json, mask_known
from lib.egress import Abort
from lib.errors import InvalidInput, Json, UserError
from lib.expressions import Budget, Compiled
from lib.failpoints import failpoint
from scenarios.document import Step
from scenarios.engine_terms import Attempt, Cancelled, HandedOver, Performed, Prepared
from scenarios.flow import is_true
from scenarios.journal import LeaseLost
from scenarios.plans import Plan

log = logging.getLogger(__name__)

# Says something of the run or of the database, not of the step: the run is put back or found by the sweep.
NOT_THE_STEP = (LeaseLost, HandedOver, Cancelled, psycopg.Error, DatabaseError)


@dataclass(frozen=True)
class StepPerformer:
    """Performs the steps of one run, or of one test of a draft (scenarios.engine.Performer)."""

    plan: Plan
    workspace_id: int
    run_id: str
    run_key: str
    timezone: str
    before_send: Callable[[], None] | None = None
    abort: Abort | None = None
    depth: int = 0

    def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
        """Raises InvalidInput or ExpressionError, which name the input they are about, and UserError no_connection."""
        resolved = self.resolve(step, names) if inputs is None else self.resolved_again(step, names, inputs)
        action = registry.get(step.action).clean(resolved)
        # The client is made here, before the step counts as begun: what fails until then has surely sent nothing.
        client = self.client(step, action)
        if not connection.in_atomic_block:
            close_old_connections()
        perform = partial(self.perform, action, client)
        return Prepared(kept(resolved), str(action.effect_of()), action.replies, perform)

    def values(self, step: Step, names: Mapping[str, Json]) -> dict[str, Json]:
        """A flow step's inputs, cleaned. Raises InvalidInput or ExpressionError."""
        return dict(registry.get(step.action).clean(self.resolve(step, names)).cleaned)

    def choose(self, step: Step, names: Mapping[str, Json]) -> int | None:
        """The first branch of a router whose condition is true. Raises ExpressionError."""
        for number, condition in enumerate(self.plan.conditions.get(step.key, ())):
            if condition is None or is_true(self.evaluate(f"branches[{number}].when", condition, names)):
                return number
        return None

    def reads(self, step: Step) -> frozenset[str]:
        return self.plan.reads[step.key]

    def resolved_again(self, step: Step, names: Mapping[str, Json], inputs: Mapping[str, Json]) -> dict[str, Json]:
        """The inputs of an earlier attempt, so that `random()` and `now()` stay; only masked headers are made anew."""
        stored, compiled = inputs.get("headers"), self.plan.inputs[step.key].get("headers")
        if compiled is None or not isinstance(stored, dict) or not any(map(is_masked, stored.values())):
            return dict(inputs)
        fresh = self.evaluate("headers", compiled, self.with_connection(step, names))
        if not isinstance(fresh, dict):
            return dict(inputs)
        headers = {name: fresh.get(name, value) if is_masked(value) else value for name, value in stored.items()}
        return {**inputs, "headers": headers}

    def resolve(self, step: Step, names: Mapping[str, Json]) -> dict[str, Json]:
        names = self.with_connection(step, names)
        return {name: self.evaluate(name, value, names) for name, value in self.plan.inputs[step.key].items()}

    def with_connection(self, step: Step, names: Mapping[str, Json]) -> Mapping[str, Json]:
        """The names, with that of the step's connection where an input reads it."""
        read = any("connection" in value.references for value in self.plan.inputs[step.key].values())
        if not step.connection or not read:
            return names
        return {**names, "connection": access.described(self.workspace_id, step.connection)}

    def evaluate(self, name: str, compiled: Compiled, names: Mapping[str, Json]) -> Json:
        try:
            return compiled.evaluate(names, budget=Budget(timezone=self.timezone))
        except UserError as error:
            error.params.setdefault("field", name)
            raise

    def perform(self, action: Action, client: PlainClient, attempt: Attempt) -> Performed:
        try:
            result = action.perform(self.context(attempt, client))
            failpoint("after_send")
        except UserError as error:
            return Performed(error=self.told(error, client), exchange=exchange(client))
        except DatabaseError:
            if client.exchanges:
                raise
            return Performed(put_back=True)
        except NOT_THE_STEP:
            raise
        except Exception:  # a bug of ours in one action must not take down the run's worker
            log.exception("step %s of run %s", attempt.path, self.run_id)
            return Performed(error=UserError("internal", unknown=bool(client.exchanges)), exchange=exchange(client))
        return Performed(result=mask_known(result, client.secrets), exchange=exchange(client))

    def preview(self, step: Step, action: Action, path: str) -> Json:
        """What the step would send, secrets masked; nothing where it sends nothing."""
        client = self.client(step, action)
        request = action.preview(self.context(Attempt(path, 1, repeated=False), client))
        if request is None:
            return None
        sent = request.encoded(client.base_url)
        described = {
            "method": sent.method,
            "url": sent.url,
            "headers": mask_headers(sent.headers, client.secrets),
            "body": sent.body.decode(errors="replace"),
        }
        return mask_json(described, client.secrets)

    def client(self, step: Step, action: Action) -> PlainClient:
        return access.client_for(
            self.workspace_id,
            step.connection or None,
            base_url=action.base_url,
            before_send=self.before_send,
            abort=self.abort,
            depth=self.depth,
        )

    def context(self, attempt: Attempt, client: PlainClient) -> Context:
        return Context(
            run_id=self.run_id,
            run_key=self.run_key,
            path=attempt.path,
            attempt=attempt.number,
            client=client,
            repeated=attempt.repeated,
            timezone=self.timezone,
        )

    def told(self, error: UserError, client: PlainClient) -> UserError:
        """The error as it is stored: without secrets, and with what its run waits for."""
        if isinstance(error, InvalidInput):
            return error
        error.params = mask_json(error.params, client.secrets)
        if error.code == "reauthorization_needed":
            error.params["waits_for"] = f"connection:{client.connection_id}"
        return error


def kept(inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The inputs for the history: without the headers that carry a secret by their name."""
    headers = inputs.get("headers")
    if not isinstance(headers, dict):
        return dict(inputs)
    texts = {name: value for name, value in headers.items() if isinstance(value, str)}
    return {**inputs, "headers": {**headers, **mask_headers(texts, frozenset())}}


def is_masked(value: Json) -> bool:
    return isinstance(value, str) and MASK in value


def exchange(client: PlainClient) -> Json:
    """What went over the wire last, secrets masked."""
    return client.exchanges[-1] if client.exchanges else None
