"""Bodies of requests and answers, and the names in them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from usso import enums, schemas, user
from usso.enums import AuthIdentifier, AuthSecret, ChannelType
from usso.schemas import Identifier, LoginRequest, OTPRequest, Secret, UserResponse

RECORD: dict[str, Any] = {
    "uid": "u1",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-02T00:00:00Z",
    "is_deleted": False,
    "tenant_id": "org_1",
}


def test_the_documented_names_are_here() -> None:
    from usso import config

    assert schemas.UserData is user.UserData
    assert schemas.JWTConfig is config.JWTConfig
    assert schemas.JWTHeaderConfig is config.JWTHeaderConfig
    with pytest.raises(AttributeError):
        _ = schemas.Unknown  # type: ignore[attr-defined]


def test_an_identifier_gets_its_one_spelling() -> None:
    assert Identifier(type="email", identifier=" Ann@Example.COM ").identifier == "ann@example.com"
    assert Identifier(type="username", identifier="Ann").identifier == "ann"
    assert Identifier(type="national_id", identifier=" 1 ").identifier == " 1 "
    assert Identifier(identifier="As It Is").identifier == "As It Is"


@pytest.mark.parametrize(
    ("kind", "text"),
    [("email", "ann"), ("phone", "12"), ("username", "a"), ("telegram_id", "x"), ("x", "y")],
)
def test_an_identifier_that_is_none_of_its_type_is_an_error(kind: str, text: str) -> None:
    with pytest.raises(ValidationError):
        Identifier(type=kind, identifier=text)


def test_a_secret_is_in_no_representation_and_no_error() -> None:
    login = LoginRequest(identifier="ann", secret="hunter2", method="password")
    assert "hunter2" not in repr(login)
    assert "hunter2" not in repr(Secret(secret="hunter2"))
    assert login.model_dump()["secret"] == "hunter2"
    for model in (Secret, LoginRequest):
        with pytest.raises(ValidationError) as caught:
            model(identifier="ann", secret=["hunter2"])
        assert "hunter2" not in str(caught.value)


def test_the_channel_is_that_of_the_identifier() -> None:
    email = OTPRequest(type=AuthIdentifier.EMAIL, identifier="ann@example.com")
    assert email.channel_type == "email"
    phone = OTPRequest.model_validate({"type": "phone", "identifier": "+989121234567"})
    assert phone.channel_type is ChannelType.sms
    given = {"type": "username", "identifier": "ann", "channel_type": "bale"}
    assert OTPRequest.model_validate(given).channel_type == "bale"


def test_the_channel_is_not_guessed() -> None:
    for given in ({}, {"type": "username"}, {"type": 5}, {"channel_type": "fax"}):
        with pytest.raises(ValidationError):
            OTPRequest.model_validate({"identifier": "ann"} | given)
    with pytest.raises(ValidationError):
        OTPRequest.model_validate("ann")


def test_what_is_given_is_not_changed() -> None:
    given = {"type": "email", "identifier": "ann@example.com"}
    OTPRequest.model_validate(given)
    assert given == {"type": "email", "identifier": "ann@example.com"}


def test_a_user_is_read_as_the_api_tells_it() -> None:
    identifier = {**RECORD, "type": "email", "identifier": "ann@example.com"}
    read = UserResponse.model_validate({**RECORD, "roles": ["a"], "identifiers": [identifier]})
    assert read.created_at == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert read.identifiers[0].type is AuthIdentifier.EMAIL
    assert (read.identifiers[0].is_primary, read.identifiers[0].is_active) == (False, True)
    assert (read.is_active, read.is_limited, read.activation_status) == (False, False, "active")
    assert (read.workspace_ids, read.workspace_roles, read.history) == ([], {}, [])
    with pytest.raises(ValidationError):
        UserResponse.model_validate(RECORD)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "AuthIdentifier",
            "email phone username telegram_id bale_id passkey_id qr_session national_id company_id "
            "client_id service_id",
        ),
        (
            "AuthSecret",
            "password totp email/otp phone/otp backup_codes webauthn magic_link oauth id_token "
            "telegram_token",
        ),
        (
            "LoginStatus",
            "registration_required verification_required mfa_required completed failed refreshed",
        ),
        ("ChannelType", "sms bale email"),
        ("ActivationStatus", "active deactive pending banned"),
    ],
)
def test_the_values_are_the_published_ones(name: str, values: str) -> None:
    assert [str(member) for member in getattr(enums, name)] == values.split()


def test_a_method_proves_a_kind_of_identifier() -> None:
    assert AuthSecret.get_identifier_type(AuthSecret.PHONE_OTP) is AuthIdentifier.PHONE
    assert AuthSecret.get_identifier_type(AuthSecret.WEBAUTHN) is AuthIdentifier.PASSKEY_ID
    assert AuthSecret.get_identifier_type(AuthSecret.PASSWORD) is None
