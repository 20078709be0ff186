"""Makes the table of links."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the table of links."""

    initial = True
    dependencies = (migrations.swappable_dependency(settings.AUTH_USER_MODEL),)
    operations = (
        migrations.CreateModel(
            name="Link",
            fields=[
                (
                    "key",
                    models.CharField(
                        max_length=64, primary_key=True, editable=False, serialize=False
                    ),
                ),
                ("issuer", models.TextField(editable=False)),
                ("subject", models.TextField(editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="usso_links",
                    ),
                ),
            ],
        ),
    )
