"""The app that holds the table of links."""

from __future__ import annotations

from django.apps import AppConfig


class USSOConfig(AppConfig):
    """Installs `usso.integrations.django` under the label `usso`."""

    name = "usso.integrations.django"
    label = "usso"
    verbose_name = "USSO"
    default_auto_field = "django.db.models.BigAutoField"
