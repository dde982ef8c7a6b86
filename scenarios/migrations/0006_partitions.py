"""Runs, steps, large values and deliveries become partitioned by the time in their keys; what is there moves over.

Written out in SQL, since Django knows no partitions. One transaction: it stops, or all is moved.
"""

from datetime import UTC, datetime

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from scenarios import partitions

RUN_COLUMNS = """
    id, workspace_id, scenario_id, version_id, trigger, input, delivery_id, key, replay_of, started_by_id, status,
    fence, owner, lease_until, wake_at, waits_for, stalls, stalled_steps, cancel_requested_at, created_at, started_at,
    finished_at, error, reply
"""
STEP_COLUMNS = """
    run_id, path, position, status, attempt, fence, effect, inputs, exchange, result, error, started_at, finished_at,
    took_ms
"""
DELIVERY_COLUMNS = """
    id, workspace_id, scenario_id, received_at, verdict, method, query, headers, content_type, body, size, source,
    dedupe_key, run_id
"""

MAKE_TABLES = """
ALTER TABLE scenarios_steprun RENAME TO scenarios_steprun_whole;
ALTER TABLE scenarios_run RENAME TO scenarios_run_whole;
ALTER TABLE scenarios_delivery RENAME TO scenarios_delivery_whole;

CREATE TABLE scenarios_delivery (
    id uuid NOT NULL,
    workspace_id bigint NOT NULL,
    scenario_id bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    verdict varchar(16) NOT NULL,
    method varchar(16) NOT NULL,
    query text NOT NULL,
    headers jsonb NOT NULL,
    content_type text NOT NULL,
    body bytea,
    size bigint NOT NULL,
    source inet,
    dedupe_key text,
    run_id uuid
) PARTITION BY RANGE (id);

CREATE TABLE scenarios_run (
    id uuid NOT NULL,
    workspace_id bigint NOT NULL,
    scenario_id bigint NOT NULL,
    version_id bigint NOT NULL,
    trigger varchar(40) NOT NULL,
    input jsonb,
    delivery_id uuid,
    key uuid NOT NULL,
    replay_of uuid,
    parent_id uuid,
    parent_path text,
    depth smallint NOT NULL DEFAULT 0,
    engine smallint NOT NULL DEFAULT 1,
    started_by_id bigint,
    status varchar(12) NOT NULL,
    fence bigint NOT NULL,
    owner text NOT NULL,
    lease_until timestamptz,
    wake_at timestamptz DEFAULT statement_timestamp(),
    waits_for text NOT NULL,
    stalls integer NOT NULL,
    stalled_steps integer NOT NULL DEFAULT 0,
    is_limited boolean NOT NULL DEFAULT false,
    cancel_requested_at timestamptz,
    deadline_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    error jsonb,
    reply jsonb
) PARTITION BY RANGE (id);

CREATE TABLE scenarios_steprun (
    run_id uuid NOT NULL,
    path text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    status varchar(12) NOT NULL,
    attempt integer NOT NULL,
    attempts jsonb,
    fence bigint NOT NULL,
    effect varchar(8) NOT NULL,
    inputs jsonb,
    exchange jsonb,
    result jsonb,
    error jsonb,
    started_at timestamptz,
    finished_at timestamptz,
    resume_at timestamptz,
    took_ms integer
) PARTITION BY RANGE (run_id);

CREATE TABLE scenarios_payload (
    run_id uuid NOT NULL,
    path text COLLATE "C" NOT NULL,
    name varchar(8) NOT NULL,
    value text NOT NULL
) PARTITION BY RANGE (run_id);
"""

MOVE_ROWS = f"""
INSERT INTO scenarios_delivery ({DELIVERY_COLUMNS}) SELECT {DELIVERY_COLUMNS} FROM scenarios_delivery_whole;
INSERT INTO scenarios_run ({RUN_COLUMNS}) SELECT {RUN_COLUMNS} FROM scenarios_run_whole;
INSERT INTO scenarios_steprun ({STEP_COLUMNS}) SELECT {STEP_COLUMNS} FROM scenarios_steprun_whole;
DROP TABLE scenarios_steprun_whole;
DROP TABLE scenarios_run_whole;
DROP TABLE scenarios_delivery_whole;
"""  # noqa: S608

