from django.db import migrations, models


class Migration(migrations.Migration):
    """The runs that somebody has to look at, without a walk over all the others."""

    dependencies = [("scenarios", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["workspace", "-id"],
                name="run_troubled",
                condition=models.Q(status__in=["failed", "needs_review"]),
            ),
        ),
    ]
