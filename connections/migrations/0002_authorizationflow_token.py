"""Notes which API token began an authorization, so that a revoked one cannot finish it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("connections", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="authorizationflow",
            name="token",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="accounts.apitoken"),
        ),
    ]
