"""Why a token was refused. No text holds anything of the token but its type."""

from __future__ import annotations

import re
from collections.abc import Callable


class JWTError(Exception):
    """A token, or a key, was refused."""

    def __init__(self, message: str | None = None, *args: object) -> None:
        self.message = message
        super().__init__(message, *args)


class JWTExpiredError(JWTError):
    """The end of the token's life has come."""

    def __init__(self, message: str = "JWT has expired") -> None:
        super().__init__(message)


class JWTNotValidYetError(JWTError):
    """The token's `nbf` has not come yet."""

    def __init__(self, message: str = "JWT is not valid yet") -> None:
        super().__init__(message)


class JWTMaximumAgeError(JWTError):
    """The token was issued too long ago, or to live too long."""

    def __init__(self, message: str = "JWT is older than the maximum age") -> None:
        super().__init__(message)


class JWTIssuedInFutureError(JWTError):
    """The token's `iat` lies ahead."""

    def __init__(self, message: str = "JWT is issued in the future") -> None:
        super().__init__(message)


class JWTInvalidSignatureError(JWTError):
    """The signature is not the key's, or of an algorithm that the key is not for."""

    def __init__(self, message: str = "JWT signature is invalid") -> None:
        super().__init__(message)


class JWTInvalidFormatError(JWTError):
    """The token is not three strict base64url segments with sound JSON objects in two."""

    def __init__(self, message: str = "JWT has an invalid format") -> None:
        super().__init__(message)


class JWKNotFoundError(JWTError):
    """There is no key of this `kid`, or no source of keys."""

    def __init__(self, message: str = "JWK with the specified kid is not found") -> None:
        super().__init__(message)


class JWTInvalidAudienceError(JWTError):
    """The token is for others."""

    def __init__(self, message: str = "JWT audience claim is invalid") -> None:
        super().__init__(message)


class JWTMissingAudienceError(JWTError):
    """The token names no audience, and one is required."""

    def __init__(self, message: str = "JWT audience claim is required but missing") -> None:
        super().__init__(message)


class JWTInvalidIssuerError(JWTError):
    """The token is of another issuer, or names none."""

    def __init__(self, message: str = "JWT issuer claim is invalid") -> None:
        super().__init__(message)


class JWTInvalidACRError(JWTError):
    """The token's `acr` is not one of those expected, or missing."""

    def __init__(self, message: str = "JWT acr claim is invalid") -> None:
        super().__init__(message)


class JWTInvalidTokenTypeError(JWTError):
    """The token is of another type, or names none."""

    def __init__(
        self,
        expected_token_type: str | list[str] | None = None,
        provided_token_type: str | None = None,
    ) -> None:
        self._types = (expected_token_type, provided_token_type)
        expected = expected_token_type
        if isinstance(expected, list):
            expected = ", ".join(map(str, expected))
        named = {"expected": expected, "provided": _plain(provided_token_type)}
        details = ", ".join(f"{name}: {value}" for name, value in named.items() if value)
        super().__init__("JWT token type claim is invalid" + (f" ({details})" if details else ""))

    def __reduce__(self) -> tuple[Callable[..., JWTInvalidTokenTypeError], tuple[object, ...]]:
        return type(self), self._types


class UnsupportedAlgorithmError(JWTInvalidFormatError, NotImplementedError):
    """The algorithm is symmetric, or not one that is verified or signed with here."""

    def __init__(
        self,
        message: str = "the algorithm is not supported; use EdDSA, ES256, ES384, RS256 or PS256",
    ) -> None:
        super().__init__(message)


def _plain(token_type: object) -> str | None:
    """Keeps a type that is a short word: what the sender wrote may end up in a log."""
    if isinstance(token_type, str) and re.fullmatch(r"[A-Za-z0-9_+.-]{1,32}", token_type):
        return str(token_type)
    return None
