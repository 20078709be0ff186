"""FastAPI: callers as dependencies."""

from usso.integrations.fastapi.dependency import USSOAuthentication, get_authenticator
from usso.integrations.fastapi.handler import EXCEPTION_HANDLERS, usso_exception_handler

__all__ = [
    "EXCEPTION_HANDLERS",
    "USSOAuthentication",
    "get_authenticator",
    "usso_exception_handler",
]
