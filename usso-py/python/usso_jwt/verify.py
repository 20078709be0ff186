"""Verification by the functions of `usso-jwt`.

`verify_jwt` is all of it, in Rust. The other functions check one thing each of claims that they
are given, and say nothing about who wrote those.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ._jwks import fetch_jwk
from .algorithms import get_algorithm
from .config import JWTConfig
from .exceptions import (
    JWKNotFoundError,
    JWTError,
    JWTExpiredError,
    JWTInvalidACRError,
    JWTInvalidAudienceError,
    JWTInvalidFormatError,
    JWTInvalidIssuerError,
    JWTInvalidSignatureError,
    JWTInvalidTokenTypeError,
    JWTIssuedInFutureError,
    JWTMaximumAgeError,
    JWTMissingAudienceError,
    JWTNotValidYetError,
)
from .utils import b64url_decode, b64url_encode

if TYPE_CHECKING:
    from usso._native import Claims

__all__ = [
    "VerifyOptions",
    "extract_jwt_parts",
    "fetch_jwk",
    "verify_claims",
    "verify_jwt",
    "verify_maximum_age",
    "verify_signature",
    "verify_temporal_claims",
]

Expected = str | list[str] | None


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What `verify_jwt` requires.

    `expected_audience` is needed, and so is `expected_issuer` unless it is scheme and host of
    `jwks_url`. Without `expected_token_type` the token must be one for access.
    """

    jwks_url: str | None = None
    kid: str | None = None
    jwk: dict[str, Any] | None = None
    expected_audience: Expected = None
    expected_acr: Expected = None
    expected_issuer: Expected = None
    expected_token_type: Expected = None
    maximum_age: int | None = None


