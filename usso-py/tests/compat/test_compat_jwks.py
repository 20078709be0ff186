"""`fetch_jwk`: one key of a published set."""

from __future__ import annotations

import json
import threading
from uuid import uuid4

import pytest
from client.forked import SOON, Child
from compat.compat_server import Server

from usso import _native
from usso.exceptions import USSOException
from usso_jwt import _jwks
from usso_jwt.exceptions import JWKNotFoundError
from usso_jwt.verify import fetch_jwk

BAD_PROXIES = ["http://user:hunt/er2@proxy:80", "gopher://user:12/hunter2@proxy:80"]


def test_a_key_is_found_by_its_name(issuer: _native.TestIssuer, server: Server) -> None:
    server.json(200, json.dumps(issuer.jwks()))
    url = server.url + "/jwks"
    assert fetch_jwk(jwks_url=url, kid=issuer.kid)["kid"] == issuer.kid
    assert fetch_jwk(jwks_url=url, kid=issuer.kid)["kty"] == "OKP"
    assert len(server.requests) == 1


def test_unknown_names_do_not_cost_a_request_each(
    issuer: _native.TestIssuer, server: Server
) -> None:
    server.json(200, json.dumps(issuer.jwks()))
    for number in range(50):
        with pytest.raises(JWKNotFoundError):
            fetch_jwk(jwks_url=server.url + "/jwks", kid=f"unknown-{number}")
    assert len(server.requests) == 1


def test_a_key_that_is_new_is_found_after_the_cooldown(
    issuer: _native.TestIssuer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.json(200, json.dumps(issuer.jwks()))
    url = server.url + "/jwks"
    fetch_jwk(jwks_url=url, kid=issuer.kid)
    kid = issuer.rotate()
    server.json(200, json.dumps(issuer.jwks()))
    with pytest.raises(JWKNotFoundError):
        fetch_jwk(jwks_url=url, kid=kid)
    monkeypatch.setattr(_jwks, "_COOLDOWN", 0.0)
    assert fetch_jwk(jwks_url=url, kid=kid)["kid"] == kid


def test_many_at_once_share_one_request(issuer: _native.TestIssuer, server: Server) -> None:
    server.json(200, json.dumps(issuer.jwks()))
    found: list[str] = []
    url = server.url + "/jwks"
    threads = [
        threading.Thread(
            target=lambda: found.append(fetch_jwk(jwks_url=url, kid=issuer.kid)["kid"])
        )
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [issuer.kid] * 16
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, '{"keys": []}'), (302, ""), (200, "x"), (200, "[]"), (200, '{"keys": {}}')],
)
def test_an_outage_is_told_and_not_asked_about_again(
    server: Server, status: int, body: str
) -> None:
    server.json(status, body)
    for _ in range(3):
        with pytest.raises(USSOException) as caught:
            fetch_jwk(jwks_url=server.url + "/jwks", kid="a")
        assert caught.value.status_code == 503
    assert len(server.requests) == 1


def test_a_set_without_a_usable_key_has_none(server: Server) -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "a"}
    server.json(200, json.dumps({"keys": [None, 1, {}, secret]}))
    with pytest.raises(JWKNotFoundError):
        fetch_jwk(jwks_url=server.url + "/jwks", kid="a")


def test_a_set_of_any_size_is_not_read(server: Server) -> None:
    server.json(200, '{"keys": [' + " " * (2 << 20) + "]}")
    with pytest.raises(USSOException) as caught:
        fetch_jwk(jwks_url=server.url + "/jwks", kid="a")
    assert caught.value.status_code == 503


def test_a_redirect_is_not_followed(issuer: _native.TestIssuer, server: Server) -> None:
    elsewhere = {"location": server.url + "/elsewhere"}
    server.answer = lambda: (302, elsewhere, b"")
    with pytest.raises(USSOException):
        fetch_jwk(jwks_url=server.url + "/jwks", kid="a")
    assert [path for _, path, _, _ in server.requests] == ["/jwks"]


@pytest.mark.parametrize("url", ["http://sso.example/jwks", "file:///etc/passwd", "", "sso"])
def test_an_address_that_is_not_https_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        fetch_jwk(jwks_url=url, kid="a")


def test_a_child_forked_during_a_fetch_fetches_by_itself(
    issuer: _native.TestIssuer, server: Server
) -> None:
    arrived, over = threading.Event(), threading.Event()
    keys = json.dumps(issuer.jwks()).encode()
    url = server.url + "/jwks"

    def slowly() -> tuple[int, dict[str, str], bytes]:
        if not arrived.is_set():
            arrived.set()
            over.wait(3 * SOON)
        return 200, {}, keys

    def fetch() -> str:
        return fetch_jwk(jwks_url=url, kid=issuer.kid)["kid"]

    server.answer = slowly
    thread = threading.Thread(target=fetch)
    thread.start()
    try:
        assert arrived.wait(SOON)
        assert Child(fetch).says() == issuer.kid
    finally:
        over.set()
        thread.join()


def test_a_child_forked_while_the_sets_are_locked_is_not_stuck(
    issuer: _native.TestIssuer, server: Server
) -> None:
    server.json(200, json.dumps(issuer.jwks()))
    url = server.url + "/jwks"
    fetch_jwk(jwks_url=url, kid=issuer.kid)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with _jwks._lock, _jwks._sets[url].lock:
            held.set()
            over.wait(3 * SOON)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(SOON)
        child = Child(lambda: fetch_jwk(jwks_url=url, kid=issuer.kid)["kid"])
        assert child.says() == issuer.kid
    finally:
        over.set()
        thread.join()
    # A set that was complete is kept.
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url", ["http://sso%2eevil%2ecom/", "http://sso\u3002evil\u3002com/", "http://s%73o/"]
)
def test_a_host_that_is_written_another_way_is_no_container(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        fetch_jwk(jwks_url=url, kid="a")


def test_keys_from_a_host_nearby_do_not_pass_a_proxy(
    issuer: _native.TestIssuer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROXY", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    server.json(200, json.dumps(issuer.jwks()))
    assert fetch_jwk(jwks_url=server.url + "/jwks", kid=issuer.kid)["kid"] == issuer.kid


@pytest.mark.parametrize("name", ["PROXY", "https_proxy"])
@pytest.mark.parametrize("proxy", BAD_PROXIES)
def test_the_password_of_a_proxy_is_in_no_error_and_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, proxy: str
) -> None:
    monkeypatch.setenv(name, proxy)
    caplog.set_level(0)
    with pytest.raises(USSOException) as caught:
        fetch_jwk(jwks_url=f"https://sso.example/{uuid4()}", kid="a")
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunt" not in f"{error} {error!r}"
        error = error.__context__
    assert "the address of a proxy" in caplog.text
    assert "hunt" not in caplog.text
