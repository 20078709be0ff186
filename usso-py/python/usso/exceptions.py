"""What this package raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from usso._native import Refusal


class ConfigError(ValueError):
    """The settings cannot be used; the text names the setting and the fix."""


class USSOException(Exception):
    """A refusal, with what an HTTP answer needs.

    `error_code` is stable; the message is for people and may change.
    """

    message_en: ClassVar[str] = "The request was refused."
    message_fa: ClassVar[str] = "درخواست پذیرفته نشد."

    def __init__(
        self,
        status_code: int,
        error_code: str,
        detail: str | None = None,
        message: dict[str, str] | str | None = None,
        **data: Any,
    ) -> None:
        self.status_code = status_code
        self.error_code = error_code
        if isinstance(message, str):
            message = {"en": message}
        self.message: dict[str, str] = message or {"en": self.message_en, "fa": self.message_fa}
        self.detail = detail or next(iter(self.message.values()))
        self.data = data
        self.refusal: Refusal | None = None
        """What the verifier said, where it was the one to refuse."""
        super().__init__(self.detail)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer: how to authenticate, if that would help."""
        challenge = self.refusal.challenge if self.refusal else None
        return {"WWW-Authenticate": challenge} if challenge else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            _restore,
            (type(self), self.status_code, self.error_code, self.detail, self.message),
        )

    def body(self) -> dict[str, Any]:
        """Gives the body of the answer, in USSO's shape."""
        own = {"message": self.message, "error_code": self.error_code, "detail": self.detail}
        return {**self.data, **own}


class TokenInvalid(USSOException):
    """The token is not good."""


class TokenExpired(TokenInvalid):
    """The token's life is over."""


class TokenNotFound(USSOException):
    """There is no credential in the request."""


class VerifierUnavailable(USSOException):
    """Nobody can tell at present whether the credential is good: answer 503, not 401."""


class PermissionDenied(USSOException):
    """The caller is known and may not do this."""

    message_en = "Permission denied."
    message_fa = "دسترسی مجاز نیست."

    def __init__(
        self,
        error_code: str = "permission_denied",
        detail: str | None = None,
        message: dict[str, str] | str | None = None,
        **data: Any,
    ) -> None:
        super().__init__(403, error_code, detail, message, **data)


class InsufficientScope(PermissionDenied):
    """The caller lacks a scope."""


USSOError = USSOException
PermissionDeniedError = PermissionDenied


def _restore(
    kind: type[USSOException],
    status: int,
    code: str,
    detail: str | None,
    message: dict[str, str],
) -> USSOException:
    """Makes an exception that was pickled again."""
    made = kind.__new__(kind)
    USSOException.__init__(made, status, code, detail, message)
    return made


def of_refusal(refusal: Refusal) -> USSOException:
    """Makes the exception for what the verifier said."""
    kind: type[USSOException]
    match refusal.code, refusal.status:
        case "access.token_missing", _:
            kind = TokenNotFound
        case "token.expired" | "opaque.expired", _:
            kind = TokenExpired
        case "access.scope", _:
            kind = InsufficientScope
        case _, 403:
            kind = PermissionDenied
        case _, 400 | 401:
            kind = TokenInvalid
        case _, 503:
            kind = VerifierUnavailable
        case _:
            kind = USSOException
    message = {"en": refusal.message[:1].upper() + refusal.message[1:] + "."}
    made = _restore(kind, refusal.status, refusal.code, refusal.message, message)
    made.refusal = refusal
    return made


error_messages: dict[str, str] = {
    "token.expired": "The token has expired.",
    "token.signature": "The signature is not that of the key.",
    "access.token_missing": "Sign in: this needs an access token.",
    "access.scope": "The caller lacks a scope.",
    "permission_denied": "Permission denied.",
}