FINISH_TABLES = """
ALTER TABLE scenarios_delivery ADD CONSTRAINT scenarios_delivery_pkey PRIMARY KEY (id);
ALTER TABLE scenarios_run ADD CONSTRAINT scenarios_run_pkey PRIMARY KEY (id);
ALTER TABLE scenarios_steprun ADD CONSTRAINT scenarios_steprun_pkey PRIMARY KEY (run_id, path);
ALTER TABLE scenarios_payload ADD CONSTRAINT scenarios_payload_pkey PRIMARY KEY (run_id, path, name);

ALTER TABLE scenarios_delivery ADD CONSTRAINT scenarios_delivery_workspace_id_7d4f9240_fk_accounts_
    FOREIGN KEY (workspace_id) REFERENCES accounts_workspace (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE scenarios_delivery ADD CONSTRAINT scenarios_delivery_scenario_id_732c1825_fk_scenarios
    FOREIGN KEY (scenario_id) REFERENCES scenarios_scenario (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE scenarios_run ADD CONSTRAINT scenarios_run_workspace_id_ddb3e857_fk_accounts_workspace_id
    FOREIGN KEY (workspace_id) REFERENCES accounts_workspace (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE scenarios_run ADD CONSTRAINT scenarios_run_scenario_id_c1c63258_fk_scenarios_scenario_id
    FOREIGN KEY (scenario_id) REFERENCES scenarios_scenario (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE scenarios_run ADD CONSTRAINT scenarios_run_version_id_e9402dd5_fk_scenarios_version_id
    FOREIGN KEY (version_id) REFERENCES scenarios_version (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE scenarios_run ADD CONSTRAINT scenarios_run_started_by_id_b0a33d6f_fk_accounts_user_id
    FOREIGN KEY (started_by_id) REFERENCES accounts_user (id) DEFERRABLE INITIALLY DEFERRED;

CREATE INDEX scenarios_d_scenari_5bed89_idx ON scenarios_delivery (scenario_id, id DESC);
CREATE INDEX scenarios_r_workspa_2f8358_idx ON scenarios_run (workspace_id, id DESC);
CREATE INDEX scenarios_r_scenari_959765_idx ON scenarios_run (scenario_id, id DESC);
CREATE INDEX run_due ON scenarios_run (workspace_id, wake_at) WHERE status = 'queued' AND wake_at IS NOT NULL;
CREATE INDEX run_running ON scenarios_run (workspace_id) WHERE status = 'running';
CREATE INDEX run_sleeping ON scenarios_run (wake_at) WHERE status = 'waiting';
CREATE INDEX run_held ON scenarios_run (waits_for) WHERE status = 'waiting' AND NOT (waits_for = '');
CREATE INDEX run_gated ON scenarios_run (workspace_id, scenario_id, id) WHERE status = 'queued' AND wake_at IS NULL;
CREATE INDEX run_limited ON scenarios_run (scenario_id)
    WHERE is_limited AND status IN ('queued', 'running', 'waiting');
CREATE INDEX run_replays ON scenarios_run (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX run_children ON scenarios_run (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX run_troubled ON scenarios_run (workspace_id, id DESC) WHERE status IN ('failed', 'needs_review');
"""

FIRST_KNOWN = datetime(2024, 1, 1, tzinfo=UTC)  # nobody's runs are older; such keys come from elsewhere


def make_partitions(apps, editor):
    """From the oldest row on to two periods ahead, and one for whatever does not fit."""
    connection = editor.connection.connection
    now = datetime.now(UTC)
    for table in partitions.TABLES:
        partitions.make_default(connection, table)
        for period in partitions.periods(table, oldest(connection, table) or now, now):
            partitions.make(connection, table, period)


