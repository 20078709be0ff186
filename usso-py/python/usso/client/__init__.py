"""HTTP clients that carry an app's credential to the SSO."""

from .async_client import AsyncUssoClient
from .client import UssoClient

__all__ = ["AsyncUssoClient", "UssoClient"]
