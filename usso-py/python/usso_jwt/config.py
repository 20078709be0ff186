"""What a token must be like to be accepted."""

from __future__ import annotations

import json
import os
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from .enums import Algorithm
from .keys import public_jwk
from .utils import json_object


class JWTConfig(BaseModel):
    """Where the keys are, and what the claims must say. Never changes once it is made.

    Without arguments it is read from the environment variable `JWT_CONFIG`, a JSON object.

    Raises `ValueError` (pydantic's `ValidationError`) for an unknown setting too: a setting that is
    not looked at must not look like a check.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Algorithm = Field(
        default=Algorithm.EdDSA,
        description="The one algorithm to accept. Unless it is set, the key says which.",
    )
    jwks_url: str | None = Field(default=None, description="Where the issuer publishes its keys.")
    key: str | bytes | dict[str, Any] | None = Field(
        default=None,
        description="The issuer's public key, in PEM or as a JWK; kept as a JWK.",
    )
    issuer: str | list[str] | None = Field(default=None, description="The `iss` to accept.")
    audience: str | list[str] | None = Field(default=None, description="The `aud` to accept.")
    maximum_age: int | None = Field(
        default=None, gt=0, description="How many seconds after `iat` a token is accepted."
    )

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, data: Any) -> Any:
        """Reads the environment where nothing is given."""
        if data == {} and (text := os.getenv("JWT_CONFIG")):
            return _object(text, "JWT_CONFIG")
        return data

    @classmethod
    def init_by_json(cls, json_data: object) -> JWTConfig:
        """Makes a configuration of a JSON text or a mapping.

        Raises `TypeError` for anything else, `ValueError` as the constructor does.
        """
        if isinstance(json_data, str):
            json_data = _object(json_data, "json_data")
        if not isinstance(json_data, dict):
            raise TypeError("json_data must be a JSON text or a dict")
        return cls(**cast("dict[str, Any]", json_data))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JWTConfig):
            return NotImplemented
        # `type` has a value if it was not set too, but then it is no check.
        return super().__eq__(other) and self.algorithm == other.algorithm

    def __hash__(self) -> int:
        parts = [self.jwks_url, self.jwk, self.issuer, self.audience, self.algorithm]
        return hash(json.dumps(parts, sort_keys=True))

    @property
    def jwk(self) -> dict[str, Any] | None:
        """The public key, if one was given."""
        return self.key if isinstance(self.key, dict) else None

    @property
    def algorithm(self) -> str | None:
        """The registered name of `type` if that was set, else `None`: the key says which."""
        return self.type.jose_name if "type" in self.model_fields_set else None

    @field_validator("key", mode="before")
    @classmethod
    def _is_public(cls, key: object, info: ValidationInfo) -> dict[str, Any] | None:
        """Takes nothing but a public key (RFC 8725 section 3.1).

        A text that is no PEM is an error and never the secret of an HMAC: whoever knows the public
        key could sign with it.
        """
        is_pss = info.data.get("type") is Algorithm.PS256
        return None if key is None else public_jwk(key, "PS256" if is_pss else None)

    @field_validator("issuer", "audience")
    @classmethod
    def _names(cls, names: str | list[str] | None) -> str | list[str] | None:
        if names is not None and (not names or not all(names)):
            raise ValueError("name at least one and no empty one, or leave it out")
        return names

    @model_validator(mode="after")
    def _is_sound(self) -> JWTConfig:
        # `AuthConfig` has `jwks` too.
        if not self.jwks_url and self.key is None and getattr(self, "jwks", None) is None:
            raise ValueError("give `jwks_url` or `key`: without keys no token can be verified")
        if "type" not in self.model_fields_set:
            return self
        if self.type.jose_name is None:
            raise ValueError(
                f"`type` {self.type} is not supported; write EdDSA, ES256, ES384, RS256 or PS256"
            )
        if self.jwk is not None and not _is_for(self.jwk, self.type):
            raise ValueError(f"`key` is not for {self.type.jose_name}; correct `type` or `key`")
        return self


def _is_for(jwk: dict[str, Any], algorithm: Algorithm) -> bool:
    curve = {Algorithm.ES256: "P-256", Algorithm.ES384: "P-384"}.get(algorithm)
    named = jwk.get("alg")
    return (
        jwk.get("kty") == algorithm.kty
        and (curve is None or jwk.get("crv") == curve)
        and (named is None or Algorithm(named).jose_name == algorithm.jose_name)
    )


def _object(text: str, name: str) -> dict[str, Any]:
    data = json_object(text)
    if data is None:
        # Without the text, which may hold more than was meant to be there.
        raise ValueError(f'{name} is no JSON object; write it as {{"jwks_url": "https://…"}}')
    return data
