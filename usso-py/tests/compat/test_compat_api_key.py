"""API keys that the SSO is asked about (S3, S10)."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable

import pytest
from compat.compat_server import Server

from usso.api_key import fetch_api_key_data, fetch_api_key_data_async
from usso.exceptions import USSOException
from usso.user import UserData
from usso_jwt import _http

KEY = "usso_sk_0123456789"


def _blocking(url: str, key: str) -> UserData:
    return fetch_api_key_data(url, key)


def _awaited(url: str, key: str) -> UserData:
    return asyncio.run(fetch_api_key_data_async(url, key))


Asking = Callable[[str, str], UserData]


@pytest.fixture(params=[_blocking, _awaited], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Asking:
    return request.param


def refused(ask: Asking, url: str, key: str = KEY) -> USSOException:
    with pytest.raises(USSOException) as caught:
        ask(url, key)
    return caught.value


def test_a_key_is_sent_to_exactly_the_address_and_tells_the_caller(
    ask: Asking, server: Server
) -> None:
    server.json(200, '{"sub": "service:1", "scopes": ["read:files"], "color": "red", "exp": null}')
    user = ask(server.url + "/verify?x=1", KEY)
    assert (user.sub, user.scopes, user.claims["color"]) == ("service:1", ["read:files"], "red")
    ((method, path, headers, body),) = server.requests
    assert (method, path, json.loads(body)) == ("POST", "/verify?x=1", {"api_key": KEY})
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "body",
    [
        '{"valid": false, "sub": "service:1"}',
        '{"active": false, "sub": "service:1"}',
        '{"valid": true, "active": false, "sub": "service:1"}',
        "{}",
        '{"sub": ""}',
        '{"sub": null}',
        '{"sub": 5}',
        '{"uid": "service:1"}',
        '{"sub": "service:1", "exp": 1}',
    ],
)
def test_an_answer_that_names_nobody_or_says_no_is_a_refusal(
    ask: Asking, server: Server, body: str
) -> None:
    server.json(200, body)
    assert refused(ask, server.url).status_code == 401


@pytest.mark.parametrize("flag", ["0", '"false"', "1", "[]"])
def test_a_flag_that_is_no_boolean_is_no_answer(ask: Asking, server: Server, flag: str) -> None:
    server.json(200, '{"sub": "service:1", "valid": ' + flag + "}")
    assert refused(ask, server.url).status_code == 503


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_a_refusal(ask: Asking, server: Server, status: int) -> None:
    server.json(status, '{"sub": "service:1"}')
    error = refused(ask, server.url)
    assert (error.status_code, error.error_code) == (401, "opaque.inactive")


def test_usso_s_own_422_is_a_refusal(ask: Asking, server: Server) -> None:
    server.json(422, '{"error_code": "invalid"}')
    assert refused(ask, server.url).status_code == 401
    server.json(422, "{}")
    assert refused(ask, server.url).status_code == 503


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "{}"),
        (502, "<html>"),
        (429, "{}"),
        (201, '{"sub": "service:1"}'),
        (204, ""),
        (302, '{"sub": "service:1"}'),
        (200, ""),
        (200, "null"),
        (200, '["sub"]'),
        (200, '"sub"'),
        (200, "[" * 100_000),
        (200, '{"sub": "service:1", "scopes": 5}'),
        (200, '{"sub": "service:1", "iat": "yesterday"}'),
        (200, '{"sub": "service:1", "exp": "1"}'),
        (200, '{"sub": "service:1", "exp": NaN}'),
        (200, '{"sub": "\\ud800"}'),
        (200, '{"sub": "service:1", "x": "' + "x" * (2 << 20) + '"}'),
    ],
    ids=range(17),
)
def test_any_other_answer_is_an_outage(ask: Asking, server: Server, status: int, body: str) -> None:
    server.json(status, body)
    error = refused(ask, server.url)
    assert (error.status_code, error.error_code) == (503, "opaque.unavailable")


def test_a_redirect_does_not_take_the_key_elsewhere(ask: Asking, server: Server) -> None:
    server.answer = lambda: (307, {"location": server.url + "/elsewhere"}, b"")
    assert refused(ask, server.url + "/verify").status_code == 503
    assert [path for _, path, _, _ in server.requests] == ["/verify"]


def test_an_answer_that_is_packed_is_not_unpacked(ask: Asking, server: Server) -> None:
    packed = gzip.compress(b'{"sub": "service:1"}')
    server.answer = lambda: (200, {"content-encoding": "gzip"}, packed)
    assert refused(ask, server.url).status_code == 503


def test_nobody_there_is_an_outage(ask: Asking) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert refused(ask, url).status_code == 503


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        "x" * 15,
        "x" * 513,
        "Basic dXNlcjpwYXNzd29yZA==",
        "usso_sk_0123456789\n",
        "usso_sk_0123456789 ",
        "usso_sk_=0123456789",
        "usso_sk_01234567é9",
        "================",
        None,
        b"usso_sk_0123456789",
    ],
)
def test_what_is_no_key_is_not_sent(ask: Asking, server: Server, key: object) -> None:
    server.json(200, '{"sub": "service:1"}')
    assert refused(ask, server.url, key).status_code == 401  # type: ignore[arg-type]
    assert server.requests == []


@pytest.mark.parametrize("key", ["x" * 16, "x" * 512, "-._~+/0123456789=="])
def test_what_may_be_a_key_is_sent(ask: Asking, server: Server, key: str) -> None:
    server.json(200, '{"sub": "service:1"}')
    assert ask(server.url, key).sub == "service:1"


@pytest.mark.parametrize(
    "url",
    [
        "http://sso.example/verify",
        "http://127.0.0.1.evil.example/",
        "http://0x08080808/",
        "http://134744072/",
        "http://8.8.8.8/",
        "http://[2001:db8::1]/",
        "ftp://localhost/",
        "localhost",
        "//localhost/",
        "https://",
        "https://user:password@sso.example/",
        "https://sso.example\\@evil.example/",
        "https://sso.example/#x",
        "https://sso.example/a b",
        "https://sso.example:99999/",
        "https://[::1/",
        "",
    ],
)
def test_an_address_that_others_could_read_along_is_an_error(ask: Asking, url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        ask(url, KEY)


def test_the_key_is_in_no_error(ask: Asking, server: Server) -> None:
    server.json(500, KEY)
    error = refused(ask, server.url)
    assert KEY not in f"{error} {error!r} {error.message} {error.detail} {error.__context__!r}"


def test_results_are_not_shared(ask: Asking, server: Server) -> None:
    server.json(200, '{"sub": "service:1", "scopes": ["read:files"]}')
    ask(server.url, KEY).scopes.append("*:*")
    assert ask(server.url, KEY).scopes == ["read:files"]


def test_a_key_that_was_revoked_is_out_at_once(ask: Asking, server: Server) -> None:
    server.json(200, '{"sub": "service:1"}')
    assert ask(server.url, KEY).sub == "service:1"
    server.json(401, "{}")
    assert refused(ask, server.url).status_code == 401


def test_a_key_for_a_host_nearby_does_not_pass_a_proxy(
    ask: Asking, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROXY", "http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.json(200, '{"sub": "service:1"}')
    assert ask(server.url, KEY).sub == "service:1"


def test_an_sso_that_does_not_answer_is_an_outage(
    ask: Asking, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_enough = threading.Event()

    def hang() -> tuple[int, dict[str, str], bytes]:
        asked_enough.wait(30)
        return 200, {}, b'{"sub": "service:1"}'

    server.answer = hang
    monkeypatch.setattr(_http, "TIMEOUT", 0.1)
    try:
        assert refused(ask, server.url).status_code == 503
    finally:
        asked_enough.set()
