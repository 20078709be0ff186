"""API keys: who is asked about which, and what the answers are worth."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from client.loopback import Answer, Loopback, Seen, loopback
from core.tokens import AUDIENCE, Signer, b64, signer

from usso import APIHeaderConfig, AuthConfig, UserData, UssoAuth, _transport
from usso._native import Request
from usso.exceptions import TokenInvalid, USSOException, VerifierUnavailable

VERIFY = "/api/sso/v1/apikeys/verify"
KEY = "usso_sk_0123456789abcdef"
OTHER = "usso_sk_fedcba9876543210"


@pytest.fixture
def sso() -> Iterator[Loopback]:
    with loopback() as server:
        server.routes[f"POST {VERIFY}"] = known
        yield server


def known(seen: Seen) -> Answer:
    """Knows two keys."""
    key = seen.json()["api_key"]
    if key not in (KEY, OTHER):
        return Answer(401, {"error_code": "api_key.unknown"})
    name = "service:1" if key == KEY else "service:2"
    return Answer(200, {"sub": name, "scopes": ["read:files"], "email": None, "x": {"y": [1]}})


@pytest.fixture
def auth(sso: Loopback) -> UssoAuth[UserData]:
    return keyed(sso)


def keyed(sso: Loopback, **settings: Any) -> UssoAuth[UserData]:
    return UssoAuth(AuthConfig(jwks_url=f"{sso.url}/jwks.json", audience=AUDIENCE, **settings))


def asked(sso: Loopback) -> list[str]:
    """The keys the SSO was asked about. Its own keys may have been fetched meanwhile."""
    assert {(seen.method, seen.path) for seen in sso.seen} <= {
        ("POST", VERIFY),
        ("GET", "/jwks.json"),
    }
    return [seen.json()["api_key"] for seen in sso.to(VERIFY)]


def request(*headers: tuple[str, str | bytes]) -> Request:
    return Request("GET", "/", headers)


def refused(call: Callable[[], Any], status: int = 401) -> str:
    """Gives the code of a refusal. A request that is not sound is one of 400."""
    with pytest.raises(USSOException) as caught:
        call()
    error = caught.value
    expected = 400 if error.error_code.endswith("_malformed") else status
    assert error.status_code == expected, error.error_code
    assert isinstance(error, TokenInvalid if status == 401 else VerifierUnavailable)
    assert KEY not in f"{error!r}{error.body()}{error.headers}"
    return error.error_code


# What is asked.


def test_a_key_is_asked_about_and_names_its_owner(auth: Any, sso: Loopback) -> None:
    user = auth.user_data_from_api_key(KEY)
    assert (user.sub, user.scopes, user.iss) == ("service:1", ["read:files"], sso.url)
    assert user.claims["x"] == {"y": [1]} and "email" not in user.claims
    assert asked(sso) == [KEY]
    assert sso.seen[0].headers["content-type"] == "application/json"


def test_a_key_is_found_in_its_header_and_as_a_bearer(auth: Any, sso: Loopback) -> None:
    for headers in (("X-Api-Key", KEY), ("Authorization", f"Bearer {KEY}")):
        assert auth.authenticate(request(headers)).sub == "service:1"
    assert asked(sso) == [KEY]


FOREIGN = [
    *(
        "Basic dXNlcjpwYXNzd29yZA==",
        "basic dXNlcjpwYXNzd29yZA==",
        "Digest username=u",
        "Negotiate YII=",
    ),
    *(
        "AWS4-HMAC-SHA256 Credential=AKIA/x",
        "ApiKey " + KEY,
        "Token " + KEY,
        "dXNlcjpwYXNzd29yZA==",
        KEY,
    ),
    *("Bearer ghp_16C7e42F292c6912E7710c838347Ae178B4a", "Bearer xoxb-1234-5678-abcdefghijkl"),
    *("Bearer dXNlcjpwYXNzd29yZA==", "Bearer usso_sk_", "Bearer usso_sk", "Bearer usso_sk_short"),
    *("Bearer USSO_SK_0123456789abcdef", "Bearer " + KEY + "!", "Bearer " + KEY + " x", "Bearer"),
    *("Bearer x" + KEY, "Bearer " + KEY + "a" * 600, "Bearer usso_sk_\u00e9\u00e90123456789"),
    *("Bearer eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA", "Bearer a.b", "", " ", "Bearer,Basic x"),
]


@pytest.mark.parametrize("value", FOREIGN)
def test_s3_other_credentials_never_leave_the_process(auth: Any, sso: Loopback, value: str) -> None:
    refused(lambda: auth.authenticate(request(("authorization", value.encode()))))
    assert sso.seen == []


@pytest.mark.parametrize(
    "value", [value.removeprefix("Bearer ") for value in FOREIGN if value.strip()]
)
def test_s3_they_do_not_as_tokens_either(auth: Any, sso: Loopback, value: str) -> None:
    if value != KEY:
        refused(lambda: auth.user_data_from_token(value))
    refused(lambda: auth.user_data_from_token("Bearer " + value))
    assert sso.seen == []


@pytest.mark.parametrize(
    "value", ["secret", "s" * 15, "s" * 513, "a b" * 10, KEY + "\u00e9", KEY + ":"]
)
def test_s3_what_cannot_be_a_key_is_not_sent_from_the_key_s_header_either(
    auth: Any, sso: Loopback, value: str
) -> None:
    refused(lambda: auth.authenticate(request(("x-api-key", value.encode()))))
    refused(lambda: auth.user_data_from_api_key(value))
    assert sso.seen == []


def test_s3_a_signed_token_is_never_sent_as_a_key(auth: Any, sso: Loopback) -> None:
    token = signer("EdDSA").mint(iss=sso.url)
    refused(lambda: auth.user_data_from_api_key(token))
    refused(lambda: auth.authenticate(request(("x-api-key", token))))
    refused(lambda: auth.user_data_from_api_key(f"usso_sk_{b64('{}')}.{b64('{}')}.{b64('x')}"))
    assert sso.seen == []


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNzd29yZA==", f"Bearer {KEY[:-1]}!", "Bearer x"])
def test_a_refused_credential_is_not_replaced_by_a_key(
    auth: Any, sso: Loopback, value: str
) -> None:
    refused(lambda: auth.authenticate(request(("authorization", value), ("x-api-key", KEY))))
    assert sso.seen == []


def test_two_keys_in_one_request_are_refused(auth: Any, sso: Loopback) -> None:
    refused(lambda: auth.authenticate(request(("x-api-key", KEY), ("X-API-KEY", OTHER))))
    assert sso.seen == []


def test_without_a_credential_nobody_is_asked(auth: Any, sso: Loopback) -> None:
    assert auth.authenticate(request(("accept", "*/*"))) is None
    assert sso.seen == []


def test_keys_can_be_switched_off(sso: Loopback) -> None:
    auth = keyed(sso, api_key_header=None)
    for headers in (("x-api-key", KEY), ("authorization", f"Bearer {KEY}")):
        try:
            assert auth.authenticate(request(headers)) is None
        except USSOException as error:
            assert error.status_code == 401
    refused(lambda: auth.user_data_from_api_key(KEY))
    assert sso.seen == []


def test_keys_go_to_the_configured_address_only(sso: Loopback) -> None:
    with loopback() as stranger:
        stranger.routes["POST /check"] = known
        header = APIHeaderConfig(
            header_name="x-key", prefixes=["acme_"], verify_endpoint=f"{stranger.url}/check"
        )
        auth = keyed(sso, api_key_header=header)
        assert auth.authenticate(request(("x-key", KEY))).sub == "service:1"
        refused(lambda: auth.authenticate(request(("authorization", "Bearer acme_0123456789abc"))))
        assert auth.authenticate(request(("x-api-key", OTHER))) is None
        assert [seen.path for seen in stranger.seen] == ["/check", "/check"]
    assert sso.seen == []


def test_a_redirect_is_not_followed(auth: Any, sso: Loopback) -> None:
    with loopback() as stranger:
        for status in (301, 302, 307, 308):
            moved = Answer(status, {}, {"Location": f"{stranger.url}{VERIFY}"})
            sso.routes[f"POST {VERIFY}"] = moved
            key = f"usso_sk_{status:016}"
            code = refused(lambda key=key: auth.user_data_from_api_key(key), 503)
            assert code == "opaque.unavailable"
        assert stranger.seen == []


# What the answers are worth.


def test_a_verdict_is_remembered_and_forgotten_when_told_so(auth: Any, sso: Loopback) -> None:
    for _ in range(5):
        assert auth.user_data_from_api_key(KEY).sub == "service:1"
    assert asked(sso) == [KEY]
    auth.verifier.native.clear_cache()
    assert auth.user_data_from_api_key(KEY).sub == "service:1"
    assert asked(sso) == [KEY, KEY]


def test_a_bad_key_is_asked_about_once(auth: Any, sso: Loopback) -> None:
    bad = "usso_sk_aaaaaaaaaaaaaaaa"
    for _ in range(10):
        assert refused(lambda: auth.user_data_from_api_key(bad)) == "opaque.inactive"
    assert asked(sso) == [bad]


def test_ten_bad_keys_are_ten_questions_and_do_not_displace_a_good_one(
    auth: Any, sso: Loopback
) -> None:
    assert auth.user_data_from_api_key(KEY).sub == "service:1"
    bad = [f"usso_sk_{number:016}" for number in range(10)]
    for key in bad * 3:
        refused(lambda key=key: auth.user_data_from_api_key(key))
    assert auth.user_data_from_api_key(KEY).sub == "service:1"
    assert asked(sso) == [KEY, *bad]


def test_the_verdict_on_one_key_is_not_that_on_another(auth: Any) -> None:
    for _ in range(2):
        assert auth.user_data_from_api_key(KEY).sub == "service:1"
        assert auth.user_data_from_api_key(OTHER).sub == "service:2"
        refused(lambda: auth.user_data_from_api_key(KEY + "0"))
        refused(lambda: auth.user_data_from_api_key(KEY[:-1]))


def test_s10_each_call_gives_a_user_of_its_own(auth: Any, sso: Loopback) -> None:
    first = auth.user_data_from_api_key(KEY)
    first.scopes.append("*:*")
    first.claims["x"]["y"].append(2)
    first.sub = "service:2"
    again = auth.user_data_from_api_key(KEY)
    assert (again.sub, again.scopes, again.claims["x"]) == ("service:1", ["read:files"], {"y": [1]})
    assert asked(sso) == [KEY]


PAST, FUTURE = int(time.time()) - 3600, int(time.time()) + 3600


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"valid": False}, (401, "opaque.inactive")),
        (200, {"valid": False, "sub": "service:1"}, (401, "opaque.inactive")),
        (200, {"active": False, "sub": "service:1"}, (401, "opaque.inactive")),
        (200, {"valid": "no", "sub": "service:1"}, (503, "opaque.unavailable")),
        (200, {}, (401, "opaque.subject")),
        (200, {"sub": ""}, (401, "opaque.subject")),
        (200, {"sub": None}, (401, "opaque.subject")),
        (200, {"sub": 7}, (503, "opaque.unavailable")),
        (200, {"sub": "service:1", "iss": "https://evil.example"}, (401, "opaque.issuer")),
        (200, {"sub": "service:1", "exp": PAST}, (401, "opaque.expired")),
        (200, {"sub": "service:1", "nbf": FUTURE}, (401, "opaque.not_yet_valid")),
        (200, {"sub": "service:1", "scopes": "*:*"}, (503, "opaque.unavailable")),
        (200, {"sub": "service:1", "x": "x" * 20_000}, (503, "opaque.unavailable")),
        (200, b'{"sub":"service:1","sub":"service:2"}', (503, "opaque.unavailable")),
        (200, b"<html>Sign in</html>", (503, "opaque.unavailable")),
        (200, b"\xff\xfe", (503, "opaque.unavailable")),
        (200, b"", (503, "opaque.unavailable")),
        (200, ["sub"], (503, "opaque.unavailable")),
        (200, None, (503, "opaque.unavailable")),
        (201, {"sub": "service:1"}, (503, "opaque.unavailable")),
        (204, b"", (503, "opaque.unavailable")),
        (401, {}, (401, "opaque.inactive")),
        (403, {"error_code": "api_key.revoked"}, (401, "opaque.inactive")),
        (403, b"<html>gateway</html>", (503, "opaque.unavailable")),
        (404, {"error_code": "api_key.unknown"}, (401, "opaque.inactive")),
        (404, {}, (503, "opaque.unavailable")),
        (429, {}, (503, "opaque.unavailable")),
        (500, {"error_code": "x"}, (503, "opaque.unavailable")),
        (503, {}, (503, "opaque.unavailable")),
        (None, {}, (503, "opaque.unavailable")),
    ],
    ids=str,
)
def test_s10_an_answer_that_names_nobody_lets_nobody_in(
    auth: Any, sso: Loopback, status: int | None, body: Any, expected: tuple[int, str]
) -> None:
    sso.routes[f"POST {VERIFY}"] = Answer(status, body)
    for call in (
        lambda: auth.user_data_from_api_key(KEY),
        lambda: asyncio.run(auth.user_data_from_api_key_async(KEY)),
        lambda: auth.authenticate(request(("x-api-key", KEY))),
    ):
        assert refused(call, expected[0]) == expected[1]


def test_an_outage_is_no_verdict_and_is_over_when_it_is_over(auth: Any, sso: Loopback) -> None:
    sso.routes[f"POST {VERIFY}"] = Answer(500)
    assert refused(lambda: auth.user_data_from_api_key(KEY), 503) == "opaque.unavailable"
    sso.routes[f"POST {VERIFY}"] = known
    assert auth.user_data_from_api_key(KEY).sub == "service:1"


def test_a_verdict_outlives_no_outage_of_its_own(auth: Any, sso: Loopback) -> None:
    end = int(time.time()) + 2
    sso.routes[f"POST {VERIFY}"] = Answer(200, {"sub": "service:1", "exp": end})
    assert auth.user_data_from_api_key(KEY).sub == "service:1"
    sso.routes[f"POST {VERIFY}"] = Answer(500)
    while time.time() < end:
        pass  # The clock is the machine's.
    refused(lambda: auth.user_data_from_api_key(KEY), 503)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second instead of five."""
    monkeypatch.setattr(_transport, "SECONDS", 0.5)


