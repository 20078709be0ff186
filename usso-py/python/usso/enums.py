"""Names that USSO's API uses."""

from __future__ import annotations

from collections.abc import Callable

from usso_jwt.enums import StrEnum

Validated = tuple[bool, str | None, str | None]
"""Whether a text is sound, what is wrong with it if not, and its one spelling if so."""


class AuthIdentifier(StrEnum):
    """By what a user or a program is named."""

    EMAIL = "email"
    PHONE = "phone"
    USERNAME = "username"
    TELEGRAM_ID = "telegram_id"
    BALE_ID = "bale_id"
    PASSKEY_ID = "passkey_id"
    QR_SESSION = "qr_session"
    NATIONAL_ID = "national_id"
    COMPANY_ID = "company_id"
    CLIENT_ID = "client_id"
    SERVICE_ID = "service_id"

    def get_identifier_validator(self) -> Callable[[str], Validated]:
        """Gives the function that validates such an identifier; one without rules takes any."""
        from .utils import validators

        known: dict[AuthIdentifier, Callable[[str], Validated]] = {
            AuthIdentifier.EMAIL: validators.validate_email,
            AuthIdentifier.PHONE: validators.validate_phone,
            AuthIdentifier.USERNAME: validators.validate_username,
            AuthIdentifier.TELEGRAM_ID: validators.validate_telegram_id,
            AuthIdentifier.BALE_ID: validators.validate_telegram_id,
        }
        return known.get(self, lambda text: (True, None, text))


class AuthSecret(StrEnum):
    """By what somebody proves who it is."""

    PASSWORD = "password"
    TOTP = "totp"
    EMAIL_OTP = "email/otp"
    PHONE_OTP = "phone/otp"
    BACKUP_CODES = "backup_codes"
    WEBAUTHN = "webauthn"
    MAGIC_LINK = "magic_link"
    OAUTH = "oauth"
    ID_TOKEN = "id_token"
    TELEGRAM_TOKEN = "telegram_token"

    @classmethod
    def get_identifier_type(cls, method: AuthSecret) -> AuthIdentifier | None:
        """Gives the kind of identifier that a method proves; `None` if it proves any."""
        proved = {
            cls.EMAIL_OTP: AuthIdentifier.EMAIL,
            cls.PHONE_OTP: AuthIdentifier.PHONE,
            cls.MAGIC_LINK: AuthIdentifier.EMAIL,
            cls.WEBAUTHN: AuthIdentifier.PASSKEY_ID,
            cls.OAUTH: AuthIdentifier.EMAIL,
            cls.TELEGRAM_TOKEN: AuthIdentifier.TELEGRAM_ID,
        }
        return proved.get(method)


class LoginStatus(StrEnum):
    """How far a login has come."""

    REGISTRATION_REQUIRED = "registration_required"
    VERIFICATION_REQUIRED = "verification_required"
    MFA_REQUIRED = "mfa_required"
    COMPLETED = "completed"
    FAILED = "failed"
    REFRESHED = "refreshed"


class ChannelType(StrEnum):
    """By what one-time passwords are sent."""

    sms = "sms"
    bale = "bale"
    email = "email"


class ActivationStatus(StrEnum):
    """Whether an account may be used."""

    ACTIVE = "active"
    DEACTIVE = "deactive"
    PENDING = "pending"
    BANNED = "banned"
