"""A key that is written down: its forms, and that it never becomes the secret of an HMAC."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core.tokens import AUDIENCE, ISSUER, Signer, refusal, signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from usso import AuthConfig, UssoAuth, _native

ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256"]


def spellings(pem: str) -> dict[str, str | bytes]:
    """A PEM as it comes out of source code, files and environments."""
    return {
        "plain": pem,
        "without a line end": pem.strip(),
        "after a line end": "\n" + pem,
        "indented": "   " + pem,
        "quoted": f'"{pem.strip()}"',
        "single quotes": f"'{pem.strip()}'",
        "escaped line ends": pem.replace("\n", "\\n"),
        "quoted and escaped": '"' + pem.replace("\n", "\\n") + '"',
        "of Windows": pem.replace("\n", "\r\n"),
        "byte order mark": "\ufeff" + pem,
        "bytes": pem.encode(),
        "bytes after a line end": b"\n" + pem.encode(),
    }


def key_auth(key: Any, **settings: Any) -> UssoAuth[Any]:
    return UssoAuth(AuthConfig(key=key, issuer=ISSUER, audience=AUDIENCE, **settings))


@pytest.mark.parametrize("spelling", spellings(""))
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pem_verifies_however_it_is_spelt(algorithm: str, spelling: str) -> None:
    one = signer(algorithm)
    auth = key_auth(spellings(one.pem)[spelling])
    assert auth.verify(one.mint()).sub == "user:1"


@pytest.mark.parametrize("spelling", spellings(""))
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_s1_whoever_knows_the_public_key_cannot_sign_with_it(algorithm: str, spelling: str) -> None:
    one = signer(algorithm)
    key = spellings(one.pem)[spelling]
    auth = key_auth(key)
    written = key if isinstance(key, bytes) else key.encode()
    for secret in (written, written.strip(), one.pem.encode(), one.pem.strip().encode(), one.der):
        for name in ("HS256", "HS384", "HS512"):
            token = one.hmac_token(secret, name, scopes=["*:*"])
            assert refusal(auth.verify, token) == "token.algorithm"


@pytest.mark.parametrize(
    "text",
    [
        *("your-ed25519-public-key", "secret", "x", "", " ", "MCowBQYDK2VwAyEA", "-----BEGIN"),
        *(
            "-----BEGIN PUBLIC KEY-----",
            "BEGIN PUBLIC KEY",
            "\x00",
            "\ud800",
            '"quoted"',
            "[]",
            "1",
        ),
        *(b"your-ed25519-public-key", b"\xff\xfe", b"0" * 32, bytearray(b"x"), 7, ["x"], object()),
    ],
)
def test_s1_text_that_is_no_public_key_is_no_setting(text: Any) -> None:
    for settings in ({}, {"type": "EdDSA"}, {"type": "HS256"}):
        with pytest.raises(ValueError, match="key") as caught:
            key_auth(text, **settings)
        assert "your-ed25519" not in str(caught.value)


@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512"])
def test_s1_hmac_cannot_be_asked_for(name: str) -> None:
    one = signer("EdDSA")
    with pytest.raises(ValueError, match="HS"):
        key_auth(one.pem, type=name)
    with pytest.raises(ValueError, match="algorithm"):
        one.auth(algorithms=[name])


@pytest.mark.parametrize("secret", [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "oct", "k": ""}])
def test_s1_a_shared_secret_in_a_jwk_is_no_setting(secret: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"secret|private|key"):
        key_auth(secret)
    with pytest.raises(ValueError, match="no usable key"):
        signer("EdDSA").auth(jwks={"keys": [{**secret, "kid": "k1"}]})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_private_key_is_no_setting(algorithm: str) -> None:
    one = signer(algorithm)
    private_jwk = {**one.jwk, "d": "c2VjcmV0"}
    for key in (one.private_pem, one.private_pem.encode(), private_jwk, json.dumps(private_jwk)):
        with pytest.raises(ValueError, match="private") as caught:
            key_auth(key)
        assert "c2VjcmV0" not in str(caught.value)
        assert one.private_pem[60:100] not in str(caught.value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_jwk_verifies_as_an_object_and_as_text(algorithm: str) -> None:
    one = signer(algorithm)
    for key in (one.jwk, json.dumps(one.jwk), json.dumps(one.jwk).encode()):
        assert key_auth(key).verify(one.mint()).sub == "user:1"


def test_one_key_verifies_whatever_name_the_tokens_give_it() -> None:
    one = signer("EdDSA")
    for kid in ("k1", "another", ""):
        assert key_auth(one.pem).verify(one.mint({"kid": kid})).sub == "user:1"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_der_pem_and_jwk_are_the_same_key(algorithm: str) -> None:
    one = signer(algorithm)
    of_der, of_pem = _native.public_jwk(one.der), _native.public_jwk(one.pem)
    assert of_der == of_pem
    members = {"kty", "crv", "x", "y", "n", "e"}
    expected = {name: value for name, value in one.jwk.items() if name in members}
    assert {name: value for name, value in of_der.items() if name in members} == expected
    assert key_auth(of_der).verify(one.mint()).sub == "user:1"
    assert "d" not in _native.public_jwk(one.private_pem)


def test_der_is_read_to_its_last_byte() -> None:
    """Which may be one that is white space in a text."""
    for last in b"\t\n\x0c\r ":
        pair = Ed25519PrivateKey.generate()
        while pair.public_key().public_bytes_raw()[-1] != last:
            pair = Ed25519PrivateKey.generate()
        one = Signer("EdDSA", pair)
        assert _native.public_jwk(one.der)["x"] == one.jwk["x"]
        assert _native.spki_kid(one.der) == _native.spki_kid(one.pem)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_an_rsa_key_is_for_the_algorithm_that_is_set(algorithm: str) -> None:
    one = signer(algorithm)
    other = signer({"RS256": "PS256", "PS256": "RS256"}[algorithm])
    settings = {"type": algorithm} if algorithm == "PS256" else {}
    auth = key_auth(one.pem, **settings)
    assert auth.verify(one.mint()).sub == "user:1"
    assert refusal(auth.verify, Signer(other.algorithm, one.key).mint()) == "token.algorithm"


def test_a_key_of_another_kind_than_the_type_is_no_setting() -> None:
    with pytest.raises(ValueError, match="ES256"):
        key_auth(signer("EdDSA").pem, type="ES256")


@pytest.mark.parametrize(
    "change",
    [
        {"x": "AA"},
        {"x": None},
        {"x": "!" * 43},
        {"kty": "EC"},
        {"kty": ["OKP"]},
        {"crv": "Ed448"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"alg": "none"},
        {"x": "AQ" + "A" * 41},
        {"deep": [[[[]]]] * 3, "x": {}},
    ],
)
def test_a_jwk_that_is_broken_is_no_setting(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        key_auth({**signer("EdDSA").jwk, **change})


def test_a_key_is_kept_as_it_was_when_the_configuration_was_made() -> None:
    one, stranger = signer("EdDSA"), signer("EdDSA", number=1)
    jwk = dict(one.jwk)
    auth = key_auth(jwk)
    jwk.update(stranger.jwk)
    assert refusal(auth.verify, stranger.mint()) == "token.signature"
    refresh = one.mint(token_type="refresh")
    assert auth.user_data_from_token(refresh, expected_token_type="refresh").sub == "user:1"


@pytest.mark.parametrize("kid", ["k2", "K1", "k1 ", "../k1", "k1\0", "' OR 1=1 --", "k" * 3000])
def test_a_key_in_a_set_is_found_by_its_exact_name_only(kid: str) -> None:
    one = signer("EdDSA")
    assert refusal(one.auth().verify, one.mint({"kid": kid})) == "token.unknown_key"