@pytest.fixture
def stuck(sso: Loopback, short: None) -> Iterator[threading.Event]:
    """Has the SSO answer nothing until the event is set."""
    release = threading.Event()

    def wait(seen: Seen) -> Answer:
        release.wait(30)
        return known(seen)

    sso.routes[f"POST {VERIFY}"] = wait
    yield release
    release.set()


@pytest.mark.usefixtures("stuck")
def test_an_sso_that_says_nothing_is_given_up(auth: Any) -> None:
    started = time.monotonic()
    assert refused(lambda: auth.user_data_from_api_key(KEY), 503) == "opaque.unavailable"
    assert 0.4 < time.monotonic() - started < 3


@pytest.mark.usefixtures("stuck")
def test_an_sso_that_says_nothing_does_not_hold_up_others(auth: Any) -> None:
    async def run() -> list[float]:
        asking = asyncio.ensure_future(auth.user_data_from_api_key_async(KEY))
        loop = asyncio.get_running_loop()
        late = []
        while not asking.done():
            before = loop.time()
            await asyncio.sleep(0.005)
            late.append(loop.time() - before)
        with pytest.raises(VerifierUnavailable):
            await asking
        return late

    late = asyncio.run(run())
    assert len(late) > 20 and sorted(late)[len(late) * 9 // 10] < 0.1


def test_an_endless_answer_is_cut_off(auth: Any, sso: Loopback, short: None) -> None:
    sso.routes[f"POST {VERIFY}"] = Answer(200, b" " * 5_000_000)
    assert refused(lambda: auth.user_data_from_api_key(KEY), 503) == "opaque.unavailable"


@pytest.mark.parametrize("workers", [1, 24])
def test_one_key_asked_about_at_once_is_one_question(
    auth: Any, sso: Loopback, workers: int
) -> None:
    with ThreadPoolExecutor(workers) as pool:
        users = list(pool.map(auth.user_data_from_api_key, [KEY] * 24))
    assert [user.sub for user in users] == ["service:1"] * 24
    assert asked(sso) == [KEY]


def test_one_key_asked_about_by_many_coroutines_is_one_question(auth: Any, sso: Loopback) -> None:
    async def run() -> list[UserData]:
        return await asyncio.gather(*(auth.user_data_from_api_key_async(KEY) for _ in range(24)))

    assert [user.sub for user in asyncio.run(run())] == ["service:1"] * 24
    assert asked(sso) == [KEY]


def test_a_good_token_needs_no_question(sso: Loopback) -> None:
    one: Signer = signer("EdDSA")
    sso.routes["GET /jwks.json"] = Answer(200, one.jwks)
    auth = keyed(sso)
    token = one.mint(iss=sso.url)
    assert auth.authenticate(request(("authorization", f"Bearer {token}"))).sub == "user:1"
    assert [seen.path for seen in sso.seen] == ["/jwks.json"]
