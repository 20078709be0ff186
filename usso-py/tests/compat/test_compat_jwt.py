"""Tokens by the names of `usso-jwt`."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from typing import Any

import pytest
from compat.compat_server import Server
from pydantic import ValidationError

from usso import _native
from usso.config import AuthConfig
from usso.exceptions import ConfigError, USSOException
from usso.user import UserData
from usso_jwt import exceptions, verify
from usso_jwt.config import JWTConfig
from usso_jwt.enums import Algorithm, TokenType
from usso_jwt.schemas import JWT, UnverifiedJWT
from usso_jwt.utils import b64url_decode, b64url_encode
from usso_jwt.verify import VerifyOptions, extract_jwt_parts, verify_jwt

ISSUER = "https://sso.example"


def minted(issuer: _native.TestIssuer, header: str = "{}", **claims: Any) -> str:
    given = {"sub": "user:1", "aud": "api"} | claims
    return issuer.mint(json.dumps(given), header)


@pytest.fixture
def config(issuer: _native.TestIssuer) -> JWTConfig:
    return JWTConfig(key=issuer.jwks()["keys"][0], issuer=ISSUER, audience="api", maximum_age=3600)


def test_a_good_token_is_verified(issuer: _native.TestIssuer, config: JWTConfig) -> None:
    jwt = JWT(token=minted(issuer), config=config)
    assert jwt.verify() is True
    assert jwt.payload["sub"] == "user:1"
    assert jwt.header["kid"] == issuer.kid


def test_usso_s_configuration_works_too(issuer: _native.TestIssuer) -> None:
    config = AuthConfig(key=issuer.jwks()["keys"][0], issuer=ISSUER, any_audience=True)
    assert JWT(token=minted(issuer, aud="anybody"), config=config).verify()


def test_the_payload_may_be_of_a_class(issuer: _native.TestIssuer, config: JWTConfig) -> None:
    jwt = JWT(token=minted(issuer, color="red"), config=config, payload_class=UserData)
    assert isinstance(jwt.payload, UserData)
    assert jwt.payload.claims["color"] == "red"
    assert isinstance(jwt.unverified_payload, UserData)


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "error", "text"),
    [
        ({"exp": NOW - 3600, "iat": NOW - 7200}, "JWTExpiredError", "JWT has expired"),
        ({"nbf": NOW + 900}, "JWTNotValidYetError", "JWT is not valid yet"),
        ({"iat": NOW - 7200}, "JWTMaximumAgeError", "JWT is older than the maximum age"),
        ({"iat": NOW + 900}, "JWTIssuedInFutureError", "JWT is issued in the future"),
        ({"aud": "other"}, "JWTInvalidAudienceError", "JWT audience claim is invalid"),
        (
            {"aud": None},
            "JWTMissingAudienceError",
            "JWT audience claim is required but missing",
        ),
        ({"iss": "https://evil.example"}, "JWTInvalidIssuerError", "JWT issuer claim is invalid"),
        (
            {"token_type": "refresh"},
            "JWTInvalidTokenTypeError",
            "JWT token type claim is invalid (expected: access, provided: refresh)",
        ),
        ({"exp": None}, "JWTInvalidFormatError", "JWT has an invalid format"),
        ({"iat": None}, "JWTInvalidFormatError", "JWT has an invalid format"),
        ({"sub": 5}, "JWTInvalidFormatError", "JWT has an invalid format"),
    ],
)
def test_a_bad_claim_is_told_in_the_published_words(
    issuer: _native.TestIssuer, config: JWTConfig, claims: dict[str, Any], error: str, text: str
) -> None:
    jwt = JWT(token=minted(issuer, **claims), config=config)
    for refused in (jwt.verify, lambda: jwt.payload, lambda: jwt.header):
        with pytest.raises(exceptions.JWTError) as caught:
            refused()
        assert type(caught.value) is getattr(exceptions, error)
        assert str(caught.value) == caught.value.message == text


def test_a_token_of_another_key_is_refused(config: JWTConfig) -> None:
    other = _native.TestIssuer(ISSUER)
    token = minted(other, header='{"kid": null}')
    with pytest.raises(exceptions.JWTError):
        JWT(token=token, config=config).verify()


def test_a_changed_signature_is_refused(issuer: _native.TestIssuer, config: JWTConfig) -> None:
    message, _, signature = minted(issuer).rpartition(".")
    changed = bytes([b64url_decode(signature)[0] ^ 1]) + b64url_decode(signature)[1:]
    with pytest.raises(exceptions.JWTInvalidSignatureError):
        JWT(token=f"{message}.{b64url_encode(changed)}", config=config).verify()


def forged(header: dict[str, Any], signature: str = "AA") -> str:
    claims = {"iss": ISSUER, "aud": "api", "sub": "x", "exp": NOW + 600, "iat": NOW}
    return f"{b64url_encode(json.dumps(header))}.{b64url_encode(json.dumps(claims))}.{signature}"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": "none"},
        {"alg": None},
        {"alg": "HS256"},
        {"alg": "eDdSa"},
        {"alg": "RS256"},
        {"alg": "EdDSA", "kid": ["a"]},
        {"alg": "EdDSA", "crit": ["exp"]},
        {"alg": ["EdDSA"]},
    ],
)
def test_a_strange_header_is_a_refusal_and_no_other_error(
    config: JWTConfig, header: dict[str, Any]
) -> None:
    for signature in ("AA", ""):
        with pytest.raises(exceptions.JWTError):
            JWT(token=forged(header, signature), config=config).verify()


GARBAGE = [
    "",
    ".",
    "..",
    "a.b.c",
    "a.b.c.d.e",
    "é.é.é",
    "\ud800.a.b",
    "null.null.null",
    "bnVsbA.bnVsbA.AA",
    "W10.W10.AA",
    "e30.e30.A",
    "e30=.e30=.AA==",
    "\x00",
    " e30.e30.AA",
    "x" * 100_000,
    b64url_encode("[" * 5000) + ".e30.AA",
    "e30." + b64url_encode('{"a":' * 5000) + ".AA",
]


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_a_refusal_and_no_other_error(config: JWTConfig, token: str) -> None:
    jwt = JWT(token=token, config=config)
    with pytest.raises(exceptions.JWTError):
        jwt.verify()
    assert jwt.is_expired
    with pytest.raises(exceptions.JWTError):
        jwt.is_temporally_valid(raise_exception=True)


def test_a_token_has_one_spelling(issuer: _native.TestIssuer) -> None:
    token = minted(issuer)
    extract_jwt_parts(token)
    for other in (token + "=", token + "\n", token.replace(".", ".\n", 1), token[:-1]):
        with pytest.raises(exceptions.JWTInvalidFormatError):
            extract_jwt_parts(other)


def test_an_unknown_check_is_an_error_and_not_ignored(
    issuer: _native.TestIssuer, config: JWTConfig
) -> None:
    with pytest.raises(TypeError):
        JWT(token=minted(issuer), config=config).verify(audience="other")  # type: ignore[call-arg]


def test_the_expected_acr_must_be_there(issuer: _native.TestIssuer, config: JWTConfig) -> None:
    high = JWT(token=minted(issuer, acr="usso:acr:2"), config=config)
    assert high.verify(expected_acr="usso:acr:2")
    assert high.verify(expected_acr=["usso:acr:2", "usso:acr:3"])
    for jwt in (JWT(token=minted(issuer), config=config), high):
        with pytest.raises(exceptions.JWTInvalidACRError, match=r"^JWT acr claim is invalid$"):
            jwt.verify(expected_acr="usso:acr:3")


def test_a_refresh_token_is_for_those_who_expect_one(
    issuer: _native.TestIssuer, config: JWTConfig
) -> None:
    jwt = JWT(token=minted(issuer, token_type="refresh"), config=config)
    assert jwt.verify(expected_token_type="refresh")
    assert jwt.verify(expected_token_type=["access", TokenType.REFRESH])
    for expected in ("access", ["access", "secure"], None):
        with pytest.raises(exceptions.JWTInvalidTokenTypeError):
            jwt.verify(expected_token_type=expected)


def test_the_expected_type_must_be_there(issuer: _native.TestIssuer, config: JWTConfig) -> None:
    jwt = JWT(token=minted(issuer, token_type=None), config=config)
    assert jwt.verify()
    with pytest.raises(exceptions.JWTInvalidTokenTypeError):
        jwt.verify(expected_token_type="access")


def test_an_audience_is_required_of_the_configuration(issuer: _native.TestIssuer) -> None:
    config = JWTConfig(key=issuer.jwks()["keys"][0], issuer=ISSUER)
    with pytest.raises(ConfigError, match="audience"):
        JWT(token=minted(issuer), config=config).verify()


def test_a_token_may_be_for_several_audiences(
    issuer: _native.TestIssuer, config: JWTConfig
) -> None:
    assert JWT(token=minted(issuer, aud=["other", "api"]), config=config).verify()


def test_keys_are_fetched(issuer: _native.TestIssuer, server: Server) -> None:
    server.json(200, json.dumps(issuer.jwks()))
    url = server.url + "/keys"
    config = JWTConfig(jwks_url=url, issuer=ISSUER, audience="api")
    for _ in range(3):
        assert JWT(token=minted(issuer), config=config).verify()
        options = VerifyOptions(jwks_url=url, expected_issuer=ISSUER, expected_audience="api")
        assert verify_jwt(token=minted(issuer), options=options)
    assert len(server.requests) == 1


def test_an_outage_is_no_verdict(issuer: _native.TestIssuer, server: Server) -> None:
    server.json(500, "{}")
    config = JWTConfig(jwks_url=server.url + "/down", issuer=ISSUER, audience="api")
    with pytest.raises(USSOException) as caught:
        JWT(token=minted(issuer), config=config).verify()
    assert caught.value.status_code == 503


def options(issuer: _native.TestIssuer, **changed: Any) -> VerifyOptions:
    jwk = issuer.jwks()["keys"][0]
    given = {"jwk": jwk, "expected_issuer": ISSUER, "expected_audience": "api"}
    return VerifyOptions(**{**given, **changed})


def test_the_function_verifies_what_the_options_say(issuer: _native.TestIssuer) -> None:
    token = minted(issuer, acr="1")
    assert verify_jwt(token=token, options=options(issuer, expected_acr="1", kid=issuer.kid))
    for changed, error in (
        ({"expected_acr": "2"}, exceptions.JWTInvalidACRError),
        ({"expected_audience": "x"}, exceptions.JWTInvalidAudienceError),
        ({"expected_issuer": "https://x.example"}, exceptions.JWTInvalidIssuerError),
        ({"expected_token_type": "secure"}, exceptions.JWTInvalidTokenTypeError),
        ({"kid": "other"}, exceptions.JWKNotFoundError),
        ({"jwk": None}, exceptions.JWKNotFoundError),
        ({"jwk": _native.TestIssuer(ISSUER).jwks()["keys"][0]}, exceptions.JWTError),
    ):
        with pytest.raises(error):
            verify_jwt(token=token, options=options(issuer, **changed))
    refresh = minted(issuer, token_type="refresh")
    assert verify_jwt(token=refresh, options=options(issuer, expected_token_type="refresh"))
    old = minted(issuer, iat=NOW - 600)
    with pytest.raises(exceptions.JWTMaximumAgeError):
        verify_jwt(token=old, options=options(issuer, maximum_age=300))
    with pytest.raises(exceptions.JWKNotFoundError):
        verify_jwt(token=token)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"exp": NOW - 1}, exceptions.JWTExpiredError),
        ({"exp": 0}, exceptions.JWTExpiredError),
        ({"exp": NOW + 600, "nbf": NOW + 300}, exceptions.JWTNotValidYetError),
        ({"exp": NOW + 600, "iat": NOW + 300}, exceptions.JWTIssuedInFutureError),
        ({}, exceptions.JWTInvalidFormatError),
        ({"exp": "soon"}, exceptions.JWTInvalidFormatError),
        ({"exp": True}, exceptions.JWTInvalidFormatError),
        ({"exp": float("nan")}, exceptions.JWTInvalidFormatError),
        ({"exp": float("inf")}, exceptions.JWTInvalidFormatError),
        ({"exp": NOW + 600, "nbf": []}, exceptions.JWTInvalidFormatError),
    ],
)
def test_times_that_are_not_met_are_told(payload: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        verify.verify_temporal_claims(payload=payload)


def test_times_may_have_fractions_and_iat_may_be_a_minute_ahead() -> None:
    payload = {"exp": NOW + 600.5, "nbf": NOW - 0.5, "iat": NOW + 30.25}
    assert verify.verify_temporal_claims(payload=payload)


def test_a_token_without_an_end_is_not_valid(issuer: _native.TestIssuer) -> None:
    assert UnverifiedJWT(token=minted(issuer, exp=None)).is_expired
    assert not UnverifiedJWT(token=minted(issuer)).is_expired


def test_a_maximum_age_needs_the_time_of_issue() -> None:
    verify.verify_maximum_age({"iat": time.time() - 10}, 60)
    for payload in ({}, {"iat": time.time() - 61}):
        with pytest.raises(exceptions.JWTMaximumAgeError):
            verify.verify_maximum_age(payload, 60)


def test_claims_that_are_expected_must_be_there() -> None:
    assert verify.verify_claims(payload={})
    good = {"aud": ["a", "b"], "acr": "1", "iss": "i", "token_type": "access"}
    assert verify.verify_claims(
        payload=good,
        expected_audience=["b"],
        expected_acr="1",
        expected_issuer=["i"],
        expected_token_type="access",
    )
    for expected, claim, error in (
        ("expected_audience", "aud", exceptions.JWTInvalidAudienceError),
        ("expected_acr", "acr", exceptions.JWTInvalidACRError),
        ("expected_issuer", "iss", exceptions.JWTInvalidIssuerError),
        ("expected_token_type", "token_type", exceptions.JWTInvalidTokenTypeError),
    ):
        for value in ("other", "", 5, ["x"], {}):
            with pytest.raises(error):
                verify.verify_claims(
                    payload={claim: value}, **{expected: "x" if value != ["x"] else "y"}
                )
        missing = exceptions.JWTMissingAudienceError if claim == "aud" else error
        with pytest.raises(missing):
            verify.verify_claims(payload={}, **{expected: "x"})


def test_part_of_an_expected_name_is_not_the_name() -> None:
    with pytest.raises(exceptions.JWTInvalidAudienceError):
        verify.verify_claims(payload={"aud": "ap"}, expected_audience="api")


def test_the_type_in_an_error_is_a_short_word() -> None:
    long = exceptions.JWTInvalidTokenTypeError("access", "x" * 1000)
    forged = exceptions.JWTInvalidTokenTypeError("access", "a\nb")
    for error in (long, forged):
        assert str(error) == "JWT token type claim is invalid (expected: access)"


def test_every_error_is_a_jwt_error_and_survives_pickling() -> None:
    names = [name for name in dir(exceptions) if name.startswith("JW") and name.endswith("Error")]
    assert len(names) == 13
    for name in names:
        error = getattr(exceptions, name)()
        assert isinstance(error, exceptions.JWTError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
    typed = exceptions.JWTInvalidTokenTypeError(["access"], "refresh")
    assert str(pickle.loads(pickle.dumps(typed))) == str(typed)  # noqa: S301


def test_a_token_is_in_no_representation_and_no_error(
    issuer: _native.TestIssuer, config: JWTConfig
) -> None:
    token = minted(issuer)
    jwt = JWT(token=token, config=config)
    assert token not in repr(jwt)
    assert token not in repr(UnverifiedJWT(token=token))
    assert str(jwt) == token
    with pytest.raises(ValidationError) as caught:
        UnverifiedJWT(token=["s3cret"])  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


def test_equal_tokens_are_equal(issuer: _native.TestIssuer, config: JWTConfig) -> None:
    token = minted(issuer)
    one, other = JWT(token=token, config=config), JWT(token=token, config=config)
    assert one.verify()
    assert one == other
    assert hash(one) == hash(other)
    assert one != JWT(token=minted(issuer, sub="user:2"), config=config)
    assert UnverifiedJWT(token=token) == UnverifiedJWT(token=token)


def test_the_parts_of_a_token_are_there(issuer: _native.TestIssuer) -> None:
    token = minted(issuer)
    jwt = UnverifiedJWT(token=token)
    message, _, signature = token.rpartition(".")
    assert jwt.signing_input == message.encode()
    assert jwt.signature == b64url_decode(signature)
    assert jwt.algorithm is Algorithm.EdDSA
    assert jwt.unverified_header["alg"] == "EdDSA"
    assert jwt.unverified_payload["sub"] == "user:1"
    with pytest.raises(exceptions.JWTError):
        _ = UnverifiedJWT(token=forged({"alg": "none"})).algorithm


def test_the_default_configuration_is_that_of_the_environment(
    issuer: _native.TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"key": issuer.jwks()["keys"][0], "issuer": ISSUER, "audience": "api"}
    monkeypatch.setenv("JWT_CONFIG", json.dumps(settings))
    assert JWT(token=minted(issuer)).verify()


@pytest.mark.parametrize(
    "first",
    ["usso_jwt", "usso_jwt.config", "usso_jwt.schemas", "usso.config", "usso.authorization"],
)
def test_the_packages_can_be_imported_in_any_order(first: str) -> None:
    heavy = "httpx fastapi django cryptography"
    code = (
        f"import sys, {first}, usso_jwt.schemas, usso.auth, usso.schemas, usso.api_key\n"
        f"print([name for name in {heavy!r}.split() if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")