def oldest(connection, table):
    if table == partitions.PAYLOAD:
        return None
    first = partitions.key_at(FIRST_KNOWN)
    query = f"SELECT {table.key} FROM {table.name}_whole WHERE {table.key} >= '{first}' ORDER BY 1 LIMIT 1"  # noqa: S608
    row = connection.execute(query).fetchone()
    moment = row and partitions.moment_of(row[0])
    return moment if moment and moment < datetime.now(UTC) else None


class Migration(migrations.Migration):
    dependencies = [("scenarios", "0005_limits_and_dedupe_keys")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(MAKE_TABLES),
                migrations.RunPython(make_partitions),
                migrations.RunSQL(MOVE_ROWS),
                migrations.RunSQL(FINISH_TABLES),
            ],
            state_operations=[
                migrations.RemoveConstraint("delivery", "delivery_once"),
                migrations.RemoveIndex("run", "run_claimable"),
                migrations.RemoveIndex("run", "run_held"),
                migrations.AddField("run", "parent_id", models.UUIDField(null=True)),
                migrations.AddField("run", "parent_path", models.TextField(null=True)),
                migrations.AddField("run", "depth", models.SmallIntegerField(db_default=0)),
                migrations.AddField("run", "engine", models.SmallIntegerField(db_default=1)),
                migrations.AddField("run", "deadline_at", models.DateTimeField(null=True)),
                migrations.AlterField(
                    "run",
                    "delivery",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="scenarios.delivery",
                    ),
                ),
                migrations.RemoveIndex("run", "run_leased"),
                migrations.RemoveIndex("run", "run_backlog"),
                migrations.AddField("run", "is_limited", models.BooleanField(db_default=False)),
                migrations.AddIndex(
                    "run",
                    models.Index(
                        condition=Q(status="queued", wake_at__isnull=False),
                        fields=["workspace", "wake_at"],
                        name="run_due",
                    ),
                ),
                migrations.AddIndex(
                    "run", models.Index(condition=Q(status="running"), fields=["workspace"], name="run_running")
                ),
                migrations.AddIndex(
                    "run", models.Index(condition=Q(status="waiting"), fields=["wake_at"], name="run_sleeping")
                ),
                migrations.AddIndex(
                    "run",
                    models.Index(
                        condition=Q(status="waiting") & ~Q(waits_for=""), fields=["waits_for"], name="run_held"
                    ),
                ),
                migrations.AddIndex(
                    "run",
                    models.Index(
                        condition=Q(status="queued", wake_at__isnull=True),
                        fields=["workspace", "scenario", "id"],
                        name="run_gated",
                    ),
                ),
                migrations.AddIndex(
                    "run",
                    models.Index(
                        condition=Q(is_limited=True, status__in=["queued", "running", "waiting"]),
                        fields=["scenario"],
                        name="run_limited",
                    ),
                ),
                migrations.AddIndex(
                    "run",
                    models.Index(condition=Q(replay_of__isnull=False), fields=["replay_of"], name="run_replays"),
                ),
                migrations.AddIndex(
                    "run",
                    models.Index(condition=Q(parent_id__isnull=False), fields=["parent_id"], name="run_children"),
                ),
                migrations.RemoveConstraint("steprun", "step_path_once"),
                migrations.AlterField(
                    "steprun",
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="scenarios.run",
                    ),
                ),
                migrations.AlterField("steprun", "path", models.TextField(db_collation="C")),
                migrations.RemoveField("steprun", "id"),
                migrations.AddField(
                    "steprun",
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "path", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AddField("steprun", "attempts", models.JSONField(null=True)),
                migrations.AddField("steprun", "resume_at", models.DateTimeField(null=True)),
                migrations.CreateModel(
                    name="Payload",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "run_id",
                                "path",
                                "name",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="payloads",
                                to="scenarios.run",
                            ),
                        ),
                        ("path", models.TextField(db_collation="C")),
                        ("name", models.CharField(max_length=8)),
                        ("value", models.TextField()),
                    ],
                ),
            ],
        ),
    ]
