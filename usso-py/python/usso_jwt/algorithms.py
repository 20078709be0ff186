"""Algorithms by family. Each signs and verifies with just the algorithm it is asked for."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from .exceptions import UnsupportedAlgorithmError
from .keys import (
    HMAC_DEFAULT_KEY_SIZE,
    AbstractKey,
    ECDSAKey,
    EdDSAKey,
    HMACKey,
    RSAKey,
    convert_jwk_to_pem,
    convert_key_to_jwk,
    from_cryptography_key,
    jose_name,
    normalize_alg,
    private_key,
    public_jwk,
)
from .utils import is_pem_key_material, normalize_pem_key_material

__all__ = [
    "HMAC_DEFAULT_KEY_SIZE",
    "AbstractKey",
    "ECDSAAlgorithm",
    "ECDSAKey",
    "EdDSAAlgorithm",
    "EdDSAKey",
    "HMACAlgorithm",
    "HMACKey",
    "KeyAlgorithm",
    "RSAAlgorithm",
    "RSAKey",
    "convert_jwk_to_pem",
    "convert_key_to_jwk",
    "from_cryptography_key",
    "get_algorithm",
    "normalize_alg",
]


class KeyAlgorithm:
    """A family of algorithms."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = set()

    @classmethod
    def load_key(cls, key: object, password: bytes | None = None) -> AbstractKey:
        """Reads a private key of this family. Raises `ValueError`."""
        loaded = private_key(key, password)
        if cls.SUPPORTED_ALGORITHMS.isdisjoint(loaded.SUPPORTED_ALGORITHMS):
            raise ValueError("the key is of another type")
        return loaded

    @classmethod
    def sign(cls, *, data: bytes, key: object, alg: str, password: bytes | None = None) -> bytes:
        """Signs. Raises `ValueError` if the key is not for the algorithm."""
        from usso import _native

        name = cls._own(alg)
        if isinstance(key, (str, bytes)) and password is None:
            material = normalize_pem_key_material(key) if is_pem_key_material(key) else key
            return _native.sign(name, material, data)
        return _native.sign(name, cls.load_key(key, password).private_der(), data)

    @classmethod
    def verify(cls, *, data: bytes, signature: bytes, key: object, alg: str) -> bool:
        """Says whether the signature is that of the public key, with just this algorithm."""
        from usso import _native

        name = cls._own(alg)
        jwk = key.jwk() if isinstance(key, AbstractKey) else _public(key, name)
        named = jwk.get("alg")
        if named is not None and jose_name(named) != name:
            return False
        try:
            return _native.verify_signature(json.dumps({**jwk, "alg": name}), data, signature)
        except ValueError:
            return False

    @classmethod
    def _own(cls, alg: str) -> str:
        name = jose_name(alg)
        if normalize_alg(alg) not in cls.SUPPORTED_ALGORITHMS:
            raise ValueError(f"{name} is not of the family {cls.__name__}")
        return name


class EdDSAAlgorithm(KeyAlgorithm):
    """Ed25519."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = EdDSAKey.SUPPORTED_ALGORITHMS


class ECDSAAlgorithm(KeyAlgorithm):
    """ECDSA. ES512 is named but not supported."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = ECDSAKey.SUPPORTED_ALGORITHMS


class RSAAlgorithm(KeyAlgorithm):
    """RSA. With SHA-384 and SHA-512 it is named but not supported."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = RSAKey.SUPPORTED_ALGORITHMS


class HMACAlgorithm(KeyAlgorithm):
    """Not supported: to sign and to verify raises `UnsupportedAlgorithmError`."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = HMACKey.SUPPORTED_ALGORITHMS

    @classmethod
    def load_key(cls, key: object, password: bytes | None = None) -> AbstractKey:
        """Raises `UnsupportedAlgorithmError`."""
        raise UnsupportedAlgorithmError


def _public(key: object, algorithm: str) -> dict[str, Any]:
    """Gives the JWK of a public key in any form, for this algorithm if it does not say its own."""
    from usso import _native

    if hasattr(key, "public_bytes"):
        from . import _cryptography

        key = _cryptography.spki(key)
    if isinstance(key, bytes) and key[:1] == b"\x30":
        return dict(_native.public_jwk(key, algorithm))
    return public_jwk(key, algorithm)


def get_algorithm(alg: str) -> type[KeyAlgorithm]:
    """Gives the family of an algorithm. Raises `ValueError` if there is no such algorithm."""
    for family in (ECDSAAlgorithm, EdDSAAlgorithm, HMACAlgorithm, RSAAlgorithm):
        if normalize_alg(alg) in family.SUPPORTED_ALGORITHMS:
            return family
    raise ValueError("there is no algorithm of this name")
