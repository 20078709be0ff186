"""Names of algorithms and types of tokens."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):
        """An enumeration whose members are texts, as Python 3.11 has it."""

        def __str__(self) -> str:
            return str(self.value)


class Algorithm(StrEnum):
    """A signature algorithm, looked up whatever its case.

    Only those with a `jose_name` are verified and signed with; the others are there for programs
    that name them. The values of the last two are as published; `jose_name` is what a header says.
    """

    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"
    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    EdDSA = "EDDSA"
    Ed25519 = "ED25519"

    @classmethod
    def _missing_(cls, value: object) -> Algorithm | None:
        upper = value.upper() if isinstance(value, str) else None
        return next((member for member in cls if member.value == upper), None)

    @property
    def kty(self) -> str:
        """The type of the keys it is for, as a JWK spells it."""
        kinds = {"H": "oct", "R": "RSA", "P": "RSA"}
        return "OKP" if self.value.startswith("ED") else kinds.get(self.value[0], "EC")

    @property
    def jose_name(self) -> str | None:
        """The registered name (RFC 7518, RFC 8037); `None` if it is not supported."""
        if self in (Algorithm.EdDSA, Algorithm.Ed25519):
            return "EdDSA"
        supported = (Algorithm.ES256, Algorithm.ES384, Algorithm.RS256, Algorithm.PS256)
        return self.value if self in supported else None


class TokenType(StrEnum):
    """What a token is for, in the claim `token_type`."""

    ACCESS = "access"
    REFRESH = "refresh"
