"""How the rest of the product reaches connections: by workspace and slug, never past the workspace."""

from collections.abc import Callable

from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from accounts.access import Actor
from accounts.models import Workspace
from connections.client import PlainClient, SignedIn
from connections.models import Connection
from lib.egress import Abort
from lib.errors import UserError


def client_for(
    workspace_id: int,
    slug: str | None,
    *,
    base_url: str = "",
    before_send: Callable[[], None] | None = None,
    abort: Abort | None = None,
    depth: int = 0,
) -> PlainClient:
    """A client for a step: signed in with the connection, or plain without one. One SQL query.

    `base_url` is the connector's own, used where the connection names none. `before_send` is called right before the
    first byte of each request. `abort` lets another thread end a request: UserError cancelled. `depth` is the run's;
    requests to this installation itself say so in X-Apinita-Depth. Raises UserError no_connection.
    """
    if not slug:
        return PlainClient(base_url=base_url, pool=str(workspace_id), before_send=before_send, abort=abort, depth=depth)
    connection = Connection.objects.filter(workspace_id=workspace_id, slug=slug).first()
    if connection is None:
        raise UserError("no_connection", params={"connection": slug})
    return SignedIn(connection, base_url=base_url, before_send=before_send, abort=abort, depth=depth)


def described(workspace_id: int, slug: str) -> dict[str, str]:
    """What expressions of a scenario see of a connection: its name and account, never a secret."""
    row = Connection.objects.filter(workspace_id=workspace_id, slug=slug).values("name", "account").first()
    if row is None:
        raise UserError("no_connection", params={"connection": slug})
    return {"name": row["name"], "account": row["account"]}


def visible(actor: Actor) -> QuerySet[Connection]:
    return Connection.objects.filter(workspace=actor.workspace)


def get(actor: Actor, slug: str) -> Connection:
    """The connection by its slug or its public id. Raises Http404, for somebody else's too."""
    found = visible(actor).filter(slug=slug).first() or visible(actor).filter(public_id=slug).first()
    if found is None:
        raise Http404("no such connection")
    return found


def by_public_id(actor: Actor, public_id: str) -> Connection:
    """Raises Http404."""
    found = visible(actor).filter(public_id=public_id).first()
    if found is None:
        raise Http404("no such connection")
    return found


def choices(workspace: Workspace) -> list[tuple[str, str]]:
    """(slug, name) for the editor's list of connections."""
    rows = Connection.objects.filter(workspace=workspace).order_by("name", "id")
    return list(rows.values_list("slug", "name"))


def count_for_nav(request: HttpRequest) -> tuple[int, bool]:
    """How many connections need a person: what stands red beside the navigation."""
    workspace = getattr(request, "workspace", None)
    if workspace is None:
        return 0, False
    broken = Connection.objects.filter(workspace=workspace, status__in=("needs_reauthorization", "misconfigured"))
    return broken.count(), True
