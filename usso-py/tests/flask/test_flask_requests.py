"""Cookies, headers of good answers, proofs of DPoP, and issuers that are down or change keys."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
import table
from flask import Blueprint, Flask, make_response

from usso import _native
from usso.auth import UssoAuth
from usso.integrations.flask import USSO, current_user
from usso.testing import Issuer

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def client(app, usso, serve) -> httpx.Client:
    """Of an app with one address, `/me`."""
    app.add_url_rule("/me", view_func=usso.required(lambda: "in"), methods=["GET", "POST"])
    return serve(app)


def cookie(issuer: Issuer) -> dict[str, str]:
    return {"Cookie": f"usso-access-token={issuer.mint()}"}


def test_a_cookie_changes_nothing_from_another_page(client, issuer) -> None:
    assert client.get("/me", headers=cookie(issuer)).text == "in"
    assert client.post("/me", headers=cookie(issuer) | OWN_PAGE).text == "in"
    for page in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        refused = client.post("/me", headers=cookie(issuer) | page)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "request.cross_site")


def test_a_second_origin_is_seen_although_wsgi_joins_them(client, issuer) -> None:
    headers = [*(cookie(issuer) | OWN_PAGE).items(), ("Origin", "https://sso.example")]
    assert client.post("/me", headers=headers).text == "in"
    headers.append(("Origin", "https://evil.example"))
    assert client.post("/me", headers=headers).status_code == 403


def test_a_bad_header_is_not_made_up_for_by_a_good_cookie(client, issuer) -> None:
    headers = {**cookie(issuer), "Authorization": f"Bearer {issuer.expired()}"}
    assert client.get("/me", headers=headers).status_code == 401


def test_answers_to_cookies_are_private(client, issuer) -> None:
    by_cookie = client.get("/me", headers=cookie(issuer))
    by_header = client.get("/me", headers=issuer.authorization())
    assert by_cookie.headers["cache-control"] == "private"
    assert "cache-control" not in by_header.headers


def test_answers_that_depend_on_whether_one_is_known_vary(app, usso, issuer, serve) -> None:
    @app.get("/")
    @usso.optional
    def greet() -> Any:
        response = make_response("hello")
        response.headers["Cache-Control"] = "no-cache"
        response.vary.add("Accept-Language")
        return response

    answer = serve(app).get("/", headers=cookie(issuer))
    varies = {part.strip().lower() for part in answer.headers["vary"].split(",")}
    assert varies == {"accept-language", "authorization", "cookie", "x-api-key"}
    assert answer.headers["cache-control"] == "no-cache"


def dpop_request() -> tuple[_native.TestIssuer, list[tuple[str, str]]]:
    """Gives an issuer, and a request with a proof for `GET https://api.example/me`."""
    issuer = _native.TestIssuer(table.ISSUER)
    cases = _native.request_table(issuer)
    found = next(c for c in cases if c.name == "a bound token with its proof is let in")
    return issuer, found.headers


def test_two_guards_of_one_request_use_a_proof_once(app, serve) -> None:
    issuer, headers = dpop_request()
    usso, part = USSO(app, table.config(issuer)), Blueprint("part", __name__)
    usso.protect(part)
    part.add_url_rule("/me", view_func=usso.required(lambda: current_user.sub), endpoint="me")
    app.register_blueprint(part)
    client = serve(app)
    assert client.get("/me", headers=headers).text == "user:carol"
    again = client.get("/me", headers=headers)
    assert (again.status_code, again.json()["error_code"]) == (401, "dpop.replayed")


def test_a_proof_is_good_where_the_server_does_not_say_the_address_as_sent(app, serve) -> None:
    issuer, headers = dpop_request()
    usso = USSO(app, table.config(issuer))
    app.add_url_rule("/me", view_func=usso.required(lambda: current_user.sub))
    inner = app.wsgi_app

    def plain(environ: dict[str, Any], start: Any) -> Any:
        for name in ("REQUEST_URI", "RAW_URI"):
            environ.pop(name, None)
        return inner(environ, start)

    app.wsgi_app = plain  # type: ignore[method-assign]
    assert serve(app).get("/me?page=2", headers=headers).text == "user:carol"


def guarded_by(auth: UssoAuth[Any]) -> Flask:
    app = Flask("service")
    app.add_url_rule("/me", view_func=USSO(app, auth).required(lambda: current_user.sub))
    return app


def until_let_in(client: httpx.Client, issuer: Issuer) -> httpx.Response:
    """Asks until there is no refusal, for as long as the verifier's pauses may take."""
    end = time.monotonic() + 10
    while True:
        answer = client.get("/me", headers=issuer.authorization())
        if answer.status_code == 200 or time.monotonic() > end:
            return answer


def test_an_issuer_that_is_down_is_no_fault_of_the_caller(usso_server: Issuer, serve) -> None:
    client = serve(guarded_by(UssoAuth(usso_server.config())))
    usso_server.outage()
    answer = client.get("/me", headers=usso_server.authorization())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "www-authenticate" not in answer.headers
    usso_server.recover()
    assert until_let_in(client, usso_server).status_code == 200


def test_a_known_key_is_good_while_the_issuer_is_down(usso_server: Issuer, serve) -> None:
    client = serve(guarded_by(UssoAuth(usso_server.config())))
    assert client.get("/me", headers=usso_server.authorization()).status_code == 200
    usso_server.outage()
    assert client.get("/me", headers=usso_server.authorization()).status_code == 200


def test_a_new_key_of_the_issuer_is_found(usso_server: Issuer, serve) -> None:
    auth = UssoAuth(usso_server.config(jwks_cooldown=1))
    client, old = serve(guarded_by(auth)), usso_server.kid
    assert client.get("/me", headers=usso_server.authorization()).status_code == 200
    usso_server.rotate()
    assert until_let_in(client, usso_server).status_code == 200
    assert client.get("/me", headers=usso_server.authorization(kid=old)).status_code == 200
    usso_server.revoke(old)
    usso_server.rotate()
    assert until_let_in(client, usso_server).status_code == 200
    assert client.get("/me", headers=usso_server.authorization(kid=old)).status_code == 401
