"""What only `cryptography` can do here. An extra: nothing that verifies tokens needs it."""

from __future__ import annotations

from typing import Any

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
except ImportError as error:
    raise ImportError("this needs the package cryptography: pip install cryptography") from error

from .utils import b64url_decode, is_pem_key_material

_CURVES: dict[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}


def generate(algorithm: str, key_size: int) -> bytes:
    """Makes a private key for a supported algorithm; PKCS #8 DER."""
    if algorithm == "EdDSA":
        return pkcs8(ed25519.Ed25519PrivateKey.generate())
    if algorithm in ("ES256", "ES384"):
        return pkcs8(ec.generate_private_key(_CURVES["P-" + algorithm[2:]]()))
    return pkcs8(rsa.generate_private_key(public_exponent=65537, key_size=key_size))


def load(key: bytes, password: bytes | None) -> Any:
    """Reads a private PEM or DER. Raises `ValueError`, whose text holds nothing of the key."""
    read = serialization.load_der_private_key
    if is_pem_key_material(key):
        read = serialization.load_pem_private_key
    try:
        return read(key, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the private key cannot be read; is the password right?") from None


def from_jwk(jwk: dict[str, Any]) -> bytes:
    """Gives the PKCS #8 DER of a private JWK (RFC 7518 section 6). Raises `ValueError`."""
    try:
        return pkcs8(_from_jwk(jwk))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ValueError("the JWK is no private key for EdDSA, ES256, ES384 or RSA") from None


def _from_jwk(jwk: dict[str, Any]) -> Any:
    if jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(b64url_decode(jwk["d"]))
    public = _public_numbers(jwk)
    if isinstance(public, rsa.RSAPublicNumbers):
        p, q, d, dp, dq, qi = (_number(jwk, name) for name in ("p", "q", "d", "dp", "dq", "qi"))
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()
    return ec.EllipticCurvePrivateNumbers(_number(jwk, "d"), public).private_key()


def _public_numbers(jwk: dict[str, Any]) -> Any:
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n"))
    x, y = _number(jwk, "x"), _number(jwk, "y")
    return ec.EllipticCurvePublicNumbers(x, y, _CURVES[jwk["crv"]]())


def _number(jwk: dict[str, Any], name: str) -> int:
    return int.from_bytes(b64url_decode(jwk[name]), "big")


def pkcs8(key: Any) -> bytes:
    """Gives the PKCS #8 DER of a private key object."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def encrypted(der: bytes, password: bytes) -> bytes:
    """Encrypts a PKCS #8 DER."""
    return load(der, None).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )


def spki(key: Any) -> bytes:
    """Gives the SPKI DER of a public key object."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def spki_of_jwk(jwk: dict[str, Any]) -> bytes:
    """Gives the SPKI DER of a public JWK that was checked."""
    if jwk["kty"] == "OKP":
        return spki(ed25519.Ed25519PublicKey.from_public_bytes(b64url_decode(jwk["x"])))
    return spki(_public_numbers(jwk).public_key())
