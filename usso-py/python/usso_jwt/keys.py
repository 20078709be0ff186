"""Private and public keys, all of them asymmetric; what is named after HMAC only says so.

Signing and verifying is done in Rust. `cryptography` is imported only to make keys, to read
private ones that are not plain PKCS #8, and where an object of it is asked for.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, ClassVar, cast

from .enums import Algorithm
from .exceptions import UnsupportedAlgorithmError
from .utils import is_pem_key_material, json_object, normalize_pem_key_material

HMAC_DEFAULT_KEY_SIZE = 32


def normalize_alg(alg: object) -> str:
    """Gives the name in capitals, as the values of `Algorithm` are."""
    return str(alg).strip().upper()


def jose_name(alg: object) -> str:
    """Gives the registered name of an algorithm that is supported.

    Raises `UnsupportedAlgorithmError`, for HMAC too: with a shared secret, whoever verifies can
    sign.
    """
    try:
        name = Algorithm(normalize_alg(alg)).jose_name
    except ValueError:
        name = None
    if name is None:
        raise UnsupportedAlgorithmError
    return name


def public_jwk(key: object, algorithm: str | None = None) -> dict[str, Any]:
    """Gives the JWK of a public key: a PEM (also as an environment file has it) or a JWK.

    `algorithm` is what an RSA key in PEM is for, by default RS256. Raises `ValueError` for
    everything else, private keys among it.
    """
    from usso import _native

    if isinstance(key, (str, bytes)) and not is_pem_key_material(key):
        key = _jwk_in_text(key)
    if isinstance(key, dict):
        return _checked(cast("dict[Any, Any]", key))
    if not isinstance(key, (str, bytes)):
        raise ValueError("a key is a PEM or a JWK")
    pem = normalize_pem_key_material(key)
    if b"PRIVATE KEY-" in pem:
        raise ValueError(
            "this is a private key; give the public one: openssl pkey -in private.pem -pubout"
        )
    return dict(_native.public_jwk(pem, algorithm))


def convert_key_to_jwk(key: str | bytes) -> dict[str, Any]:
    """Gives the JWK of a public key in PEM. Raises `ValueError`."""
    return public_jwk(key)


def convert_jwk_to_pem(key: dict[str, Any]) -> bytes:
    """Gives the public key of a JWK in PEM. Raises `ValueError`."""
    from . import _cryptography

    return _pem(b"PUBLIC KEY", _cryptography.spki_of_jwk(public_jwk(key)))


def _checked(jwk: dict[Any, Any]) -> dict[str, Any]:
    from usso import _native

    try:
        text = json.dumps(jwk)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("the JWK is no JSON") from None
    _native.check_jwk(text)
    return json.loads(text)


def _jwk_in_text(key: str | bytes) -> dict[str, Any]:
    jwk = json_object(key)
    if jwk is None:
        raise ValueError(
            "this is no public key in PEM: start it with -----BEGIN PUBLIC KEY-----, or give a "
            "JWK, or set `jwks_url` instead"
        )
    return jwk


class AbstractKey:
    """A private key, for one algorithm. Its representation shows nothing of it.

    Made by `load_pem`, `load_der`, `load_jwk`, `generate` or `from_cryptography_key`.
    """

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = set()
    DEFAULT: ClassVar[str] = ""

    def __init__(self, *, key: Any, algorithm: str | None = None) -> None:
        from usso import _native

        self._der = _pkcs8(key, None)
        self.algorithm = algorithm or _default_algorithm(_native.public_jwk(self._der))
        if normalize_alg(self.algorithm) not in self.SUPPORTED_ALGORITHMS:
            raise ValueError(f"the key is no {type(self).__name__}")
        self._jwk = dict(_native.public_jwk(self._der, jose_name(self.algorithm)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kid={self.kid!r})"

    @classmethod
    def generate(cls, *, algorithm: str | None = None, key_size: int = 2048) -> AbstractKey:
        """Makes a new key. `key_size` is that of RSA, in bits."""
        from . import _cryptography

        algorithm = algorithm or cls.DEFAULT
        return cls(key=_cryptography.generate(jose_name(algorithm), key_size), algorithm=algorithm)

    @classmethod
    def generate_algorithm(cls, alg: str, **kwargs: Any) -> AbstractKey:
        """Makes a new key for an algorithm. Raises `ValueError`."""
        return _kind_for(alg).generate(algorithm=alg, **kwargs)

    @classmethod
    def load_jwk(cls, key: dict[str, Any]) -> AbstractKey:
        """Reads a private JWK. Raises `ValueError`."""
        from . import _cryptography

        return cls._made(_cryptography.from_jwk(key), key.get("alg"))

    @classmethod
    def load_pem(
        cls, key: str | bytes, password: bytes | None = None, algorithm: str | None = None
    ) -> AbstractKey:
        """Reads a private PEM, also as an environment file has it. Raises `ValueError`."""
        return cls._made(_pkcs8(normalize_pem_key_material(key), password), algorithm)

    @classmethod
    def load_der(
        cls, key: bytes, password: bytes | None = None, algorithm: str | None = None
    ) -> AbstractKey:
        """Reads a private DER. Raises `ValueError`."""
        return cls._made(_pkcs8(key, password), algorithm)

    @classmethod
    def load(cls, key: object, password: bytes | None = None) -> AbstractKey:
        """Reads a private key: a JWK, PEM or DER. Raises `ValueError`."""
        if isinstance(key, dict):
            return cls.load_jwk(cast("dict[str, Any]", key))
        if isinstance(key, (str, bytes)):
            return cls._made(_pkcs8(key, password), None)
        raise ValueError("a private key is a JWK, PEM or DER")

    @classmethod
    def from_cryptography_key(cls, loaded: Any, algorithm: str | None = None) -> AbstractKey:
        """Takes a private key of `cryptography`. Raises `TypeError` for anything else."""
        if not hasattr(loaded, "private_bytes"):
            raise TypeError("not a private key of cryptography")
        return cls._made(_pkcs8(loaded, None), algorithm)

    @classmethod
    def _made(cls, der: bytes, algorithm: str | None) -> AbstractKey:
        from usso import _native

        algorithm = algorithm or _default_algorithm(_native.public_jwk(der))
        kind = _kind_for(algorithm)
        if not issubclass(kind, cls):
            raise ValueError(f"the key is no {cls.__name__}")
        return kind(key=der, algorithm=algorithm)

    @property
    def key(self) -> Any:
        """The private key as an object of `cryptography`."""
        from . import _cryptography

        return _cryptography.load(self._der, None)

    def public_key(self) -> Any:
        """Gives the public key as an object of `cryptography`."""
        return self.key.public_key()

    def jwk(self, kid: str | None = None) -> dict[str, Any]:
        """Gives the public key as a JWK, to be published."""
        return {
            **self._jwk, "alg": jose_name(self.algorithm), "use": "sig", "kid": kid or self.kid,
        }  # fmt: skip

    @property
    def kid(self) -> str:
        """The hex SHA-256 of the public key's SPKI: how USSO names keys."""
        from usso import _native

        return _native.spki_kid(self._der)

    @property
    def type(self) -> str:
        """`EdDSA`, `ECDSA` or `RSA`."""
        return type(self).__name__.removesuffix("Key")

    def private_der(self, password: bytes | None = None) -> bytes:
        """Gives the private key in PKCS #8 DER, encrypted if there is a password."""
        if not password:
            return self._der
        from . import _cryptography

        return _cryptography.encrypted(self._der, password)

    def private_pem(self, password: bytes | None = None) -> bytes:
        """Gives the private key in PKCS #8 PEM, encrypted if there is a password."""
        label = b"ENCRYPTED PRIVATE KEY" if password else b"PRIVATE KEY"
        return _pem(label, self.private_der(password))

    def public_pem(self) -> bytes:
        """Gives the public key in PEM."""
        return _pem(b"PUBLIC KEY", self.public_der())

    def public_der(self) -> bytes:
        """Gives the public key in DER."""
        from . import _cryptography

        return _cryptography.spki_of_jwk(self._jwk)

    def sign(self, data: bytes) -> bytes:
        """Signs as JWS does."""
        from usso import _native

        return _native.sign(jose_name(self.algorithm), self._der, data)

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Says whether the signature is this key's."""
        from usso import _native

        return _native.verify_signature(json.dumps(self.jwk()), data, signature)


