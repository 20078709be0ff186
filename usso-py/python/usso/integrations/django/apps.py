"""The app that holds the table of links."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured


class USSOConfig(AppConfig):
    """Installs `usso.integrations.django` under the label `usso`."""

    name = "usso.integrations.django"
    label = "usso"
    verbose_name = "USSO"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Has `manage.py check` look at the settings."""
        register(check_settings)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Says what cannot be used of the settings: `usso.E001` whose tokens, `usso.E002` the hook."""
    from usso.integrations.django._settings import link_hook, project_auth

    found: list[CheckMessage] = []
    try:
        project_auth()
    except ImproperlyConfigured as error:
        found.append(Error(str(error), id="usso.E001"))
    try:
        hook = link_hook()
    except ImportError as error:
        found.append(Error(f"USSO_LINK_USER: {error}", id="usso.E002"))
    else:
        if hook is not None and not callable(hook):
            found.append(Error("USSO_LINK_USER: this is no function", id="usso.E002"))
    return found
