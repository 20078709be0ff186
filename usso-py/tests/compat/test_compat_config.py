"""Configurations: a text is a public key or an error (S1)."""

from __future__ import annotations

import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import ValidationError

from usso.config import AuthConfig
from usso.testing import Issuer
from usso_jwt import JWTConfig
from usso_jwt.algorithms import convert_key_to_jwk
from usso_jwt.enums import Algorithm
from usso_jwt.exceptions import JWTError
from usso_jwt.schemas import JWT
from usso_jwt.utils import b64url_encode

JWKS_URL = "https://sso.example/jwks"
ENCODING, SPKI = serialization.Encoding, serialization.PublicFormat.SubjectPublicKeyInfo


def pem_of(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return private.public_key().public_bytes(ENCODING.PEM, SPKI).decode()


@pytest.fixture
def pem() -> str:
    return pem_of(ed25519.Ed25519PrivateKey.generate())


def refused(**settings: object) -> str:
    with pytest.raises(ValidationError) as caught:
        JWTConfig(**settings)
    return str(caught.value)


def repaired(pem: str) -> list[str]:
    return [
        pem,
        "\n  " + pem + "\n",
        f'"{pem.strip()}"',
        f"'{pem.strip()}'",
        pem.replace("\n", "\\n"),
        '"' + pem.strip().replace("\n", "\\n") + '"',
        pem.replace("\n", "\r\n"),
        "\ufeff" + pem,
    ]


def test_a_pem_is_read_as_it_comes_out_of_an_environment_file(pem: str) -> None:
    keys = [JWTConfig(key=text).jwk for text in repaired(pem)]
    assert keys[0] is not None
    assert keys[0]["kty"] == "OKP"
    assert all(key == keys[0] for key in keys)
    assert JWTConfig(key=pem.encode()).jwk == keys[0]


@pytest.mark.parametrize(
    "key",
    [
        "your-ed25519-public-key",
        "secret",
        "",
        " ",
        "null",
        "[]",
        b"\x00\xff",
        b"secret",
        5,
        "x" * 64,
    ],
)
def test_a_text_that_is_no_pem_is_never_a_secret(key: object) -> None:
    assert "key" in refused(key=key, issuer="https://sso.example", audience="api")


def test_the_error_says_what_to_write() -> None:
    message = refused(key="your-ed25519-public-key")
    assert "-----BEGIN PUBLIC KEY-----" in message
    assert "your-ed25519-public-key" not in message


@pytest.mark.parametrize("header_key", ["pem", "text"])
def test_a_token_signed_with_the_text_of_the_public_key_is_refused(
    pem: str, header_key: str
) -> None:
    config = AuthConfig(key=pem, issuer="https://sso.example", audience="api")
    header = b64url_encode(json.dumps({"alg": "HS256", "typ": "JWT"}))
    claims = {"iss": "https://sso.example", "aud": "api", "sub": "x", "exp": 9_999_999_999}
    message = f"{header}.{b64url_encode(json.dumps(claims))}"
    secret = pem if header_key == "pem" else pem.strip()
    signature = hmac.new(secret.encode(), message.encode(), "sha256").digest()
    with pytest.raises(JWTError):
        JWT(token=f"{message}.{b64url_encode(signature)}", config=config).verify()


def test_a_secret_as_a_jwk_is_refused() -> None:
    assert "key" in refused(key={"kty": "oct", "k": "c2VjcmV0"})


def test_a_private_key_is_refused_and_not_shown() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    text = private.private_bytes(ENCODING.PEM, pkcs8, plain).decode()
    message = refused(key=text)
    assert "private" in message
    assert text.splitlines()[1] not in message
    assert "private" in refused(key=text.replace("\n", "\\n"))
    seed = private.private_bytes_raw()
    public = b64url_encode(private.public_key().public_bytes_raw())
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": public, "d": b64url_encode(seed)}
    assert b64url_encode(seed) not in refused(key=jwk)


def test_a_weak_key_is_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    refused(key=weak.public_key().public_bytes(ENCODING.PEM, SPKI))


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_rsa_keys_of_every_usual_size_are_read(size: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=size)
    jwk = JWTConfig(key=key.public_key().public_bytes(ENCODING.PEM, SPKI)).jwk
    assert jwk is not None
    assert jwk["kty"] == "RSA"


def test_a_key_on_a_curve_gets_the_name_of_rfc_7518() -> None:
    jwk = JWTConfig(key=pem_of(ec.generate_private_key(ec.SECP256R1()))).jwk
    assert jwk is not None
    assert jwk["crv"] == "P-256"


def test_a_jwk_may_be_text() -> None:
    jwk = JWTConfig(key=pem_of(ed25519.Ed25519PrivateKey.generate())).jwk
    assert JWTConfig(key=json.dumps(jwk)).jwk == jwk


def test_an_unknown_setting_is_an_error() -> None:
    assert "leway" in refused(jwks_url="https://sso.example/jwks", leway=10)


def test_a_source_of_keys_is_required() -> None:
    assert "jwks_url" in refused(issuer="https://sso.example", audience="api")


@pytest.mark.parametrize("name", ["issuer", "audience"])
@pytest.mark.parametrize("value", ["", [], [""]])
def test_an_empty_name_is_not_the_same_as_any(name: str, value: object) -> None:
    refused(jwks_url="https://sso.example/jwks", **{name: value})


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_maximum_age_is_at_least_a_second(seconds: int) -> None:
    refused(jwks_url="https://sso.example/jwks", maximum_age=seconds)


@pytest.mark.parametrize("name", ["HS256", "ES512", "RS512", "none"])
def test_an_algorithm_that_is_not_supported_is_refused(name: str) -> None:
    refused(jwks_url="https://sso.example/jwks", type=name)


def test_a_key_for_another_algorithm_is_refused(pem: str) -> None:
    assert JWTConfig(key=pem, type="EdDSA").algorithm == "EdDSA"
    refused(key=pem, type="RS256")
    curve = pem_of(ec.generate_private_key(ec.SECP384R1()))
    assert JWTConfig(key=curve, type=Algorithm.ES384).algorithm == "ES384"
    refused(key=curve, type=Algorithm.ES256)
    jwk = {name: part for name, part in convert_key_to_jwk(curve).items() if name != "alg"}
    assert JWTConfig(key=jwk, type=Algorithm.ES384).jwk == jwk
    refused(key=jwk, type=Algorithm.ES256)


def test_an_rsa_key_may_be_for_pss() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    config = JWTConfig(type="PS256", key=key.public_key().public_bytes(ENCODING.PEM, SPKI))
    assert config.jwk is not None
    assert config.jwk["alg"] == "PS256"


def test_without_a_type_the_key_says_the_algorithm(pem: str) -> None:
    assert JWTConfig(key=pem).algorithm is None
    JWTConfig(key=pem_of(ec.generate_private_key(ec.SECP256R1())))


def test_a_configuration_does_not_change(pem: str) -> None:
    config = JWTConfig(key=pem)
    with pytest.raises(ValidationError):
        config.jwks_url = "https://evil.example/jwks"


def test_equal_configurations_have_equal_hashes(pem: str) -> None:
    one, other = (JWTConfig(key=pem, issuer="https://a", audience=["x", "y"]) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    given = {"key": pem, "issuer": "https://a", "audience": "x"}
    assert len({AuthConfig(**given), AuthConfig(**given)}) == 1


def test_the_environment_is_read_if_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_CONFIG", '{"jwks_url": "https://sso.example/jwks"}')
    assert JWTConfig().jwks_url == "https://sso.example/jwks"
    monkeypatch.setenv("JWT_CONFIG", "s3cret{")
    with pytest.raises(ValueError, match="JWT_CONFIG") as caught:
        JWTConfig()
    assert "s3cret" not in str(caught.value)


def test_a_configuration_is_made_of_json() -> None:
    text = '{"jwks_url": "https://sso.example/jwks"}'
    assert JWTConfig.init_by_json(text) == JWTConfig.init_by_json(json.loads(text))
    with pytest.raises(TypeError):
        JWTConfig.init_by_json(3)
    with pytest.raises(ValueError):
        JWTConfig.init_by_json("[]")


def test_usso_s_configuration_is_one_of_these() -> None:
    assert issubclass(AuthConfig, JWTConfig)


@pytest.mark.parametrize("kind", [JWTConfig, AuthConfig])
def test_a_configuration_that_pins_the_algorithm_is_not_one_that_does_not(
    kind: type[JWTConfig],
) -> None:
    lax, strict = kind(jwks_url=JWKS_URL), kind(jwks_url=JWKS_URL, type="EdDSA")  # type: ignore[arg-type]
    assert lax != strict
    assert hash(lax) != hash(strict)
    assert strict == kind(jwks_url=JWKS_URL, type=Algorithm.EdDSA)
    assert lax == kind(jwks_url=JWKS_URL)
    assert lax != "lax"


def test_a_verifier_that_was_made_for_any_algorithm_is_not_one_for_the_pinned() -> None:
    issuer = Issuer(algorithm="ES256")
    given = {"jwks": issuer.jwks(), "issuer": issuer.name, "any_audience": True}
    token = issuer.mint("user:1")
    assert AuthConfig(**given).verify_token(token)
    assert not AuthConfig(type="EdDSA", **given).verify_token(token, raise_exception=False)
