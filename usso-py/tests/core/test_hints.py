"""What who runs an app is told when its settings do not fit: in errors, and in the log."""

from __future__ import annotations

import logging
from contextlib import suppress

import pytest

from usso import AuthConfig, UssoAuth, USSOException, _verifier
from usso.exceptions import ConfigError, VerifierUnavailable
from usso.integrations.fastapi import get_authenticator
from usso.testing import Issuer


def refused(auth: UssoAuth[object], token: str) -> str:
    with pytest.raises(USSOException) as caught:
        auth.verify(token)
    return caught.value.error_code


def test_a_missing_audience_is_named_with_its_variable(issuer: Issuer) -> None:
    with pytest.raises(ConfigError, match=r"`audience` is missing.*USSO_AUDIENCE.*any_audience"):
        UssoAuth(issuer.config(audience=None))


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ({"audiance": "x"}, "`audiance` is no setting; write `audience`"),
        ({"qqq": 1}, "`qqq` is no setting"),
        ({"jwks_url": "localhost:8000/k"}, "`jwks_url` is no address"),
        ({"jwks_url": "https:///k"}, "`jwks_url` is no address"),
    ],
)
def test_a_wrong_setting_is_named_with_the_fix(setting: dict[str, str], advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        AuthConfig.model_validate({"jwks_url": "https://a.example/k", "audience": "a", **setting})


def test_a_text_is_said_to_be_read_as_json() -> None:
    with pytest.raises(ConfigError, match="read as JSON"):
        get_authenticator("http://localhost:8000/.well-known/jwks.json")


def test_an_action_that_nobody_can_have_is_an_error_at_once(issuer: Issuer) -> None:
    auth = get_authenticator(issuer.config())
    with pytest.raises(ValueError, match="publish"):
        auth.authorize(action="publish", resource_path="content")


def test_the_default_issuer_is_not_taken_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("JWT_CONFIG", "JWT_CONFIGS", "USSO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USSO_AUDIENCE", "a")
    UssoAuth()
    assert "USSO_BASE_URL is not set: tokens of https://sso.usso.io" in caplog.text


def test_the_log_says_what_would_have_been_accepted_and_not_the_token(
    issuer: Issuer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = UssoAuth(issuer.config())
    foreign = issuer.mint(audience="https://elsewhere.example")
    assert refused(auth, foreign) == "token.audience"
    assert "'audience': 'https://api.example'" in caplog.text
    assert foreign not in caplog.text and "elsewhere" not in caplog.text
    caplog.clear()
    # Tokens are anyone's to send: the log does not grow with them.
    assert refused(auth, issuer.mint(iss="https://sso.example/")) == "token.unknown_issuer"
    assert caplog.text == ""
    monkeypatch.setattr(_verifier, "HINT_SECONDS", 0.0)
    assert refused(auth, issuer.mint(iss="https://sso.example/")) == "token.unknown_issuer"
    assert "'issuer': 'https://sso.example'" in caplog.text


def test_an_expired_token_is_nothing_to_log(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    assert refused(UssoAuth(issuer.config()), issuer.expired()) == "token.expired"
    assert caplog.text == ""


def test_the_log_says_why_there_are_no_keys(
    usso_server: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for status, body, said in (
        (404, "", "answered 404"),
        (200, "<html>", "answered what is no JWKS"),
    ):
        caplog.clear()
        usso_server.answer(status, body)
        with pytest.raises(VerifierUnavailable):
            UssoAuth(usso_server.config()).verify(usso_server.mint())
        assert f"{usso_server.jwks_url} {said}" in caplog.text
    caplog.clear()
    usso_server.outage()
    with suppress(USSOException):
        UssoAuth(usso_server.config()).verify(usso_server.mint())
    assert f"{usso_server.jwks_url} cannot be asked" in caplog.text
