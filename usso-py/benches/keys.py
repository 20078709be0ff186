"""Keys, and tokens that every peer takes: signed by `cryptography`."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

ISSUER = "https://sso.example"
AUDIENCE = "https://api.example"
ALGORITHMS = ("EdDSA", "ES256", "RS256")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Key:
    """A private key."""

    algorithm: str
    private: Any

    @classmethod
    def generate(cls, algorithm: str) -> Key:
        if algorithm == "EdDSA":
            return cls(algorithm, ed25519.Ed25519PrivateKey.generate())
        if algorithm == "ES256":
            return cls(algorithm, ec.generate_private_key(ec.SECP256R1()))
        return cls(algorithm, rsa.generate_private_key(65537, 2048))

    @property
    def pem(self) -> str:
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()

    @property
    def jwk(self) -> dict[str, Any]:
        public = self.private.public_key()
        named = {"alg": self.algorithm, "use": "sig", "kid": "k1"}
        if self.algorithm == "EdDSA":
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()), **named}
        numbers = public.public_numbers()
        if self.algorithm == "ES256":
            x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
            return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **named}
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **named}

    def sign(self, message: bytes) -> bytes:
        if self.algorithm == "EdDSA":
            return self.private.sign(message)
        if self.algorithm == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        pair = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in pair)

    def token(self, number: int, **changes: str) -> str:
        """Makes a token as USSO's are: twelve claims, four scopes, about 450 bytes."""
        now = int(time.time())
        header = {"alg": self.algorithm, "typ": "JWT", "kid": "k1"}
        claims = {
            "iss": ISSUER,
            "sub": f"user:{number:08}",
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "jti": f"tok_{number:016}",
            "token_type": "access",
            "tenant_id": "org_01J8Z3K5N7",
            "workspace_id": "ws_01J8Z3K5N7",
            "roles": ["member", "billing"],
            "scopes": ["read:files", "create:files", "read:users?user_id=7", "manage:org/billing"],
            **changes,
        }
        parts = (b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        message = ".".join(parts)
        return f"{message}.{b64(self.sign(message.encode()))}"
