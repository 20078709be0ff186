"""Verifies access tokens of USSO, and of any issuer that publishes its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usso.auth import USSOAuth, UssoAuth
    from usso.client import AsyncUssoClient, UssoClient
    from usso.config import APIHeaderConfig, AuthConfig, HeaderConfig, JWTConfig
    from usso.exceptions import ConfigError, PermissionDenied, USSOError, USSOException
    from usso.user import UserData

__all__ = [
    "APIHeaderConfig",
    "AsyncUssoClient",
    "AuthConfig",
    "ConfigError",
    "HeaderConfig",
    "JWTConfig",
    "PermissionDenied",
    "USSOAuth",
    "USSOError",
    "USSOException",
    "UserData",
    "UssoAuth",
    "UssoClient",
]

_HOMES = {
    "APIHeaderConfig": "config",
    "AsyncUssoClient": "client",
    "AuthConfig": "config",
    "ConfigError": "exceptions",
    "HeaderConfig": "config",
    "JWTConfig": "config",
    "PermissionDenied": "exceptions",
    "USSOAuth": "auth",
    "USSOError": "exceptions",
    "USSOException": "exceptions",
    "UserData": "user",
    "UssoAuth": "auth",
    "UssoClient": "client",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for, so that nobody pays for the rest."""
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("usso")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'usso' has no attribute {name!r}")
    value = getattr(import_module(f"usso.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
