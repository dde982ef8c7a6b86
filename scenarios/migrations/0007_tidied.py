import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """How far retention has come, and what it has left for later."""

    dependencies = [("accounts", "0005_retention"), ("scenarios", "0006_partitions")]

    operations = [
        migrations.CreateModel(
            name="Tidied",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.workspace",
                    ),
                ),
                ("until", models.DateTimeField()),
                ("announced", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="KeptLonger",
            fields=[
                ("run_id", models.UUIDField(primary_key=True, serialize=False)),
                ("is_ending", models.BooleanField(db_default=False)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.workspace"
                    ),
                ),
            ],
        ),
    ]
