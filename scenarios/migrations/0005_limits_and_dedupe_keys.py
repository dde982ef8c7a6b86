import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

CARRY_OVER = """
INSERT INTO scenarios_dedupekey (scenario_id, key, run_id, created_at)
SELECT scenario_id, dedupe_key, run_id, received_at FROM scenarios_delivery
WHERE verdict = 'accepted' AND dedupe_key IS NOT NULL AND run_id IS NOT NULL
"""


class Migration(migrations.Migration):
    """Limits of a scenario, and the senders' numbers in a table that stays whole when deliveries are partitioned."""

    dependencies = [("scenarios", "0004_run_backlog")]

    operations = [
        migrations.AddField("scenario", "max_concurrent", models.IntegerField(db_default=0)),
        migrations.AddField("scenario", "engine", models.SmallIntegerField(db_default=1)),
        migrations.AddField("scenario", "paused_reason", models.JSONField(null=True)),
        migrations.CreateModel(
            name="DedupeKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.TextField()),
                ("run_id", models.UUIDField()),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "scenario",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="scenarios.scenario",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "dedupekey", models.UniqueConstraint(fields=("scenario", "key"), name="dedupe_key_once")
        ),
        migrations.RunSQL(CARRY_OVER, migrations.RunSQL.noop),
    ]
