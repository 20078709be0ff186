"""Tokens as objects."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from .config import JWTConfig
from .enums import Algorithm
from .exceptions import JWTError, UnsupportedAlgorithmError
from .verify import (
    Expected,
    extract_jwt_parts,
    verified,
    verify_claims,
    verify_temporal_claims,
)


class UnverifiedJWT(BaseModel):
    """A token that proves nothing. `str` gives the token; its representation does not.

    Every property raises `JWTInvalidFormatError` if the token cannot be read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: str = Field(repr=False)

    def __str__(self) -> str:
        return self.token

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and str(other) == self.token

    def __hash__(self) -> int:
        return hash(self.token)

    @cached_property
    def _parts(self) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
        return extract_jwt_parts(self.token)

    @property
    def unverified_header(self) -> dict[str, Any]:
        """The header, for which nothing vouches."""
        return self._parts[0]

    @property
    def unverified_payload(self) -> Any:
        """The claims, for which nothing vouches."""
        return self._parts[1]

    @property
    def algorithm(self) -> Algorithm:
        """What the header says. Raises `UnsupportedAlgorithmError` for an unknown name."""
        try:
            return Algorithm(self.unverified_header.get("alg"))
        except ValueError:
            raise UnsupportedAlgorithmError from None

    @property
    def signature(self) -> bytes:
        """The signature."""
        return self._parts[2]

    @property
    def signing_input(self) -> bytes:
        """What was signed: the first two segments."""
        return self._parts[3]

    @property
    def is_expired(self) -> bool:
        """Whether the times in the claims, for which nothing vouches, are not met."""
        return not self.is_temporally_valid()

    def is_temporally_valid(self, *, raise_exception: bool = False) -> bool:
        """Says whether the times in the claims, for which nothing vouches, are met.

        Raises a `JWTError` instead of giving `False` if `raise_exception` is set.
        """
        try:
            return verify_temporal_claims(payload=self._parts[1])
        except JWTError:
            if raise_exception:
                raise
            return False


def _of_environment() -> JWTConfig:
    from usso.config import AuthConfig

    return AuthConfig()


class JWT(UnverifiedJWT):
    """A token and what it must be like, by default what the environment says (`AuthConfig`).

    `header` and `payload` verify it each time.
    """

    config: JWTConfig = Field(default_factory=_of_environment)
    _payload_class: type[BaseModel] | None = PrivateAttr(default=None)

    def __init__(
        self,
        *,
        token: str,
        config: JWTConfig | None = None,
        payload_class: type[BaseModel] | None = None,
    ) -> None:
        given: dict[str, Any] = {} if config is None else {"config": config}
        super().__init__(token=token, **given)
        self._payload_class = payload_class

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and isinstance(other, JWT) and other.config == self.config

    def __hash__(self) -> int:
        return hash(self.token)

    @property
    def header(self) -> dict[str, Any]:
        """The header, once the token was verified. Raises as `verify` does."""
        self.verify()
        return self.unverified_header

    @property
    def payload(self) -> Any:
        """The claims, once the token was verified: a dict, or of the `payload_class`.

        Raises as `verify` does.
        """
        return self._shaped(verified(self.token, self.config).to_dict())

    @property
    def unverified_payload(self) -> Any:
        """The claims, for which nothing vouches: a dict, or of the `payload_class`."""
        return self._shaped(self._parts[1])

    def _shaped(self, claims: dict[str, Any]) -> Any:
        return claims if self._payload_class is None else self._payload_class.model_validate(claims)

    def verify(self, expected_acr: Expected = None, expected_token_type: Expected = None) -> bool:
        """Verifies the token and gives `True`.

        Unless `expected_token_type` is given, the token must be one for access. Raises a `JWTError`
        if it is refused, `ValueError` if the configuration cannot be used, and `USSOException` with
        status 503 if the issuer's keys cannot be had: that is no verdict.
        """
        claims = verified(self.token, self.config, expected_token_type)
        return verify_claims(
            payload=claims.to_dict(),
            expected_acr=expected_acr,
            expected_token_type=expected_token_type,
        )
