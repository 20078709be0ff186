"""The project's settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from usso.auth import UssoAuth
from usso.config import AuthConfig, AvailableJwtConfigs
from usso.user import UserData

NAMES = ("USSO_JWT_CONFIG", "USSO_CONFIG")

_made: UssoAuth[UserData] | None = None
_lock = threading.Lock()


def project_auth() -> UssoAuth[UserData]:
    """Gives the verifier of the project, made once. Raises `ImproperlyConfigured`."""
    global _made
    found = _made
    if found is None:
        with _lock:
            if _made is None:
                try:
                    _made = UssoAuth(project_config())
                except ValueError as error:
                    raise ImproperlyConfigured(_said(error)) from None
            found = _made
    return found


def project_config() -> AvailableJwtConfigs | None:
    """Reads whose tokens to accept; `None` if the environment is to say it.

    `USSO_JWT_CONFIG` is an `AuthConfig`, a dict, JSON, or a list of these; `USSO_CONFIG` a dict
    with the names of `AuthConfig` in capitals.
    """
    given, documented = (getattr(settings, name, None) for name in NAMES)
    if given is not None and documented is not None:
        raise ImproperlyConfigured("set USSO_JWT_CONFIG or USSO_CONFIG, not both")
    if documented is None:
        return given
    if not isinstance(documented, dict):
        raise ImproperlyConfigured("USSO_CONFIG must be a dict")
    named = cast("dict[str, Any]", documented)
    return AuthConfig(**{name.lower(): value for name, value in named.items()})


def creates_users() -> bool:
    """Says whether callers become users of the project (`USSO_CREATE_USERS`, default `True`)."""
    return bool(getattr(settings, "USSO_CREATE_USERS", True))


def link_hook() -> Callable[[UserData, Any], Any] | None:
    """Gives the function that `USSO_LINK_USER` names."""
    named = getattr(settings, "USSO_LINK_USER", None)
    return import_string(named) if isinstance(named, str) else named


def _said(error: ValueError) -> str:
    if all(getattr(settings, name, None) is None for name in NAMES):
        return f"set USSO_JWT_CONFIG in the settings, or the environment: {error}"
    return f"the settings of usso: {error}"


def _forget(*, setting: str, **_: Any) -> None:
    global _made
    if setting in NAMES:
        with _lock:
            _made = None


setting_changed.connect(_forget)
