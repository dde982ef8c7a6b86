"""Scenarios and their versions, what starts them, their runs, and the journal of steps.

Runs and deliveries are written by the hot path in SQL of its own (intake.py, leases.py, journal.py); the columns
and constraints stand here. Run, StepRun, Payload and Delivery are partitioned by the time in their UUIDv7 keys
(partitions.py); a partitioned table has no foreign keys that the database would check.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Workspace
from lib.ids import public_id, uuid7

SCENARIO_STATUSES = [("draft", _("Draft")), ("active", _("Active")), ("paused", _("Paused"))]
RUN_STATUSES = [
    ("queued", _("Queued")),
    ("running", _("Running")),
    ("waiting", _("Waiting")),
    ("succeeded", _("Succeeded")),
    ("failed", _("Failed")),
    ("cancelled", _("Cancelled")),
    ("needs_review", _("Needs review")),
]
STEP_STATUSES = [*RUN_STATUSES, ("skipped", _("Skipped"))]
ENDED = ("succeeded", "failed", "cancelled", "needs_review")
VERDICTS = [
    ("accepted", _("Accepted")),
    ("duplicate", _("Duplicate")),
    ("bad_signature", _("Bad signature")),
    ("too_large", _("Too large")),
    ("disabled", _("Disabled")),
    ("over_limit", _("Over the limit")),
]


class Scenario(models.Model):
    """One scenario; `document` is its draft (docs/format.md). `revision` grows with each change of the draft."""

    public_id = models.CharField(max_length=32, unique=True, default=public_id)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="scenarios")
    name = models.CharField(_("Name"), max_length=200)
    document = models.JSONField()
    revision = models.BigIntegerField(default=1)
    trigger_secrets = models.BinaryField(null=True)  # sealed JSON: what `signature` needs, apart from the document
    samples = models.JSONField(default=dict)  # step key → the result of its last test, for pickers and previews
    status = models.CharField(max_length=8, choices=SCENARIO_STATUSES, default="draft")
    published = models.ForeignKey("Version", on_delete=models.DO_NOTHING, null=True, related_name="+")  # go together
    max_concurrent = models.IntegerField(db_default=0)  # of the published version: runs at a time, 0 for no limit
    engine = models.SmallIntegerField(db_default=1)  # the least engine that can run the published version
    paused_reason = models.JSONField(null=True)  # {"code", "params", "at"}: why we paused it, until somebody goes on
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)  # its runs go on and stay readable

    class Meta:
        indexes = [models.Index(fields=["workspace", "-updated_at"])]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="active") | Q(published__isnull=False), name="active_is_published"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Version(models.Model):
    """A published document. It never changes; each run belongs to one."""

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    document = models.JSONField()
    trigger_secrets = models.BinaryField(null=True)  # as the scenario had them then, sealed for the same place
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    published_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scenario", "number"], name="version_number_once")]


class Hook(models.Model):
    """A scenario's webhook address. Found by the digest of its token; the token itself is sealed, for showing."""

    scenario = models.OneToOneField(Scenario, on_delete=models.CASCADE, related_name="hook")
    digest = models.BinaryField(max_length=32, unique=True)
    token = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)


class Schedule(models.Model):
    """The clock of an active scenario. `next_at` is the next slot; the scheduler alone moves it on."""

    scenario = models.OneToOneField(Scenario, on_delete=models.CASCADE, related_name="schedule")
    rule = models.JSONField()  # the trigger's inputs with its time zone filled in
    anchor_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="schedule_due", condition=Q(next_at__isnull=False))]


class Slot(models.Model):
    """One firing of a schedule. Its uniqueness is what makes a second firing impossible."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="slots")
    slot_at = models.DateTimeField()
    run_id = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "slot_at"], name="slot_once")]


class DedupeKey(models.Model):
    """A sender's own number for a delivery. Its uniqueness is what makes a second run impossible."""

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.TextField()
    run_id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scenario", "key"], name="dedupe_key_once")]


