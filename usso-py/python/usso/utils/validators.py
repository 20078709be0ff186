"""Identifiers: whether they are sound, and their one spelling.

Each `validate_…` gives whether the text is sound, what is wrong with it if not, and its one
spelling if so; validating that again gives the same. With the packages phonenumbers and
email-validator (the extra `validator`) phone numbers and addresses are judged by those, otherwise
by simple strict rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..enums import AuthIdentifier, Validated

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(
    r"(?=.{1,64}@)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    rf"@(?=.{{1,253}}\Z)(?:{_LABEL}\.)+(?!\d+\Z)[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])\Z"
)
_PHONE = re.compile(r"(?:\+|00)?([1-9][0-9]{7,14})\Z")
_PHONE_AT_HOME = re.compile(r"[0-9]{3,15}\Z")
_PHONE_SIGNS = re.compile(r"[\s().-]+")
_USERNAME = re.compile(r"(?=.{3,30}\Z)[a-z0-9_](?:[._-]?[a-z0-9])*\Z")
_TELEGRAM = re.compile(r"[0-9]{5,15}\Z")
_MAX_EMAIL = 254
_MAX_LOCAL = 64
_MAX_PHONE = 64
_MAX_USERNAME = 64

# fmt: off
reserved = frozenset((
    "about", "abuse", "account", "admin", "administrator", "api", "auth", "billing", "contact",
    "help", "hostmaster", "info", "login", "logout", "me", "nil", "noreply", "null", "oauth",
    "owner", "postmaster", "register", "root", "security", "service", "signin", "signout",
    "signup", "sso", "staff", "superadmin", "superuser", "support", "system", "tenant",
    "undefined", "user", "usso", "v1", "webmaster", "workspace", "www",
))
# fmt: on
"""Names that a user could pass for somebody else with."""

banned_words: frozenset[str] = frozenset()
"""Words that no name may contain. None: which ones, and in which language, the app knows."""


def convert_to_english_digits(input_str: str) -> str:
    """Writes the decimal digits of every script as 0 to 9."""
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char for char in input_str
    )


def validate_phone(number: str, country_code: str | None = None) -> Validated:
    """Validates a phone number; its one spelling is its digits with the country's, no `+`.

    `country_code` is a region such as `IR`, for numbers written as at home; a number of another
    country is refused. It needs the package phonenumbers.
    """
    if len(number) > _MAX_PHONE:
        return False, "Invalid phone number", None
    number = _PHONE_SIGNS.sub("", convert_to_english_digits(number))
    international = _PHONE.match(number)
    if not international and not _PHONE_AT_HOME.match(number):
        return False, "Invalid phone number: start it with + and the country's digits", None
    try:
        import phonenumbers
    except ImportError:
        if country_code:
            return False, "The country cannot be checked without the package phonenumbers", None
        if international is None:
            return False, "Invalid phone number: start it with + and the country's digits", None
        return True, None, international[1]
    if international and (not country_code or number.startswith(("+", "00"))):
        number = "+" + international[1]
    try:
        parsed = phonenumbers.parse(number, country_code)
    except phonenumbers.NumberParseException:
        return False, "Invalid phone number: start it with + and the country's digits", None
    code, region = parsed.country_code, country_code
    if region and phonenumbers.country_code_for_region(region) != code:
        return False, "Invalid country code", None
    if not phonenumbers.is_valid_number(parsed):
        return False, "Invalid phone number", None
    return True, None, f"{code}{phonenumbers.national_significant_number(parsed)}"


def validate_telegram_id(inp: str) -> Validated:
    """Validates the number of a Telegram or Bale user."""
    if _TELEGRAM.match(inp):
        return True, None, inp
    return False, "Invalid Telegram ID", None


def validate_email(email: str, *, check_deliverability: bool = False) -> Validated:
    """Validates an email address; its one spelling is in lower case.

    With `check_deliverability` the domain must be found to take mail; that asks the DNS, blocks for
    up to 5 seconds, and needs the package email-validator: without, no address passes. Of
    `gmail.com` dots and what follows `+` do not count.
    """
    address = email.strip()
    if len(address) > _MAX_EMAIL:
        return False, "Email is invalid", None
    try:
        import email_validator
    except ImportError:
        if check_deliverability:
            return False, "Deliverability needs the package email-validator", None
        address = address.lower()
        return _canonical_email(address) if _EMAIL.match(address) else _INVALID_EMAIL
    from dns.exception import DNSException

    try:
        found = email_validator.validate_email(
            address, check_deliverability=check_deliverability, timeout=5
        )
    except email_validator.EmailNotValidError:
        return _INVALID_EMAIL
    except (DNSException, OSError):
        return False, "Deliverability cannot be told at present", None
    return _canonical_email(found.normalized.lower())


_INVALID_EMAIL: Validated = (False, "Email is invalid", None)


def _canonical_email(address: str) -> Validated:
    local, _, domain = address.rpartition("@")
    if domain == "gmail.com":
        local = local.partition("+")[0].replace(".", "")
    if not local or len(local) > _MAX_LOCAL:
        return _INVALID_EMAIL
    return True, None, f"{local}@{domain}"


def validate_username(
    username: str,
    reserved: Iterable[str] = reserved,
    bad_words: Iterable[str] = banned_words,
) -> Validated:
    """Validates a user name; its one spelling is in lower case ASCII (after NFKC).

    It has 3 to 30 letters, digits, and single `.`, `_` and `-` between them; it may start with `_`.
    Between letters those do not count when it is compared with `reserved` names, which it must not
    be, and `bad_words`, which must not be in it.
    """
    name = unicodedata.normalize("NFKC", username[:_MAX_USERNAME]).strip().lower()
    if len(username) > _MAX_USERNAME or not _USERNAME.match(name):
        return (
            False,
            "A username has 3 to 30 letters and digits of ASCII, with single dots, hyphens and "
            "underscores between them.",
            None,
        )
    letters = _letters(name)
    if letters in {_letters(word) for word in reserved}:
        return False, "This username is reserved.", None
    if any(word and word in letters for word in map(_letters, bad_words)):
        return False, "This username has a word that is not allowed.", None
    return True, None, name


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def determine_identifier_type(
    payload: Mapping[str, Any],
) -> tuple[AuthIdentifier | None, str | None]:
    """Gives what a set of claims names somebody by: `phone`, `email`, `username`, else the `sub`.

    The first three as they are, the last in its one spelling.
    """
    for kind in (AuthIdentifier.PHONE, AuthIdentifier.EMAIL, AuthIdentifier.USERNAME):
        value = payload.get(kind.value)
        if isinstance(value, str) and value:
            return kind, value
    subject = payload.get("sub")
    return _inferred(subject) if isinstance(subject, str) else (None, None)


def canonicalize_identifier(type_: AuthIdentifier, value: str) -> str:
    """Gives the one spelling of an identifier. Raises `ValueError` if it is none of its type."""
    sound, problem, canonical = type_.get_identifier_validator()(value)
    if not sound or canonical is None:
        raise ValueError(problem or "Invalid identifier")
    return canonical


def infer_identifier_type(value: str) -> AuthIdentifier:
    """Says whether this is an email address, a phone number or a user name, in this order.

    Raises `ValueError` if it is none of them.
    """
    kind, _ = _inferred(value)
    if kind is None:
        raise ValueError("this is no email address, phone number or username")
    return kind


def _inferred(value: str) -> tuple[AuthIdentifier | None, str | None]:
    checks: tuple[tuple[AuthIdentifier, Callable[[str], Validated]], ...] = (
        (AuthIdentifier.EMAIL, validate_email),
        (AuthIdentifier.PHONE, validate_phone),
        (AuthIdentifier.USERNAME, validate_username),
    )
    for kind, validate in checks:
        sound, _, canonical = validate(value)
        if sound:
            return kind, canonical
    return None, None
