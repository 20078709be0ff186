"""`fetch_jwk`: one key of a published set."""

from __future__ import annotations

import json
import threading

import pytest
from compat.compat_server import Server

from usso import _native
from usso.exceptions import USSOException
from usso_jwt import _jwks
from usso_jwt.exceptions import JWKNotFoundError
from usso_jwt.verify import fetch_jwk


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
