"""Tokens of any content, signed by `cryptography`: nothing here shares code with what is tested."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from usso import AuthConfig, UssoAuth
from usso.exceptions import USSOException

ISSUER = "https://sso.example"
AUDIENCE = "https://api.example"
KID = "k1"
ABSENT: Any = object()
"""Leaves a claim or a header member out."""


def unb64(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def b64(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Signer:
    """A private key that signs whatever it is given."""

    algorithm: str
    key: Any

    @property
    def pem(self) -> str:
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()

    @property
    def der(self) -> bytes:
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.DER, kind)

    @property
    def private_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def jwk(self) -> dict[str, Any]:
        named = {"alg": self.algorithm, "use": "sig", "kid": KID}
        public = self.key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()), **named}
        numbers = public.public_numbers()
        if isinstance(public, ec.EllipticCurvePublicKey):
            size = (public.key_size + 7) // 8
            point = {"x": _number(numbers.x, size), "y": _number(numbers.y, size)}
            return {"kty": "EC", "crv": f"P-{public.key_size}", **point, **named}
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **named}

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            digest = hashes.SHA256() if self.algorithm == "ES256" else hashes.SHA384()
            size = (self.key.key_size + 7) // 8
            pair = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(digest)))
            return b"".join(number.to_bytes(size, "big") for number in pair)
        sha256 = hashes.SHA256()
        if self.algorithm == "PS256":
            return self.key.sign(message, padding.PSS(padding.MGF1(sha256), 32), sha256)
        return self.key.sign(message, padding.PKCS1v15(), sha256)

    def compact(self, header: str | bytes, claims: str | bytes) -> str:
        """Signs any bytes as header and claims."""
        message = f"{b64(header)}.{b64(claims)}"
        return f"{message}.{b64(self.sign(message.encode()))}"

    def header(self, **changes: Any) -> dict[str, Any]:
        return changed({"alg": self.algorithm, "kid": KID, "typ": "at+jwt"}, changes)

    def mint(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Signs a good token, but for the changes in its header and its claims."""
        head = self.header(**(header or {}))
        return self.compact(json.dumps(head), json.dumps(claims(**changes)))

    def hmac_token(self, secret: bytes, algorithm: str = "HS256", **changes: Any) -> str:
        """Makes a token whose "signature" anybody who knows the public key can make."""
        digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
        message = (
            f"{b64(json.dumps(self.header(alg=algorithm)))}.{b64(json.dumps(claims(**changes)))}"
        )
        return f"{message}.{b64(hmac.digest(secret, message.encode(), digest[algorithm]))}"

    def config(self, **settings: Any) -> AuthConfig:
        """A configuration with this key at hand."""
        keys = {} if {"jwks", "key", "jwks_url"} & settings.keys() else {"jwks": self.jwks}
        return AuthConfig(**{"issuer": ISSUER, "audience": AUDIENCE, **keys, **settings})

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.jwk]}

    def auth(self, **settings: Any) -> UssoAuth[Any]:
        return UssoAuth(self.config(**settings))


@cache
def signer(algorithm: str = "EdDSA", bits: int = 2048, number: int = 0) -> Signer:
    """Gives the key of this number, made once: RSA takes a while."""
    if algorithm == "EdDSA":
        return Signer(algorithm, ed25519.Ed25519PrivateKey.generate())
    if algorithm in ("ES256", "ES384"):
        curve = ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1()
        return Signer(algorithm, ec.generate_private_key(curve))
    return Signer(algorithm, rsa.generate_private_key(65537, bits))


def changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = {**members, **changes}
    return {name: value for name, value in merged.items() if value is not ABSENT}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, but for the changes."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "sub": "user:1",
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "jti": "t1",
        "token_type": "access",
    }
    return changed(good, changes)


def refusal(verify: Any, token: Any) -> str:
    """Gives the code a token is refused with. Fails for good tokens and other exceptions."""
    try:
        verify(token)
    except USSOException as error:
        assert error.status_code == 401, error.error_code
        assert_says_nothing(error, token)
        return error.error_code
    raise AssertionError("the token was accepted")


def assert_says_nothing(error: USSOException, token: str) -> None:
    """No text of a refusal holds anything of the token."""
    texts = f"{error} {error!r} {error.body()} {error.headers} {error.__cause__!r}"
    for segment in token.split("."):
        assert len(segment) < 8 or segment not in texts
