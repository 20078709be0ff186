"""Bodies of requests to USSO's API, and of its answers.

`UserData`, `JWTConfig` and `JWTHeaderConfig` can be imported from here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from .enums import ActivationStatus, AuthIdentifier, AuthSecret, ChannelType
from .user import UserData

if TYPE_CHECKING:
    from .config import JWTConfig, JWTHeaderConfig

__all__ = [
    "Identifier",
    "JWTConfig",
    "JWTHeaderConfig",
    "LoginRequest",
    "OTPRequest",
    "Secret",
    "UserData",
    "UserIdentifierSchema",
    "UserResponse",
]


def __getattr__(name: str) -> Any:
    """Gives what the documentation imports from here and `usso.config` has."""
    if name in ("JWTConfig", "JWTHeaderConfig"):
        from . import config

        return getattr(config, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Identifier(BaseModel):
    """Names a user. Kept in its one spelling if the type is given."""

    type: AuthIdentifier | None = Field(
        default=None, description="The kind of identifier: email, phone, username and others."
    )
    identifier: str = Field(description="The email address, the phone number, and so on.")

    @model_validator(mode="after")
    def _one_spelling(self) -> Self:
        if self.type is not None:
            sound, problem, canonical = self.type.get_identifier_validator()(self.identifier)
            if not sound or canonical is None:
                raise ValueError(problem or "Invalid identifier")
            self.identifier = canonical
        return self


class Secret(BaseModel):
    """Proves who a user is. The secret is in no representation and no error."""

    model_config = ConfigDict(hide_input_in_errors=True)

    method: AuthSecret | None = Field(
        default=None, description="The kind of proof: password, totp, email/otp and others."
    )
    secret: str | None = Field(
        default=None, repr=False, description="The password, the one-time password, and so on."
    )


class LoginRequest(Identifier, Secret):
    """Asks for a session."""

    referral_code: str | None = Field(
        default=None, description="The code of whoever invited the user."
    )


class OTPRequest(Identifier):
    """Asks for a one-time password. The channel is that of the identifier's type if not given."""

    channel_type: ChannelType = Field(
        default=ChannelType.sms, description="How it is sent: sms, email or bale."
    )

    @model_validator(mode="before")
    @classmethod
    def _infer_channel(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = dict(cast("Mapping[str, Any]", values))
        if given.get("channel_type"):
            return given
        channels = {"email": ChannelType.email, "phone": ChannelType.sms}
        kind = given.get("type")
        if not isinstance(kind, str) or kind not in channels:
            raise ValueError("give `channel_type`, or the `type` email or phone")
        return {**given, "channel_type": channels[kind]}


class UserIdentifierSchema(BaseModel):
    """An identifier of a user. Servers may leave out what can be read off the user."""

    uid: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    is_deleted: bool = False
    meta_data: dict[str, Any] | None = None
    tenant_id: str | None = None
    type: AuthIdentifier
    identifier: str
    verified_at: datetime | None = Field(
        default=None, description="When the user proved to own it; absent if never."
    )
    is_primary: bool = False
    is_active: bool = True


class UserResponse(BaseModel):
    """A user, as USSO's API tells it."""

    uid: str
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = False
    meta_data: dict[str, Any] | None = None
    tenant_id: str
    name: str | None = None
    roles: list[str]
    scopes: list[str] | None = None
    workspace_roles: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    workspace_ids: list[str] = Field(default_factory=list[str])
    is_active: bool = False
    is_limited: bool = False
    activation_status: ActivationStatus = ActivationStatus.ACTIVE
    avatar_url: str | None = None
    custom_claims: dict[str, Any] = Field(default_factory=dict[str, Any])
    history: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    identifiers: list[UserIdentifierSchema] = Field(default_factory=list[UserIdentifierSchema])
    credential_methods: list[str] = Field(default_factory=list[str])
