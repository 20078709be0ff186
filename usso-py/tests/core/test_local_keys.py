"""API keys that the app looks up itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any

import pytest
from core.tokens import ISSUER, signer

from usso import APIHeaderConfig, UserData, UssoAuth, _verifier
from usso._native import Request
from usso.exceptions import PermissionDenied, TokenInvalid, USSOException, VerifierUnavailable

KEY = "usso_sk_0123456789abcdef"


def local(
    verifier: Callable[[str], Any] | None = None,
    verifier_async: Callable[[str], Any] | None = None,
    **settings: Any,
) -> UssoAuth[UserData]:
    header = APIHeaderConfig(
        api_key_verifier=verifier, api_key_verifier_async=verifier_async, **settings
    )
    return signer("EdDSA").auth(api_key_header=header)


def owner(key: str) -> UserData | None:
    return UserData(sub="service:1", scopes=["read:files"]) if key == KEY else None


async def owner_async(key: str) -> UserData | None:
    await asyncio.sleep(0)
    return owner(key)


WAYS = {"sync": (owner, None), "async": (None, owner_async), "both": (owner, owner_async)}


def ask_async(auth: UssoAuth[UserData], key: str = KEY) -> UserData:
    return asyncio.run(auth.user_data_from_api_key_async(key))


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Callable[..., UserData]]:
    """Asks about a key, blocking or in an event loop."""
    if request.param == "async":
        yield ask_async
    else:
        yield lambda auth, key=KEY: auth.user_data_from_api_key(key)


def test_the_app_says_whose_a_key_is(ask: Any) -> None:
    auth = local(owner, owner_async)
    user = ask(auth)
    assert (user.sub, user.scopes, user.iss) == ("service:1", ["read:files"], ISSUER)
    with pytest.raises(TokenInvalid) as caught:
        ask(auth, KEY[:-1])
    assert caught.value.error_code == "opaque.inactive"


@pytest.mark.parametrize("way", ["sync", "both"])
def test_a_request_is_let_in_by_its_key(way: str) -> None:
    request = Request("GET", "/", [("x-api-key", KEY)])
    caller = local(*WAYS[way]).authenticate(request)
    assert caller is not None and caller.can("read", "files") and not caller.can("delete", "files")


@pytest.mark.parametrize("way", WAYS)
def test_a_request_is_let_in_by_its_key_in_an_event_loop(way: str) -> None:
    request = Request("GET", "/", [("authorization", f"Bearer {KEY}")])
    caller = asyncio.run(local(*WAYS[way]).aauthenticate(request))
    assert caller is not None and caller.sub == "service:1"


def test_the_app_is_not_asked_about_what_is_no_key(ask: Any) -> None:
    seen: list[str] = []
    auth = local(seen.append, None)
    for text in ("short", "a b" * 9, "\u00e9" * 20, "x" * 600, signer("EdDSA").mint()):
        with pytest.raises(TokenInvalid):
            ask(auth, text)
    with pytest.raises(TokenInvalid):
        auth.verify("ghp_16C7e42F292c6912E7710c838347Ae178B4a")
    assert seen == []


def test_own_prefixes_are_recognised_as_bearers() -> None:
    auth = local(lambda key: UserData(sub=key), None, prefixes=["acme_"])
    request = Request("GET", "/", [("authorization", "Bearer acme_0123456789abcdef")])
    caller = auth.authenticate(request)
    assert caller is not None and caller.sub == "acme_0123456789abcdef"


def test_one_key_is_looked_up_once(ask: Any) -> None:
    seen: list[str] = []

    def look_up(key: str) -> UserData | None:
        seen.append(key)
        return owner(key)

    auth = local(look_up)
    for _ in range(3):
        assert ask(auth).sub == "service:1"
        with pytest.raises(TokenInvalid):
            ask(auth, KEY + "0")
    assert seen == [KEY, KEY + "0"]


def test_each_call_gives_a_user_of_its_own(ask: Any) -> None:
    mine = UserData(sub="service:1", scopes=["read:files"], x={"y": [1]})  # type: ignore[call-arg]
    auth = local(lambda key: mine)
    first = ask(auth)
    assert first is not mine
    first.scopes.append("*:*")
    first.claims["x"]["y"].append(2)
    mine.scopes.append("delete:*")
    assert (ask(auth).scopes, ask(auth).claims["x"]) == (["read:files"], {"y": [1]})
    assert mine.scopes == ["read:files", "delete:*"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_exception_that_refuses_is_a_refusal(ask: Any, status: int) -> None:
    def look_up(key: str) -> UserData:
        raise USSOException(status, "no_such_key")

    with pytest.raises(TokenInvalid) as caught:
        ask(local(look_up))
    assert caught.value.error_code == "opaque.inactive"


def test_permission_denied_is_a_refusal(ask: Any) -> None:
    def look_up(key: str) -> UserData:
        raise PermissionDenied

    with pytest.raises(TokenInvalid):
        ask(local(look_up))


@pytest.mark.parametrize(
    "failure",
    [ValueError(KEY), OSError("db"), TypeError(KEY), USSOException(500, "x"), TimeoutError()],
)
def test_a_failure_of_the_app_is_no_verdict_and_is_not_remembered(
    ask: Any, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [failure]

    def look_up(key: str) -> UserData | None:
        if failures:
            raise failures.pop()
        return owner(key)

    auth = local(look_up)
    with pytest.raises(VerifierUnavailable) as caught:
        ask(auth)
    assert (caught.value.status_code, caught.value.error_code) == (503, "opaque.unavailable")
    assert type(failure).__name__ in caplog.text and KEY not in caplog.text
    assert ask(auth).sub == "service:1"


@pytest.mark.parametrize(
    ("user", "code"),
    [
        (UserData(), "opaque.subject"),
        (UserData(sub=""), "opaque.subject"),
        (UserData(sub="x", exp=1), "opaque.expired"),
        (UserData(sub="x", iss="https://evil.example"), "opaque.issuer"),
    ],
)
def test_a_user_that_names_nobody_lets_nobody_in(ask: Any, user: UserData, code: str) -> None:
    with pytest.raises(TokenInvalid) as caught:
        ask(local(lambda key: user))
    assert caught.value.error_code == code


WRONG: dict[str, Any] = {
    **{"true": True, "text": "user:1", "dict": {"sub": "user:1"}, "object": object(), "number": 7},
    "nan": UserData(sub="x", y=float("nan")),  # type: ignore[call-arg]
    "infinity": UserData(sub="x", y=float("inf")),  # type: ignore[call-arg]
    "surrogate": UserData(sub="x", y="\ud800"),  # type: ignore[call-arg]
    "huge": UserData(sub="x", y=10**400),  # type: ignore[call-arg]
    "deep": UserData(sub="x", y=reduce(lambda inner, _: [inner], range(500), [])),  # type: ignore[call-arg]
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_user_is_a_failure_of_the_app_and_blocks_nobody(
    ask: Any, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_verifier, "WAIT", 0.5)
    found = [WRONG[wrong]]
    auth = local(lambda key: found.pop() if found else owner(key))
    with pytest.raises((VerifierUnavailable, TokenInvalid)):
        ask(auth)
    assert ask(auth).sub == "service:1"


def test_claims_that_are_no_json_are_a_failure_of_the_app(
    ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    user = UserData(sub="x", y=object())  # type: ignore[call-arg]
    with pytest.raises(VerifierUnavailable):
        ask(local(lambda key: user))
    assert "JSON" in caplog.text


def test_an_async_verifier_alone_cannot_be_called_without_a_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    auth = local(None, owner_async)
    with caplog.at_level(logging.ERROR), pytest.raises(VerifierUnavailable):
        auth.user_data_from_api_key(KEY)
    assert "api_key_verifier" in caplog.text
    assert ask_async(auth).sub == "service:1"


def test_a_slow_verifier_does_not_hold_up_the_event_loop() -> None:
    release = threading.Event()

    def look_up(key: str) -> UserData | None:
        release.wait(10)
        return owner(key)

    async def run() -> UserData:
        asking = asyncio.ensure_future(local(look_up).user_data_from_api_key_async(KEY))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not asking.done()
        release.set()
        return await asking

    assert asyncio.run(run()).sub == "service:1"


def test_a_key_asked_about_at_once_is_looked_up_once() -> None:
    seen: list[str] = []
    both = threading.Barrier(2, timeout=10)

    def look_up(key: str) -> UserData | None:
        seen.append(key)
        both.wait()
        return owner(key)

    auth = local(look_up)
    with ThreadPoolExecutor(16) as pool:
        users = [pool.submit(auth.user_data_from_api_key, KEY) for _ in range(16)]
        both.wait()
        assert {user.result(10).sub for user in users} == {"service:1"}
    assert seen == [KEY]


def test_coroutines_that_ask_at_once_share_one_lookup() -> None:
    seen: list[str] = []

    async def look_up(key: str) -> UserData | None:
        seen.append(key)
        for _ in range(10):
            await asyncio.sleep(0)
        return owner(key)

    async def run() -> list[UserData]:
        auth = local(None, look_up)
        return await asyncio.gather(*(auth.user_data_from_api_key_async(KEY) for _ in range(16)))

    assert [user.sub for user in asyncio.run(run())] == ["service:1"] * 16
    assert seen == [KEY]


def test_one_that_is_cancelled_while_looking_up_does_not_break_the_others() -> None:
    calls: list[str] = []

    async def run() -> UserData:
        entered, forever = asyncio.Event(), asyncio.Event()

        async def look_up(key: str) -> UserData | None:
            calls.append(key)
            entered.set()
            await forever.wait()
            return owner(key)

        auth = local(None, look_up)
        first = asyncio.ensure_future(auth.user_data_from_api_key_async(KEY))
        await entered.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        # The lookup goes on: it says nothing about the key that who asked gave up.
        forever.set()
        return await asyncio.wait_for(auth.user_data_from_api_key_async(KEY), 5)

    assert asyncio.run(run()).sub == "service:1"
    assert calls == [KEY]


def test_a_lookup_that_finds_nothing_may_raise_so(ask: Any) -> None:
    keys = {KEY: owner(KEY)}
    auth = local(lambda key: keys[key])
    assert ask(auth).sub == "service:1"
    for number in range(10):
        with pytest.raises(TokenInvalid):
            auth.user_data_from_api_key(f"usso_sk_0123456789abcdef{number}")
    # Keys that anyone can make up switch nobody off.
    auth.verifier.native.clear_cache()
    assert ask(auth).sub == "service:1"


def test_failures_at_made_up_keys_switch_nobody_off() -> None:
    def look_up(key: str) -> UserData:
        if key != KEY:
            raise ValueError(key)
        return owner(key)

    auth = local(look_up)
    for number in range(10):
        with pytest.raises(VerifierUnavailable):
            auth.user_data_from_api_key(f"usso_sk_0123456789abcdef{number}")
    assert auth.user_data_from_api_key(KEY).sub == "service:1"


def test_what_the_app_takes_away_does_not_come_back(ask: Any) -> None:
    def look_up(key: str) -> UserData:
        user = UserData(sub="service:1", tenant_id="a", workspace_id="w", acr="high")
        user.workspace_id = user.acr = None
        return user

    user = ask(local(look_up))
    assert (user.tenant_id, user.workspace_id, user.acr) == ("a", None, None)
