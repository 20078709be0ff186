"""Keys and signing, with PyJWT and cryptography as peers."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from usso_jwt import sign
from usso_jwt.algorithms import (
    AbstractKey,
    ECDSAAlgorithm,
    ECDSAKey,
    EdDSAAlgorithm,
    EdDSAKey,
    HMACAlgorithm,
    HMACKey,
    RSAAlgorithm,
    RSAKey,
    convert_jwk_to_pem,
    convert_key_to_jwk,
    from_cryptography_key,
    get_algorithm,
    normalize_alg,
)
from usso_jwt.enums import Algorithm
from usso_jwt.exceptions import (
    JWTError,
    JWTInvalidFormatError,
    JWTInvalidSignatureError,
    UnsupportedAlgorithmError,
)
from usso_jwt.verify import verify_signature

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, SEC1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PLAIN = serialization.NoEncryption()

OBJECTS: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "PS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
KINDS = {"EdDSA": EdDSAKey, "ES": ECDSAKey, "RS": RSAKey, "PS": RSAKey}
CLAIMS = {"sub": "user:1", "exp": int(time.time()) + 600, "name": "é"}


def forms(algorithm: str) -> dict[str, Any]:
    """Gives a private key in every form that is taken."""
    key = OBJECTS[algorithm]
    pem = key.private_bytes(PEM, PKCS8, PLAIN)
    found = {
        "object": key,
        "pem": pem,
        "text": pem.decode(),
        "escaped": '"' + pem.decode().strip().replace("\n", "\\n") + '"',
        "der": key.private_bytes(DER, PKCS8, PLAIN),
        "key": from_cryptography_key(key, algorithm),
        "jwk": json.loads(_jwk(algorithm, key)),
    }
    if algorithm != "EdDSA":
        found["traditional"] = key.private_bytes(PEM, SEC1, PLAIN)
    return found


def _jwk(algorithm: str, key: Any) -> str:
    peer = pyjwt.get_algorithm_by_name(algorithm)
    return json.dumps({**peer.to_jwk(key, as_dict=True), "alg": algorithm})


FORMS = [
    (algorithm, form)
    for algorithm in OBJECTS
    for form in ["object", "pem", "text", "escaped", "der", "key", "jwk", "traditional"]
    if (algorithm, form) != ("EdDSA", "traditional")
]


@pytest.mark.parametrize(("algorithm", "form"), FORMS)
def test_a_token_signed_here_is_good_for_pyjwt(algorithm: str, form: str) -> None:
    header = sign.create_jwt_header(algorithm, kid="k")
    token = sign.generate_jwt(header, CLAIMS, forms(algorithm)[form], algorithm)
    public = OBJECTS[algorithm].public_key()
    assert pyjwt.decode(token, public, algorithms=[algorithm]) == CLAIMS
    assert pyjwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "k"}


@pytest.mark.parametrize("algorithm", OBJECTS)
def test_a_signature_of_pyjwt_is_good_here(algorithm: str) -> None:
    token = pyjwt.encode(CLAIMS, OBJECTS[algorithm], algorithm)
    message, _, encoded = token.rpartition(".")
    signature = pyjwt.utils.base64url_decode(encoded)
    public = OBJECTS[algorithm].public_key()
    jwk = from_cryptography_key(OBJECTS[algorithm], algorithm).jwk()
    for key in (public.public_bytes(PEM, SPKI), public.public_bytes(DER, SPKI), jwk):
        assert verify_signature(alg=algorithm, key=key, data=message, signature=signature)
        with pytest.raises(JWTInvalidSignatureError):
            verify_signature(alg=algorithm, key=key, data=message + "x", signature=signature)
        with pytest.raises(JWTInvalidSignatureError):
            verify_signature(alg=algorithm, key=key, data=message, signature=b"")
    assert get_algorithm(algorithm).verify(
        data=message.encode(), signature=signature, key=public, alg=algorithm
    )


@pytest.mark.parametrize("asked", ["EdDSA", "ES256", "ES384", "RS256", "PS256"])
@pytest.mark.parametrize("algorithm", OBJECTS)
def test_a_key_verifies_with_its_own_algorithm_only(algorithm: str, asked: str) -> None:
    key = from_cryptography_key(OBJECTS[algorithm], algorithm)
    signature = key.sign(b"message")
    given = {"alg": asked, "key": key.jwk(), "data": b"message", "signature": signature}
    if asked == algorithm:
        assert verify_signature(**given)
        return
    with pytest.raises(JWTInvalidSignatureError):
        verify_signature(**given)


def test_a_key_for_rs256_does_not_verify_ps256() -> None:
    jwk = from_cryptography_key(OBJECTS["RS256"], "RS256").jwk()
    signature = from_cryptography_key(OBJECTS["RS256"], "PS256").sign(b"message")
    given = {"alg": "PS256", "data": b"message", "signature": signature}
    with pytest.raises(JWTInvalidSignatureError):
        verify_signature(key=jwk, **given)
    public = OBJECTS["RS256"].public_key().public_bytes(PEM, SPKI)
    assert verify_signature(key=public, **given)


def test_the_registered_name_is_written() -> None:
    for name in ("EDDSA", "ED25519", "Ed25519", Algorithm.EdDSA, Algorithm.Ed25519):
        assert sign.create_jwt_header(name) == {"alg": "EdDSA", "typ": "JWT"}
    key = EdDSAKey.generate()
    token = sign.generate_jwt({"alg": "ED25519"}, CLAIMS, key, "ED25519")
    assert pyjwt.get_unverified_header(token)["alg"] == "EdDSA"


def test_a_header_of_another_algorithm_is_an_error() -> None:
    with pytest.raises(ValueError, match="algorithm"):
        sign.generate_jwt({"alg": "RS256"}, CLAIMS, EdDSAKey.generate(), "EdDSA")


def test_a_key_of_another_algorithm_does_not_sign() -> None:
    key = OBJECTS["ES256"].private_bytes(PEM, PKCS8, PLAIN)
    for alg in ("EdDSA", "ES384", "RS256"):
        with pytest.raises(ValueError):
            sign.generate_jwt({}, CLAIMS, key, alg)


HMAC = ["HS256", "HS384", "HS512", "hs256"]


@pytest.mark.parametrize("name", HMAC)
def test_hmac_is_named_and_neither_signs_nor_verifies(name: str) -> None:
    family = get_algorithm(name)
    assert family is HMACAlgorithm
    secret = b"s" * 32
    refusals = [
        lambda: family.sign(data=b"", key=secret, alg=name),
        lambda: family.verify(data=b"", signature=b"", key=secret, alg=name),
        lambda: family.load_key(secret),
        lambda: verify_signature(alg=name, key=secret, data=b"", signature=b""),
        lambda: sign.generate_jwt({}, CLAIMS, secret, name),
        lambda: sign.create_jwt_header(name),
        lambda: HMACKey(key=secret),
        lambda: HMACKey.generate(),
        lambda: HMACKey.load_jwk({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        lambda: AbstractKey.generate_algorithm(name),
    ]
    for refusal in refusals:
        with pytest.raises((UnsupportedAlgorithmError, ValueError)):
            refusal()
    assert issubclass(UnsupportedAlgorithmError, JWTInvalidFormatError)
    assert issubclass(UnsupportedAlgorithmError, NotImplementedError)


def test_the_public_key_as_the_secret_of_an_hmac_verifies_nothing() -> None:
    import hmac

    public = OBJECTS["EdDSA"].public_key().public_bytes(PEM, SPKI)
    signature = hmac.new(public, b"message", "sha256").digest()
    with pytest.raises(JWTError):
        verify_signature(alg="HS256", key=public, data=b"message", signature=signature)


@pytest.mark.parametrize("name", ["RS384", "RS512", "PS384", "PS512", "ES512"])
def test_an_algorithm_that_is_not_supported_says_so(name: str) -> None:
    assert Algorithm(name).jose_name is None
    with pytest.raises(UnsupportedAlgorithmError, match="EdDSA, ES256"):
        sign.generate_jwt({}, CLAIMS, OBJECTS["RS256"], name)


def test_an_unknown_algorithm_is_an_error() -> None:
    with pytest.raises(ValueError):
        get_algorithm("none")
    with pytest.raises(JWTInvalidSignatureError):
        verify_signature(alg="none", key=EdDSAKey.generate().jwk(), data=b"", signature=b"")


def test_families_have_their_algorithms() -> None:
    assert get_algorithm("eddsa") is get_algorithm("Ed25519") is EdDSAAlgorithm
    assert get_algorithm("ES512") is ECDSAAlgorithm
    assert get_algorithm("PS256") is RSAAlgorithm
    assert normalize_alg(" EdDSA ") == "EDDSA"
    key = from_cryptography_key(OBJECTS["EdDSA"])
    with pytest.raises(ValueError, match="RSAAlgorithm"):
        RSAAlgorithm.sign(data=b"", key=key.private_pem(), alg="EdDSA")
    with pytest.raises(ValueError, match="RSAAlgorithm"):
        RSAAlgorithm.verify(data=b"", signature=key.sign(b""), key=key, alg="EdDSA")


@pytest.mark.parametrize("algorithm", OBJECTS)
def test_a_key_is_named_as_usso_names_it(algorithm: str) -> None:
    key = from_cryptography_key(OBJECTS[algorithm], algorithm)
    spki = OBJECTS[algorithm].public_key().public_bytes(DER, SPKI)
    assert key.kid == hashlib.sha256(spki).hexdigest()
    assert key.jwk()["kid"] == key.kid
    assert key.jwk("mine")["kid"] == "mine"
    assert key.public_der() == spki
    assert key.public_pem() == OBJECTS[algorithm].public_key().public_bytes(PEM, SPKI)
    assert key.private_pem() == OBJECTS[algorithm].private_bytes(PEM, PKCS8, PLAIN)
    assert convert_jwk_to_pem(key.jwk()) == key.public_pem()


@pytest.mark.parametrize("algorithm", OBJECTS)
def test_a_published_key_is_good_for_pyjwt(algorithm: str) -> None:
    key = from_cryptography_key(OBJECTS[algorithm], algorithm)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.jwk().keys()
    token = sign.generate_jwt({}, CLAIMS, key, algorithm)
    assert pyjwt.decode(token, pyjwt.PyJWK(key.jwk()), algorithms=[algorithm]) == CLAIMS


@pytest.mark.parametrize(
    ("algorithm", "form"), [one for one in FORMS if one[1] not in ("key", "object")]
)
def test_a_key_is_the_same_in_every_form(algorithm: str, form: str) -> None:
    given = forms(algorithm)[form]
    expected = from_cryptography_key(OBJECTS[algorithm])
    key = AbstractKey.load(given)
    assert key.kid == expected.kid
    assert isinstance(key, KINDS.get(algorithm) or KINDS[algorithm[:2]])
    assert key.verify(b"message", key.sign(b"message"))
    assert not key.verify(b"other", key.sign(b"message"))


@pytest.mark.parametrize("algorithm", OBJECTS)
def test_a_key_may_be_encrypted(algorithm: str) -> None:
    key = from_cryptography_key(OBJECTS[algorithm], algorithm)
    pem, der = key.private_pem(b"password"), key.private_der(b"password")
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert AbstractKey.load_pem(pem, b"password").kid == key.kid
    assert AbstractKey.load_der(der, b"password").kid == key.kid
    token = sign.generate_jwt({}, CLAIMS, pem, algorithm, b"password")
    assert pyjwt.decode(token, OBJECTS[algorithm].public_key(), algorithms=[algorithm]) == CLAIMS
    for password in (None, b"other"):
        with pytest.raises(ValueError):
            AbstractKey.load_pem(pem, password)
        with pytest.raises(ValueError):
            sign.generate_jwt({}, CLAIMS, pem, algorithm, password)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x00",
        "",
        "secret",
        "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        {},
        {"kty": "OKP", "crv": "Ed25519", "d": "AA"},
        {"kty": "oct", "k": "AA"},
        5,
        None,
    ],
)
def test_what_is_no_private_key_is_an_error(key: object) -> None:
    with pytest.raises(ValueError):
        AbstractKey.load(key)
    with pytest.raises(ValueError):
        sign.generate_jwt({}, CLAIMS, key, "EdDSA")


def test_a_public_key_does_not_sign() -> None:
    public = OBJECTS["EdDSA"].public_key()
    for key in (public.public_bytes(PEM, SPKI), public.public_bytes(DER, SPKI)):
        with pytest.raises(ValueError):
            AbstractKey.load(key)
    with pytest.raises(TypeError):
        from_cryptography_key(public)


def test_a_key_of_another_kind_is_an_error() -> None:
    pem = OBJECTS["EdDSA"].private_bytes(PEM, PKCS8, PLAIN)
    assert isinstance(EdDSAKey.load_pem(pem), EdDSAKey)
    with pytest.raises(ValueError):
        RSAKey.load_pem(pem)
    with pytest.raises(ValueError):
        AbstractKey.load_pem(pem, algorithm="ES256")
    with pytest.raises(ValueError):
        from_cryptography_key(ed448.Ed448PrivateKey.generate())
    with pytest.raises(ValueError):
        from_cryptography_key(ec.generate_private_key(ec.SECP521R1()))


@pytest.mark.parametrize("algorithm", OBJECTS)
def test_keys_are_made(algorithm: str) -> None:
    one, other = (AbstractKey.generate_algorithm(algorithm) for _ in range(2))
    assert one.kid != other.kid
    assert one.verify(b"x", one.sign(b"x"))
    assert not other.verify(b"x", one.sign(b"x"))
    assert one.jwk()["alg"] == algorithm
    assert type(one.key) is type(OBJECTS[algorithm])
    assert one.public_key().public_bytes(DER, SPKI) == one.public_der()


def test_a_private_key_is_in_no_representation() -> None:
    key = EdDSAKey.generate()
    assert repr(key) == f"EdDSAKey(kid={key.kid!r})"
    assert "secret" not in repr(sign.SignInput(signing_input="x", password=b"secret"))


def test_a_public_key_in_pem_becomes_a_jwk() -> None:
    public = OBJECTS["ES256"].public_key().public_bytes(PEM, SPKI)
    assert convert_key_to_jwk(public)["crv"] == "P-256"
    for secret in (b"secret", OBJECTS["ES256"].private_bytes(PEM, PKCS8, PLAIN)):
        with pytest.raises(ValueError):
            convert_key_to_jwk(secret)


def test_claims_are_json() -> None:
    key, jti = EdDSAKey.generate(), uuid.uuid4()
    token = sign.generate_jwt({}, {"jti": jti}, key, "EdDSA")
    assert pyjwt.decode(token, options={"verify_signature": False})["jti"] == str(jti)
    for value in (object(), {1, 2}, b"x"):
        with pytest.raises(TypeError):
            sign.generate_jwt({}, {"a": value}, key, "EdDSA")
    with pytest.raises(ValueError):
        sign.generate_jwt({}, {"a": float("nan")}, key, "EdDSA")


def test_parts_are_signed_as_a_token_is() -> None:
    key = EdDSAKey.generate()
    header = sign.create_jwt_header("EdDSA")
    token = sign.generate_jwt(header, CLAIMS, key, "EdDSA")
    message, _, signature = token.rpartition(".")
    raw = pyjwt.utils.base64url_decode(signature)
    for parts in (
        sign.SignInput(signing_input=message),
        sign.SignInput(signing_input=message.encode()),
        sign.SignInput(header=header, payload=CLAIMS),
    ):
        assert sign.sign_jwt_parts(key=key, alg="EdDSA", parts=parts) == raw
    for nothing in (None, sign.SignInput(), sign.SignInput(header=header)):
        with pytest.raises(ValueError):
            sign.sign_jwt_parts(key=key, alg="EdDSA", parts=nothing)


def test_algorithms_are_looked_up_whatever_their_case() -> None:
    assert Algorithm("eddsa") is Algorithm("EdDSA") is Algorithm.EdDSA
    assert Algorithm("rs256") is Algorithm.RS256
    assert str(Algorithm.EdDSA) == "EDDSA"
    assert [Algorithm(name).kty for name in ("EdDSA", "ES256", "PS256", "RS256", "HS256")] == [
        "OKP",
        "EC",
        "RSA",
        "RSA",
        "oct",
    ]
    for unknown in ("none", "", 5, None):
        with pytest.raises(ValueError):
            Algorithm(unknown)


@pytest.mark.parametrize("last", [b"\t", b"\n", b"\f", b"\r", b" "])
def test_a_key_whose_last_byte_looks_like_white_space_is_read(last: bytes) -> None:
    seed = b"\x01" * 31 + last
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    der = private.private_bytes(DER, PKCS8, PLAIN)
    assert der.endswith(last)
    assert len(EdDSAAlgorithm.sign(data=b"", key=der, alg="EdDSA")) == 64
    assert AbstractKey.load_der(der).public_der() == private.public_key().public_bytes(DER, SPKI)
