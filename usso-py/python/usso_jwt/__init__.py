"""The names of the package `usso-jwt`, over the verifier of `usso`.

A key is a public key: a text is never taken for the secret of an HMAC (RFC 8725 section 3.1).
"""

# `usso` first: it imports this package in turn, and must not be met half imported.
import usso as _usso  # noqa: F401  # pyright: ignore[reportUnusedImport]

from .config import JWTConfig
from .schemas import JWT, UnverifiedJWT

__all__ = ["JWT", "JWTConfig", "UnverifiedJWT"]
