"""The caller, as apps see them."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, Field, model_validator


class TokenType(str, Enum):
    """What a token is for."""

    ACCESS = "access"
    REFRESH = "refresh"
    SECURE_TOKEN = "secure"
    ONE_TIME_TOKEN = "one_time"
    TEMPORARY_TOKEN = "temporary"

    def __str__(self) -> str:
        return self.value


class UserData(BaseModel):
    """Who is calling: the claims of a token, and all of them again in `claims`.

    Each request gets its own, so changing one changes no other.
    """

    iss: str | None = None
    sub: str = ""
    aud: str | list[str] | None = None
    iat: int | None = None
    nbf: int | None = None
    exp: int | None = None
    jti: str | None = None
    token_type: TokenType | str | None = Field(default=None, union_mode="left_to_right")
    session_id: str | None = None
    tenant_id: str | None = None
    workspace_id: str | None = None
    roles: list[str] = Field(default_factory=list[str])
    scopes: list[str] = Field(default_factory=list[str])
    acr: str | None = None
    amr: list[str] = Field(default_factory=list[str])
    signing_level: str | None = None
    claims: dict[str, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="before")
    @classmethod
    def _keep_claims(cls, data: Any) -> Any:
        """Keeps what is given, declared or not, in `claims` as well."""
        if not isinstance(data, dict):
            return data
        given: dict[str, Any] = {str(name): value for name, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        # What users wrote about themselves must not pass for what the issuer says of them.
        nested = {"claims": given.pop("claims")} if "claims" in given else {}
        fields = {name: value for name, value in given.items() if name in cls.model_fields}
        others = {name: value for name, value in given.items() if name not in cls.model_fields}
        declared = {name: value for name, value in fields.items() if value is not None}
        for name in ("sub", "roles", "scopes", "amr"):
            if name in fields and fields[name] is None:
                del fields[name]
        return {**fields, "claims": {**declared, **others, **nested}}

    @property
    def user_id(self) -> str:
        """The claim `user_id` of USSO, or the subject."""
        own = self.claims.get("user_id")
        return own if isinstance(own, str) and own else self.sub

    @property
    def uid(self) -> str:
        """The same as `user_id`."""
        return self.user_id

    @property
    def user_name(self) -> str:
        """The claim `user_name`, or an empty text."""
        return self.claims.get("user_name") or ""

    @property
    def email(self) -> str:
        """The claim `email`, or an empty text. Whether it was verified is another claim."""
        return self.claims.get("email") or ""

    @property
    def phone(self) -> str:
        """The claim `phone`, or an empty text."""
        return self.claims.get("phone") or ""

    @property
    def is_service(self) -> bool:
        """Whether the caller is a service account: USSO names them `service:…`."""
        return self.sub.startswith("service:")

    def can(self, action: str, path: str, **filters: str) -> bool:
        """Says whether a scope allows the action on the path, for a resource with these values."""
        from usso import _native

        return _native.check_access(self.scopes, path, action, [filters] if filters else ())

    def model_dump(self, *, exclude_none: bool = True, **options: Any) -> dict[str, Any]:
        """Gives the fields as a dict, by default without those that are absent."""
        return super().model_dump(exclude_none=exclude_none, **options)


KINDS: dict[str, TokenType] = {kind.value: kind for kind in TokenType}
"""The values of `token_type`, for `Claims.user_data`."""
