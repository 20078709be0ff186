"""Identifiers, with the packages of the extra `validator` and without."""

from __future__ import annotations

import sys
import time

import pytest

from usso.enums import AuthIdentifier
from usso.utils.validators import (
    canonicalize_identifier,
    convert_to_english_digits,
    determine_identifier_type,
    infer_identifier_type,
    validate_email,
    validate_phone,
    validate_telegram_id,
    validate_username,
)


@pytest.fixture(params=["with", "without"])
def packages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test with the packages of the extra, and as if they were not installed."""
    for name in ("phonenumbers", "email_validator"):
        if request.param == "without":
            monkeypatch.setitem(sys.modules, name, None)
        else:
            __import__(name)
    return request.param


@pytest.mark.parametrize(
    "number",
    [
        "+989121234567",
        "00989121234567",
        "989121234567",
        "+98 912 123 4567",
        "+98 (912) 123-45.67",
        "+۹۸۹۱۲۱۲۳۴۵۶۷",
    ],
)
def test_a_phone_number_has_one_spelling(packages: str, number: str) -> None:
    assert validate_phone(number) == (True, None, "989121234567")


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "12",
        "+12",
        "09121234567",
        "+0989121234567",
        "++989121234567",
        "+98912123456789012",
        "abc",
        "+98912123456a",
        "+989121234567\x00",
        "9" * 10_000,
        "+98 912 123 4567 ext. 5",
    ],
)
def test_what_is_no_international_number_is_refused(packages: str, number: str) -> None:
    sound, problem, canonical = validate_phone(number)
    assert not sound
    assert problem
    assert canonical is None


def test_a_number_as_at_home_needs_its_country_and_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert validate_phone("09121234567", "IR") == (True, None, "989121234567")
    assert validate_phone("+989121234567", "IR")[0]
    assert validate_phone("+14155552671", "IR") == (False, "Invalid country code", None)
    assert not validate_phone("09121234567", "XX")[0]
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    for number in ("09121234567", "+989121234567"):
        sound, problem, _ = validate_phone(number, "IR")
        assert not sound
        assert "phonenumbers" in str(problem)


def test_a_number_that_no_country_has_is_refused_with_the_package() -> None:
    assert not validate_phone("+999123456789")[0]


def test_a_leading_zero_that_belongs_to_the_number_stays() -> None:
    assert validate_phone("+390236618300") == (True, None, "390236618300")


@pytest.mark.parametrize(
    ("email", "canonical"),
    [
        ("ann@example.com", "ann@example.com"),
        (" Ann.B+x@Example.COM ", "ann.b+x@example.com"),
        ("a.n.n+x@gmail.com", "ann@gmail.com"),
        ("o'neil@sub.example.co.uk", "o'neil@sub.example.co.uk"),
        ("a@xn--bcher-kva.example.org", None),
    ],
)
def test_an_address_has_one_spelling(packages: str, email: str, canonical: str | None) -> None:
    sound, problem, found = validate_email(email)
    assert (sound, problem) == (True, None)
    assert found
    assert canonical in (found, None)
    assert validate_email(found) == (True, None, found)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "@",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@.com",
        "ann@example..com",
        "ann@-example.com",
        "ann@example.1",
        "ann@[127.0.0.1]",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a b@example.com",
        "ann@example.com\nbcc: x@example.com",
        "ann@example.com, b@example.com",
        "ann@a@example.com",
        "a" * 65 + "@example.com",
        "ann@" + "a" * 64 + ".com",
        "ann@" + "a." * 200 + "com",
        "x" * 100_000,
        "+x@gmail.com",
        "ann\x00@example.com",
    ],
)
def test_what_is_no_address_is_refused(packages: str, email: str) -> None:
    sound, problem, canonical = validate_email(email)
    assert not sound
    assert problem == "Email is invalid"
    assert canonical is None


def test_validating_takes_no_longer_for_text_that_was_made_for_it(packages: str) -> None:
    started = time.process_time()
    for text in ("a." * 120, "a@" + "a-" * 120, "a@" + "a." * 120 + "!", "." * 250, "+1" * 30):
        validate_email(text)
        validate_phone(text)
        validate_username(text)
    assert time.process_time() - started < 0.5


def test_the_dns_is_asked_on_request_only(packages: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def no_dns(*args: object, **options: object) -> None:
        asked.append(args)
        raise OSError("no DNS here")

    import dns.resolver

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", no_dns)
    monkeypatch.setattr(dns.resolver, "get_default_resolver", no_dns)
    assert validate_email("ann@example.com")[0]
    assert canonicalize_identifier(AuthIdentifier.EMAIL, "ann@example.com") == "ann@example.com"
    assert asked == []
    sound, problem, _ = validate_email("ann@example.com", check_deliverability=True)
    assert not sound
    assert "eliverability" in str(problem)
    assert bool(asked) is (packages == "with")


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("Ann", "ann"), ("_ann", "_ann"), ("a.b-c_d", "a.b-c_d"), ("ＡＮＮ", "ann"), ("007", "007")],  # noqa: RUF001
)
def test_a_username_has_one_spelling(name: str, canonical: str) -> None:
    assert validate_username(name) == (True, None, canonical)
    assert validate_username(canonical) == (True, None, canonical)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 31,
        "a" * 100_000,
        "ann" + " " * 100 + "b",
        "ann.",
        ".ann",
        "-ann",
        "a..b",
        "a b",
        "an\nn",
        "ann\x00",
        "аnn",  # noqa: RUF001
        "admin",
        "Ad.Min",
        "_admin",
        "a_d_m_i_n",
        "root",
        "null",
    ],
)
def test_a_username_that_is_unsound_or_reserved_is_refused(name: str) -> None:
    sound, problem, canonical = validate_username(name)
    assert not sound
    assert problem
    assert canonical is None


def test_words_that_the_app_bans_are_found_between_signs() -> None:
    assert not validate_username("big-d.arn-it", bad_words=["Darn"])[0]
    assert validate_username("big-dawn", bad_words=["darn", ""])[0]
    assert not validate_username("boss", reserved=["Bo.ss"])[0]
    assert validate_username("admin", reserved=[])[0]


@pytest.mark.parametrize("text", ["12345", "123456789012345"])
def test_a_telegram_id_is_a_number(text: str) -> None:
    assert validate_telegram_id(text) == (True, None, text)


@pytest.mark.parametrize("text", ["", "1234", "1" * 16, "12345\n", "۱۲۳۴۵", "12a45"])
def test_what_is_no_telegram_id_is_refused(text: str) -> None:
    assert not validate_telegram_id(text)[0]


def test_digits_of_every_script_become_0_to_9() -> None:
    assert convert_to_english_digits("۰۱۲۳۴۵۶۷۸۹ ٠٩ a²①") == "0123456789 09 a²①"


def test_the_type_of_an_identifier_is_inferred(packages: str) -> None:
    assert infer_identifier_type("ann@example.com") is AuthIdentifier.EMAIL
    assert infer_identifier_type("+989121234567") is AuthIdentifier.PHONE
    assert infer_identifier_type("ann") is AuthIdentifier.USERNAME
    with pytest.raises(ValueError):
        infer_identifier_type("a b")


def test_claims_name_somebody(packages: str) -> None:
    both = {"email": "A@x.com", "phone": "+98", "sub": "ann"}
    assert determine_identifier_type(both) == (AuthIdentifier.PHONE, "+98")
    assert determine_identifier_type({"email": "A@x.com"}) == (AuthIdentifier.EMAIL, "A@x.com")
    assert determine_identifier_type({"phone": None, "username": "Ann"}) == (
        AuthIdentifier.USERNAME,
        "Ann",
    )
    assert determine_identifier_type({"sub": "Ann@Example.com"}) == (
        AuthIdentifier.EMAIL,
        "ann@example.com",
    )
    for nobody in ({}, {"sub": None}, {"sub": 5}, {"sub": "a b"}):
        assert determine_identifier_type(nobody) == (None, None)


def test_an_identifier_is_canonicalised_or_an_error(packages: str) -> None:
    assert canonicalize_identifier(AuthIdentifier.PHONE, "+98 912 123 4567") == "989121234567"
    assert canonicalize_identifier(AuthIdentifier.COMPANY_ID, "As Is") == "As Is"
    for kind in (AuthIdentifier.EMAIL, AuthIdentifier.PHONE, AuthIdentifier.BALE_ID):
        with pytest.raises(ValueError):
            canonicalize_identifier(kind, "x")
