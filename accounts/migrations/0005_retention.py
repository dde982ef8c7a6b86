import django.core.validators
from django.db import migrations, models

DAYS = [django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3650)]


class Migration(migrations.Migration):
    """How long a workspace keeps its runs, and the data in them."""

    dependencies = [("accounts", "0004_knownnetwork")]

    operations = [
        migrations.AddField(
            "workspace",
            "keep_runs_days",
            models.IntegerField(
                db_default=90,
                default=90,
                help_text="Then a run is gone: its steps, times and errors.",
                validators=DAYS,
                verbose_name="Keep runs for, days",
            ),
        ),
        migrations.AddField(
            "workspace",
            "keep_data_days",
            models.IntegerField(
                db_default=14,
                default=14,
                help_text="Then what runs took and gave is gone, with the bodies of webhooks. Such a run cannot be"
                " repeated.",
                validators=DAYS,
                verbose_name="Keep their data for, days",
            ),
        ),
        migrations.AddConstraint(
            "workspace",
            models.CheckConstraint(
                condition=models.Q(keep_data_days__gte=1, keep_data_days__lte=models.F("keep_runs_days")),
                name="data_goes_before_runs",
            ),
        ),
    ]