class EdDSAKey(AbstractKey):
    """A key for Ed25519."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = {"EDDSA", "ED25519"}
    DEFAULT: ClassVar[str] = "EdDSA"


class ECDSAKey(AbstractKey):
    """A key for ES256 or ES384."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = {"ES256", "ES384", "ES512"}
    DEFAULT: ClassVar[str] = "ES256"


class RSAKey(AbstractKey):
    """A key for RS256 or PS256."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    }  # fmt: skip
    DEFAULT: ClassVar[str] = "RS256"


class HMACKey(AbstractKey):
    """Not supported: to make one raises `UnsupportedAlgorithmError`."""

    SUPPORTED_ALGORITHMS: ClassVar[set[str]] = {"HS256", "HS384", "HS512"}

    def __init__(self, **kwargs: Any) -> None:
        raise UnsupportedAlgorithmError

    @classmethod
    def _made(cls, der: bytes, algorithm: str | None) -> AbstractKey:
        raise UnsupportedAlgorithmError


def from_cryptography_key(loaded: Any, algorithm: str | None = None) -> AbstractKey:
    """Takes a private key of `cryptography`. Raises `TypeError` for anything else."""
    return AbstractKey.from_cryptography_key(loaded, algorithm)


def private_key(key: object, password: bytes | None = None) -> AbstractKey:
    """Reads a private key: an `AbstractKey`, PEM, DER, a JWK or one of `cryptography`."""
    if isinstance(key, AbstractKey):
        return key
    if hasattr(key, "private_bytes"):
        return from_cryptography_key(key)
    return AbstractKey.load(key, password)


def _kind_for(algorithm: str) -> type[AbstractKey]:
    for kind in (EdDSAKey, ECDSAKey, RSAKey, HMACKey):
        if normalize_alg(algorithm) in kind.SUPPORTED_ALGORITHMS:
            return kind
    raise ValueError("there is no algorithm of this name")


def _default_algorithm(jwk: dict[str, str]) -> str:
    if jwk["kty"] == "EC":
        return "ES384" if jwk["crv"] == "P-384" else "ES256"
    return "RS256" if jwk["kty"] == "RSA" else "EdDSA"


def _pkcs8(key: Any, password: bytes | None) -> bytes:
    """Gives the PKCS #8 DER of a private key. Raises `ValueError`."""
    if not isinstance(key, (str, bytes)):
        from . import _cryptography

        return _cryptography.pkcs8(key)
    if is_pem_key_material(key):
        key = normalize_pem_key_material(key)
        body = re.fullmatch(rb"-+BEGIN PRIVATE KEY-+([^-]+)-+END PRIVATE KEY-+", key)
        if body and password is None:
            try:
                return base64.b64decode(b"".join(body[1].split()), validate=True)
            except binascii.Error:
                raise ValueError("the private key is not encoded correctly") from None
    elif isinstance(key, str):
        raise ValueError("this is no private key in PEM: start it with -----BEGIN PRIVATE KEY-----")
    elif password is None and _PKCS8.match(key):
        return key
    from . import _cryptography

    return _cryptography.pkcs8(_cryptography.load(key, password))


_PKCS8 = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01[\x00\x01]\x30", re.DOTALL)
"""A sequence of a version and an algorithm (RFC 5958 section 2)."""


def _pem(label: bytes, der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN %b-----" % label, *lines, b"-----END %b-----" % label, b""])
