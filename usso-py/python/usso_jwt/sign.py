"""Making tokens, with the key of an asymmetric algorithm."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .algorithms import get_algorithm
from .keys import jose_name
from .utils import b64url_encode


@dataclass(frozen=True, slots=True)
class SignInput:
    """What to sign: `signing_input` as it is, otherwise header and payload."""

    signing_input: str | bytes | None = None
    header: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None
    password: bytes | None = field(default=None, repr=False)


def create_jwt_header(alg: str, kid: str | None = None, **kwargs: Any) -> dict[str, Any]:
    """Makes a header with the registered name of the algorithm: `EdDSA`, not `ED25519`.

    Raises `UnsupportedAlgorithmError`.
    """
    named = {"kid": kid} if kid else {}
    return {"alg": jose_name(alg), "typ": "JWT", **named, **kwargs}


def sign_jwt_parts(*, key: object, alg: str, parts: SignInput | None = None) -> bytes:
    """Gives the signature. `key` is a private PEM, DER, JWK, `AbstractKey` or of `cryptography`.

    Raises `UnsupportedAlgorithmError`, and `ValueError` if there is nothing to sign or the key is
    not for the algorithm.
    """
    parts = parts or SignInput()
    message = parts.signing_input
    if message is None:
        if parts.header is None or parts.payload is None:
            raise ValueError("give `header` and `payload`, or `signing_input`")
        message = _message(parts.header, parts.payload, alg)
    data = message.encode() if isinstance(message, str) else message
    jose_name(alg)
    return get_algorithm(alg).sign(data=data, key=key, alg=alg, password=parts.password)


def generate_jwt(
    header: dict[str, Any],
    payload: dict[str, Any],
    key: object,
    alg: str,
    password: bytes | None = None,
) -> str:
    """Makes a token. The header says the registered name of `alg`.

    Raises as `sign_jwt_parts` does, `ValueError` if the header names another algorithm, and
    `TypeError` for what JSON does not have; a `UUID` becomes text.
    """
    message = _message(header, payload, alg)
    parts = SignInput(signing_input=message, password=password)
    return f"{message}.{b64url_encode(sign_jwt_parts(key=key, alg=alg, parts=parts))}"


def _message(header: dict[str, Any], payload: dict[str, Any], alg: str) -> str:
    name = jose_name(alg)
    if "alg" in header and jose_name(header["alg"]) != name:
        raise ValueError("the header names another algorithm than `alg`")
    return ".".join(b64url_encode(_json(part)) for part in ({**header, "alg": name}, payload))


def _json(part: dict[str, Any]) -> str:
    return json.dumps(part, separators=(",", ":"), allow_nan=False, default=_text)


def _text(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
