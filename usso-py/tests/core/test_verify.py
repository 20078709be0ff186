"""Verification through Python: what is accepted, what is refused; nothing else is raised."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

import pytest
from core.tokens import ABSENT, AUDIENCE, ISSUER, Signer, b64, claims, refusal, signer

from usso import UssoAuth
from usso.exceptions import TokenExpired, TokenInvalid, USSOException

ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256", "PS256"]
NOW = int(time.time())


@pytest.fixture
def ed() -> Signer:
    return signer("EdDSA")


@pytest.fixture
def auth(ed: Signer) -> UssoAuth[Any]:
    return ed.auth()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_is_accepted_with_every_algorithm(algorithm: str) -> None:
    one = signer(algorithm)
    caller = one.auth().verify(one.mint())
    assert (caller.sub, caller.iss, caller.algorithm) == ("user:1", ISSUER, algorithm)
    assert caller.kid == "k1"


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_keys_of_every_usual_size_verify(bits: int) -> None:
    one = signer("RS256", bits)
    for settings in ({"key": one.pem}, {"key": one.jwk}, {"jwks": one.jwks}):
        assert one.auth(**settings).verify(one.mint()).sub == "user:1"


def test_an_rsa_key_of_1024_bits_is_no_key() -> None:
    with pytest.raises(ValueError, match="2048"):
        signer("RS256", 1024).auth(key=signer("RS256", 1024).jwk)


@pytest.mark.parametrize("claim", ["exp", "iss", "sub", "aud"])
def test_a_token_without_a_required_claim_is_refused(auth: Any, ed: Signer, claim: str) -> None:
    code = "token.audience" if claim == "aud" else "token.claim_missing"
    assert refusal(auth.verify, ed.mint(**{claim: ABSENT})) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": NOW - 3600}, "token.expired"),
        ({"exp": str(NOW + 900)}, "token.claim_invalid"),
        ({"exp": None}, "token.claim_invalid"),
        ({"exp": True}, "token.claim_invalid"),
        ({"exp": -1}, "token.claim_invalid"),
        ({"exp": 1e300}, "token.claim_invalid"),
        ({"exp": [NOW + 900]}, "token.claim_invalid"),
        ({"nbf": NOW + 3600}, "token.not_yet_valid"),
        ({"iat": NOW + 3600}, "token.issued_in_future"),
        ({"iss": "https://sso.example/"}, "token.unknown_issuer"),
        ({"iss": "https://SSO.example"}, "token.unknown_issuer"),
        ({"iss": [ISSUER]}, "token.claim_invalid"),
        ({"sub": ""}, "token.claim_invalid"),
        ({"sub": 7}, "token.claim_invalid"),
        ({"aud": "https://other.example"}, "token.audience"),
        ({"aud": ["https://other.example", "x"]}, "token.audience"),
        ({"aud": []}, "token.audience"),
        ({"aud": [AUDIENCE, 1]}, "token.claim_invalid"),
        ({"aud": {AUDIENCE: 1}}, "token.claim_invalid"),
        ({"token_type": "refresh"}, "token.token_type"),
        ({"roles": "admin"}, "token.claim_invalid"),
        ({"scopes": {"read:files": 1}}, "token.claim_invalid"),
        ({"nonce": "an id token"}, "token.claim_invalid"),
    ],
)
def test_claims_that_are_not_right_are_refused(
    auth: Any, ed: Signer, changes: dict[str, Any], code: str
) -> None:
    assert refusal(auth.verify, ed.mint(**changes)) == code


def test_an_expired_token_is_an_exception_of_its_own(auth: Any, ed: Signer) -> None:
    with pytest.raises(TokenExpired) as caught:
        auth.verify(ed.mint(exp=NOW - 3600))
    assert caught.value.status_code == 401
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]


def test_a_remembered_token_expires_all_the_same(ed: Signer) -> None:
    auth = ed.auth(leeway=0)
    end = int(time.time()) + 2
    token = ed.mint(exp=end)
    assert auth.verify(token).sub == "user:1"
    assert not auth.verify(token).fresh
    while time.time() < end:
        pass  # The clock is the machine's.
    assert refusal(auth.verify, token) == "token.expired"


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE], [AUDIENCE, AUDIENCE]])
def test_one_audience_among_several_is_enough(auth: Any, ed: Signer, aud: Any) -> None:
    user = auth.verify_token(ed.mint(aud=aud))
    assert user.claims["aud"] == (aud[0] if isinstance(aud, list) and len(aud) == 1 else aud)


def test_times_may_be_fractions(auth: Any, ed: Signer) -> None:
    assert auth.verify_token(ed.mint(exp=NOW + 900.75, iat=NOW - 0.5)).exp == NOW + 900


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "", "HS256", "HS512", "eddsa", "EDDSA", "rs256", "ES512", "RSA1_5"],
)
def test_another_algorithm_is_refused_signed_or_not(auth: Any, ed: Signer, alg: str) -> None:
    token = ed.mint({"alg": alg})
    assert refusal(auth.verify, token) == "token.algorithm"
    assert refusal(auth.verify, token.rpartition(".")[0] + ".") == "token.algorithm"


@pytest.mark.parametrize("mine", ALGORITHMS)
def test_the_algorithm_is_the_key_s_and_not_the_header_s(mine: str) -> None:
    one = signer(mine)
    auth = one.auth()
    for other in ALGORITHMS:
        if other != mine:
            assert refusal(auth.verify, one.mint({"alg": other})) == "token.algorithm"


def test_only_the_algorithms_that_are_listed_are_accepted(ed: Signer) -> None:
    assert refusal(ed.auth(algorithms=["ES256"]).verify, ed.mint()) == "token.algorithm"


def test_a_signature_of_another_key_is_refused(auth: Any) -> None:
    stranger = signer("EdDSA", number=1)
    assert refusal(auth.verify, stranger.mint()) == "token.signature"


def test_a_key_in_the_header_is_never_used(auth: Any) -> None:
    stranger = signer("EdDSA", number=1)
    for member in ({"jwk": stranger.jwk}, {"jku": "http://127.0.0.1:1/"}, {"x5c": ["MIIB"]}):
        assert refusal(auth.verify, stranger.mint(member)) == "token.signature"


def test_a_text_has_one_spelling_only(auth: Any, ed: Signer) -> None:
    token = ed.mint()
    assert auth.verify(token).sub == "user:1"
    respelt = [token[:-1] + other for other in _ALPHABET if other != token[-1]]
    longer = [token[:at] + extra + token[at:] for extra in _JUNK for at in range(len(token) + 1)]
    for text in [*respelt, *longer]:
        assert refusal(auth.verify, text).startswith("token.")


def test_every_flipped_bit_is_noticed(auth: Any, ed: Signer) -> None:
    token = ed.mint().encode()
    for at in range(len(token)):
        for bit in range(7):
            flipped = bytearray(token)
            flipped[at] ^= 1 << bit
            assert refusal(auth.verify, flipped.decode()).startswith("token.")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("null", "token.malformed"),
        ("[]", "token.malformed"),
        ('"EdDSA"', "token.malformed"),
        ("1", "token.malformed"),
        ("{", "token.malformed"),
        ("", "token.malformed"),
        ("\ufeff{}", "token.malformed"),
        ('{"typ":"at+jwt","kid":"k1"}', "token.malformed"),
        ('{"alg":null,"typ":"at+jwt","kid":"k1"}', "token.malformed"),
        ('{"alg":["EdDSA"],"typ":"at+jwt","kid":"k1"}', "token.malformed"),
        ('{"alg":"EdDSA","typ":"at+jwt","kid":["k1"]}', "token.malformed"),
        ('{"alg":"EdDSA","typ":"at+jwt","kid":{"k1":1}}', "token.malformed"),
        ('{"alg":"EdDSA","typ":["at+jwt"],"kid":"k1"}', "token.malformed"),
        ('{"alg":"EdDSA","typ":"logout+jwt","kid":"k1"}', "token.typ"),
        ('{"alg":"EdDSA","typ":"at+jwt","kid":"k2"}', "token.unknown_key"),
        ('{"alg":"EdDSA","alg":"none","typ":"at+jwt","kid":"k1"}', "token.duplicate_member"),
        ('{"alg":"EdDSA","typ":"at+jwt","kid":"k1","crit":["exp"]}', "token.critical"),
        ('{"alg":"EdDSA","typ":"at+jwt","kid":"k1","b64":false}', "token.critical"),
        (
            '{"alg":"EdDSA","typ":"at+jwt","kid":"k1","x":' + "[" * 200 + "]" * 200 + "}",
            "token.too_deep",
        ),
    ],
)
def test_headers_that_are_not_right_are_refused(
    auth: Any, ed: Signer, header: str, code: str
) -> None:
    assert refusal(auth.verify, ed.compact(header, json.dumps(claims()))) == code


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "1", '"iss"', "{", "{}{}", "\ufeff{}", "{'a':1}"]
)
def test_claims_that_are_no_object_are_refused(auth: Any, ed: Signer, text: str) -> None:
    assert refusal(auth.verify, ed.compact(json.dumps(ed.header()), text)) == "token.malformed"


@pytest.mark.parametrize("depth", [33, 128, 1000, 2500])
def test_deep_claims_are_refused(auth: Any, ed: Signer, depth: int) -> None:
    for opening, closing, core in (("[", "]", ""), ('{"a":', "}", "0")):
        if depth * (len(opening) + len(closing)) < 6000:
            deep = '{"x":' + opening * depth + core + closing * depth + "}"
            token = ed.compact(json.dumps(ed.header()), deep)
            assert refusal(auth.verify, token) == "token.too_deep"


def test_a_claim_given_twice_is_refused(auth: Any, ed: Signer) -> None:
    twice = json.dumps(claims())[:-1] + ',"sub":"user:2"}'
    code = refusal(auth.verify, ed.compact(json.dumps(ed.header()), twice))
    assert code == "token.duplicate_member"


@pytest.mark.parametrize("size", [8193, 1 << 20, 1 << 24])
def test_a_token_that_is_too_long_is_refused_unread(auth: Any, ed: Signer, size: int) -> None:
    for text in ("a" * size, "." * size, ed.mint() + "A" * size, "\u20ac" * size):
        started = time.thread_time()
        assert refusal(auth.verify, text) in ("token.too_large", "token.malformed")
        assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "..",
            "...",
            "a",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "a.b.c.d.e",
            "é.é.é",
            "\0",
            "\0.\0.\0",
        ),
        *(" ", "\n", "{}", "null", "Bearer x.y.z", "usso_sk_0123456789abcdef", "\U0001f600" * 3),
        *("\ud800", "a.b.\udfff", "\udc80.\udc80.\udc80", "eyJ.\ud83d\ude00.x"),
    ],
)
def test_what_is_no_token_is_refused(auth: Any, text: str) -> None:
    assert refusal(auth.verify, text) == "token.malformed"


def test_a_lone_surrogate_in_a_good_token_is_refused(auth: Any, ed: Signer) -> None:
    token = ed.mint()
    assert refusal(auth.verify, token + "\ud800") == "token.malformed"
    assert refusal(auth.verify, token[:20] + "\udfff" + token[21:]) == "token.malformed"


def test_any_text_is_refused_and_raises_nothing_else(auth: Any) -> None:
    source = random.Random(20260101)  # noqa: S311
    for _ in range(5000):
        text = "".join(_letter(source) for _ in range(source.randrange(60)))
        assert refusal(auth.verify, text).startswith("token.")


def test_any_bytes_as_header_or_claims_are_refused_and_raise_nothing_else(
    auth: Any, ed: Signer
) -> None:
    source = random.Random(20260102)  # noqa: S311
    header, good = json.dumps(ed.header()), json.dumps(claims())
    for _ in range(500):
        noise = source.randbytes(source.randrange(200))
        assert refusal(auth.verify, ed.compact(noise, good)).startswith("token.")
        assert refusal(auth.verify, ed.compact(header, noise)).startswith("token.")


def test_signed_claims_with_any_byte_changed_raise_nothing_else(auth: Any, ed: Signer) -> None:
    """The signature is good, so every byte is read."""
    source = random.Random(20260103)  # noqa: S311
    header, good = json.dumps(ed.header()), json.dumps(claims(x={"y": [1, "\u00e9"]}))
    outcomes: set[str] = set()
    for _ in range(1500):
        text = bytearray(good.encode())
        for _ in range(source.randrange(1, 4)):
            text[source.randrange(len(text))] = source.randrange(256)
        outcomes.add(_outcome(auth, ed.compact(header, bytes(text))))
    assert {"accepted", "token.malformed", "token.unknown_issuer"} <= outcomes


def test_claims_of_any_json_type_raise_nothing_else(auth: Any, ed: Signer) -> None:
    values: list[Any] = [
        None,
        True,
        0,
        -1,
        1.5,
        2**64,
        -(2**63),
        "",
        "x",
        [],
        [1],
        [[]],
        {},
        {"a": 1},
    ]
    for name in (
        *claims(),
        "roles",
        "scopes",
        "scope",
        "amr",
        "acr",
        "cnf",
        "act",
        "auth_time",
        "x",
    ):
        for value in values:
            assert _outcome(auth, ed.mint(**{name: value}))


@pytest.mark.parametrize("wrong", [None, 1, ["a.b.c"], object()])
def test_a_token_that_is_no_text_is_a_mistake_of_the_program(auth: Any, wrong: Any) -> None:
    with pytest.raises(TypeError):
        auth.verify(wrong)


def test_a_token_may_be_bytes(auth: Any, ed: Signer) -> None:
    assert auth.verify(ed.mint().encode()).sub == "user:1"
    for bad in (b"", b"a.b.c", b"\xff\xfe"):
        with pytest.raises(USSOException) as caught:
            auth.verify(bad)
        assert caught.value.error_code == "token.malformed"


def test_every_way_to_verify_refuses_alike(auth: Any, ed: Signer) -> None:
    ways = [
        auth.verify,
        auth.verify_token,
        auth.user_data_from_token,
        auth.jwt_configs[0].verify_token,
        lambda token: asyncio.run(auth.averify(token)),
        lambda token: asyncio.run(auth.user_data_from_token_async(token)),
    ]
    for token, code in (
        (ed.mint(exp=NOW - 3600), "token.expired"),
        (ed.mint(aud="other"), "token.audience"),
        (signer("EdDSA", number=1).mint(), "token.signature"),
        ("a.b.c", "token.malformed"),
    ):
        assert [refusal(way, token) for way in ways] == [code] * len(ways)
        assert auth.user_data_from_token(token, raise_exception=False) is None
        assert auth.jwt_configs[0].verify_token(token, raise_exception=False) is False


def test_a_refresh_token_is_accepted_only_where_one_is_expected(auth: Any, ed: Signer) -> None:
    token = ed.mint(token_type="refresh")
    assert refusal(auth.user_data_from_token, token) == "token.token_type"
    assert auth.user_data_from_token(token, expected_token_type="refresh").sub == "user:1"
    with pytest.raises(TokenInvalid):
        auth.user_data_from_token(ed.mint(token_type=ABSENT), expected_token_type="refresh")


def test_a_tenant_that_is_pinned_is_the_only_one(ed: Signer) -> None:
    auth = ed.auth(tenant="org_1")
    assert auth.verify_token(ed.mint(tenant_id="org_1")).tenant_id == "org_1"
    for changes in ({"tenant_id": "org_2"}, {}):
        assert refusal(auth.verify, ed.mint(**changes)) == "token.tenant"


def test_an_encrypted_token_is_refused(auth: Any) -> None:
    jwe = ".".join([b64('{"alg":"dir","enc":"A256GCM"}'), "", "AAAA", "AAAA", "AAAA"])
    assert refusal(auth.verify, jwe) in ("token.algorithm", "token.malformed")
    assert refusal(auth.user_data_from_jwe, jwe) == "token.encrypted"
    assert auth.user_data_from_jwe(jwe, raise_exception=False) is None


def test_claims_show_no_more_than_the_subject(auth: Any, ed: Signer) -> None:
    shown = repr(auth.verify(ed.mint(email="a@person.example")))
    assert "user:1" in shown and "person" not in shown


def _outcome(auth: UssoAuth[Any], token: str) -> str:
    try:
        auth.verify_token(token)
    except USSOException as error:
        assert error.status_code == 401
        return error.error_code
    return "accepted"


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/="
_JUNK = ["=", " ", "\n", "\r\n", "\0", "A", "é", "%20"]


def _letter(source: random.Random) -> str:
    """Gives a letter: of ASCII, of Unicode, half a letter, or one that tokens are made of."""
    ascii_letter, any_letter = source.randrange(128), source.randrange(0x110000)
    half, usual = source.randrange(0xD800, 0xE000), ord(source.choice("eyJ.-_="))
    return chr(source.choice((ascii_letter, any_letter, half, usual)))