def extract_jwt_parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Gives header, claims, signature and what was signed; nothing vouches for any of it.

    Raises `JWTInvalidFormatError`.
    """
    from usso import _native

    try:
        header, claims = _native.decode_unverified(token)
        message, _, signature = token.rpartition(".")
        return header, claims, b64url_decode(signature), message.encode()
    except (ValueError, TypeError, AttributeError):
        raise JWTInvalidFormatError from None


def verify_jwt(*, token: str, options: VerifyOptions | None = None) -> bool:
    """Verifies a token and gives `True`.

    Raises a `JWTError` if it is refused, `ValueError` if the options are not sound, and
    `USSOException` with status 503 if the issuer's keys cannot be had: that is no verdict.
    """
    options = options or VerifyOptions()
    if options.jwk is None and options.jwks_url is None:
        raise JWKNotFoundError
    if options.kid is not None and extract_jwt_parts(token)[0].get("kid") != options.kid:
        raise JWKNotFoundError
    config = JWTConfig(
        jwks_url=options.jwks_url if options.jwk is None else None,
        key=options.jwk,
        issuer=options.expected_issuer,
        audience=options.expected_audience,
        maximum_age=options.maximum_age,
    )
    claims = verified(token, config, options.expected_token_type)
    return verify_claims(
        payload=claims.to_dict(),
        expected_acr=options.expected_acr,
        expected_token_type=options.expected_token_type,
    )


def verify_signature(
    *,
    alg: str,
    key: dict[str, Any] | bytes,
    data: bytes | str | dict[str, Any],
    signature: bytes,
) -> bool:
    """Verifies a signature with a public key (JWK, PEM or DER) and gives `True`.

    Raises `JWTInvalidSignatureError`; `UnsupportedAlgorithmError` for an algorithm that is
    symmetric or not supported; `ValueError` if the key is none.
    """
    if isinstance(data, dict):
        data = b64url_encode(json.dumps(data))
    message = data.encode() if isinstance(data, str) else data
    try:
        family = get_algorithm(alg)
    except ValueError:
        raise JWTInvalidSignatureError from None
    if not family.verify(data=message, signature=signature, key=key, alg=alg):
        raise JWTInvalidSignatureError
    return True


def verify_temporal_claims(*, payload: Mapping[str, Any]) -> bool:
    """Requires `exp`, and that it, `nbf` and `iat` (within 60 seconds) are met; gives `True`.

    Raises `JWTExpiredError`, `JWTNotValidYetError`, `JWTIssuedInFutureError`;
    `JWTInvalidFormatError` if `exp` is missing or one of them is no number.
    """
    now = time.time()
    exp, nbf, iat = (_time(payload, name) for name in ("exp", "nbf", "iat"))
    if exp is None:
        raise JWTInvalidFormatError("JWT exp claim is required but missing")
    if now >= exp:
        raise JWTExpiredError
    if nbf is not None and now < nbf:
        raise JWTNotValidYetError
    if iat is not None and now < iat - 60:
        raise JWTIssuedInFutureError
    return True


def verify_maximum_age(payload: Mapping[str, Any], maximum_age: int) -> None:
    """Requires that `iat` is at most so many seconds ago. Raises `JWTMaximumAgeError`."""
    issued = _time(payload, "iat")
    if issued is None or issued + maximum_age <= time.time():
        raise JWTMaximumAgeError


def verify_claims(
    *,
    payload: Mapping[str, Any],
    expected_audience: Expected = None,
    expected_acr: Expected = None,
    expected_issuer: Expected = None,
    expected_token_type: Expected = None,
) -> bool:
    """Requires what is expected, and gives `True`. A claim that is missing is not met.

    Raises `JWTMissingAudienceError`, `JWTInvalidAudienceError`, `JWTInvalidACRError`,
    `JWTInvalidIssuerError`, `JWTInvalidTokenTypeError`.
    """
    if expected_audience is not None:
        audience = payload.get("aud")
        if audience is None:
            raise JWTMissingAudienceError
        audiences = cast("list[object]", audience if isinstance(audience, list) else [audience])
        if not any(_is_one_of(one, expected_audience) for one in audiences):
            raise JWTInvalidAudienceError
    if expected_acr is not None and not _is_one_of(payload.get("acr"), expected_acr):
        raise JWTInvalidACRError
    if expected_issuer is not None and not _is_one_of(payload.get("iss"), expected_issuer):
        raise JWTInvalidIssuerError
    provided = payload.get("token_type")
    if expected_token_type is not None and not _is_one_of(provided, expected_token_type):
        raise JWTInvalidTokenTypeError(expected_token_type, provided)
    return True


def _is_one_of(value: object, expected: str | list[str]) -> bool:
    names = [expected] if isinstance(expected, str) else expected
    return isinstance(value, str) and value != "" and value in names


def _time(payload: Mapping[str, Any], name: str) -> float | None:
    """Gives a NumericDate (RFC 7519 section 2), which may have a fraction."""
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise JWTInvalidFormatError(f"JWT {name} claim is invalid")
    return value


def verified(token: str, config: JWTConfig, expected_token_type: Expected = None) -> Claims:
    """Verifies as `usso` does, and tells a refusal in the words of this package.

    Unless another type is expected, the token must be one for access.
    """
    expected = expected_token_type or ["access"]
    for token_type in [expected] if isinstance(expected, str) else expected:
        try:
            return _verified(token, config, str(token_type))
        except JWTInvalidTokenTypeError:
            continue
    provided = extract_jwt_parts(token)[1].get("token_type")
    raise JWTInvalidTokenTypeError(expected, provided)


def _verified(token: str, config: JWTConfig, token_type: str) -> Claims:
    from usso.auth import verifier_for
    from usso.config import AuthConfig
    from usso.exceptions import USSOException

    if not isinstance(config, AuthConfig):
        given = {name: getattr(config, name) for name in config.model_fields_set}
        config = AuthConfig(**given)
    try:
        return verifier_for(config, token_type).verify(token)
    except UnicodeEncodeError:
        raise JWTInvalidFormatError from None
    except USSOException as refusal:
        if refusal.status_code >= 500:
            raise
        error = _refused(refusal.error_code, token)
    raise error from None


_REFUSED: dict[str, type[JWTError]] = {
    "token.algorithm": JWTInvalidSignatureError,
    "token.audience": JWTInvalidAudienceError,
    "token.expired": JWTExpiredError,
    "token.issued_in_future": JWTIssuedInFutureError,
    "token.issuer": JWTInvalidIssuerError,
    "token.kind": JWTInvalidTokenTypeError,
    "token.lifetime": JWTMaximumAgeError,
    "token.not_yet_valid": JWTNotValidYetError,
    "token.signature": JWTInvalidSignatureError,
    "token.token_type": JWTInvalidTokenTypeError,
    "token.too_old": JWTMaximumAgeError,
    "token.typ": JWTInvalidTokenTypeError,
    "token.unknown_issuer": JWTInvalidIssuerError,
    "token.unknown_key": JWKNotFoundError,
}
"""Every other code is `JWTInvalidFormatError`."""


def _refused(code: str, token: str) -> JWTError:
    kind = _REFUSED.get(code, JWTInvalidFormatError)
    if kind is JWTInvalidAudienceError and "aud" not in extract_jwt_parts(token)[1]:
        return JWTMissingAudienceError()
    return kind()
