"""Holds requests back while a service asks to wait, and limits how many are under way at once."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0002_authorizationflow_token")]

    operations = [
        migrations.AddField("connection", "blocked_until", models.DateTimeField(null=True)),
        migrations.AddField("connection", "throttle_count", models.IntegerField(db_default=0, default=0)),
        migrations.AddField(
            "connection", "probe_owner", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField("connection", "probe_until", models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="RequestSlot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("holder", models.CharField(blank=True, db_default="", default="", max_length=64)),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slots",
                        to="connections.connection",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "number"), name="connection_slot_once")
                ],
            },
        ),
    ]