class Delivery(models.Model):
    """One request to a webhook address: what came, byte for byte, and what we said to it."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    received_at = models.DateTimeField(db_default=Now())
    verdict = models.CharField(max_length=16, choices=VERDICTS)
    method = models.CharField(max_length=16)
    query = models.TextField(blank=True)
    headers = models.JSONField()  # authorization and signatures masked
    content_type = models.TextField(blank=True)
    body = models.BinaryField(null=True)
    size = models.BigIntegerField()
    source = models.GenericIPAddressField(null=True)
    dedupe_key = models.TextField(null=True)
    run_id = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index(fields=["scenario", "-id"])]


class Run(models.Model):
    """One execution of one version. Its row is the truth; a message to a worker is only a hint."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="runs", db_index=False)
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="+", db_index=False)
    trigger = models.CharField(max_length=40)  # "webhook", "schedule", "manual", …
    input = models.JSONField(null=True)  # the trigger's result; null where the delivery has it
    delivery = models.ForeignKey(
        Delivery, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    key = models.UUIDField()  # the same in a run and its retries
    replay_of = models.UUIDField(null=True)
    parent_id = models.UUIDField(null=True)  # the run whose step called this one, and the step's path
    parent_path = models.TextField(null=True)
    depth = models.SmallIntegerField(db_default=0)  # how many runs stand above: callers, or senders to our own webhooks
    engine = models.SmallIntegerField(db_default=1)  # the least engine that can execute it
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )

    status = models.CharField(max_length=12, choices=RUN_STATUSES, default="queued")
    fence = models.BigIntegerField(default=0)
    owner = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    # When a waiting run goes on. A queued one without it waits for a free place of its scenario.
    wake_at = models.DateTimeField(null=True, db_default=Now())
    waits_for = models.TextField(blank=True)  # e.g. "connection:17": what wakes it apart from the clock
    stalls = models.IntegerField(default=0)
    stalled_steps = models.IntegerField(db_default=0)  # how many steps had ended when a worker last died with it
    is_limited = models.BooleanField(db_default=False)  # its scenario has a limit: it needs a place to begin
    cancel_requested_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)  # set when it begins; a wished-for wait moves it on

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.JSONField(null=True)
    reply = models.JSONField(null=True)  # what `webhook.respond` said

    class Meta:
        indexes = [
            # Claimed workspace by workspace, in the order in which they became due.
            models.Index(
                fields=["workspace", "wake_at"], name="run_due", condition=Q(status="queued", wake_at__isnull=False)
            ),
            models.Index(fields=["workspace"], name="run_running", condition=Q(status="running")),
            models.Index(fields=["wake_at"], name="run_sleeping", condition=Q(status="waiting")),
            models.Index(fields=["waits_for"], name="run_held", condition=Q(status="waiting") & ~Q(waits_for="")),
            # Of scenarios with a limit: those that wait for a place, and those that have one or want one.
            models.Index(
                fields=["workspace", "scenario", "id"],
                name="run_gated",
                condition=Q(status="queued", wake_at__isnull=True),
            ),
            models.Index(
                fields=["scenario"],
                name="run_limited",
                condition=Q(is_limited=True, status__in=["queued", "running", "waiting"]),
            ),
            models.Index(fields=["replay_of"], name="run_replays", condition=Q(replay_of__isnull=False)),
            models.Index(fields=["parent_id"], name="run_children", condition=Q(parent_id__isnull=False)),
            models.Index(
                fields=["workspace", "-id"], name="run_troubled", condition=Q(status__in=["failed", "needs_review"])
            ),
            models.Index(fields=["workspace", "-id"]),
            models.Index(fields=["scenario", "-id"]),
        ]


class StepRun(models.Model):
    """One step of one run, by its path. A step that is here and ended is never executed again.

    A value too large for the row is stored apart: the row holds {"_cut": {"bytes", "start"}} (payloads.py).
    """

    pk = models.CompositePrimaryKey("run_id", "path")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps", db_index=False, db_constraint=False)
    path = models.TextField(db_collation="C")
    position = models.IntegerField()  # order of execution within the run
    status = models.CharField(max_length=12, choices=STEP_STATUSES)
    attempt = models.IntegerField(default=1)
    attempts = models.JSONField(
        null=True
    )  # the earlier ones: [{"attempt", "status", "started_at", "took_ms", "error"}]
    fence = models.BigIntegerField()
    effect = models.CharField(max_length=8)
    inputs = models.JSONField(null=True)
    exchange = models.JSONField(null=True)  # {"request": {…}, "response": {…}}, secrets masked
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    resume_at = models.DateTimeField(null=True)  # a waiting step does not go on before
    took_ms = models.IntegerField(null=True)


class Payload(models.Model):
    """A value of a step that was too large for its row. `name`: inputs, exchange or result; `value` is JSON text."""

    pk = models.CompositePrimaryKey("run_id", "path", "name")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="payloads", db_index=False, db_constraint=False)
    path = models.TextField(db_collation="C")
    name = models.CharField(max_length=8)
    value = models.TextField()


class Tidied(models.Model):
    """How far retention has come in a workspace: data of runs from before `until` is gone, but for KeptLonger.

    That of runs between `until` and `announced` is going; nobody counts on it any more.
    """

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, primary_key=True, related_name="+")
    until = models.DateTimeField()
    announced = models.DateTimeField()


class KeptLonger(models.Model):
    """A run that keeps its data though older ones have lost it: it had not ended, or ended late."""

    run_id = models.UUIDField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    is_ending = models.BooleanField(db_default=False)  # its data is going


class WorkerBeat(models.Model):
    """A worker process that lives: it renews this row while it can reach the database."""

    name = models.CharField(max_length=200, primary_key=True)
    seen_at = models.DateTimeField(db_default=Now())
