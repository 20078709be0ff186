"""Signs callers in to Django and Django REST framework by their access tokens.

Put `usso.integrations.django` into `INSTALLED_APPS`, `USSOAuthenticationMiddleware` into
`MIDDLEWARE` after Django's `AuthenticationMiddleware`, and whose tokens to accept into
`USSO_JWT_CONFIG`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usso.integrations.django.backend import USSOAuthenticationBackend
    from usso.integrations.django.decorators import require_auth, require_role, require_scope
    from usso.integrations.django.dependency import USSOAuthentication
    from usso.integrations.django.drf import HasRole, HasScope, Requires, USSOTokenAuthentication
    from usso.integrations.django.middleware import (
        USSOAuthenticationMiddleware,
        USSOAuthMiddleware,
    )
    from usso.integrations.django.mixins import USSOAuthMixin
    from usso.integrations.django.users import USSOUser, usso_user

__all__ = [
    "HasRole",
    "HasScope",
    "Requires",
    "USSOAuthMiddleware",
    "USSOAuthMixin",
    "USSOAuthentication",
    "USSOAuthenticationBackend",
    "USSOAuthenticationMiddleware",
    "USSOTokenAuthentication",
    "USSOUser",
    "require_auth",
    "require_role",
    "require_scope",
    "usso_user",
]

_HOMES = {
    "HasRole": "drf",
    "HasScope": "drf",
    "Requires": "drf",
    "USSOAuthMiddleware": "middleware",
    "USSOAuthMixin": "mixins",
    "USSOAuthentication": "dependency",
    "USSOAuthenticationBackend": "backend",
    "USSOAuthenticationMiddleware": "middleware",
    "USSOTokenAuthentication": "drf",
    "USSOUser": "users",
    "require_auth": "decorators",
    "require_role": "decorators",
    "require_scope": "decorators",
    "usso_user": "users",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for: Django loads this package before its models can be imported."""
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
