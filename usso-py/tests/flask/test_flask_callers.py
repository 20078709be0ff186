"""Whose request it is, where several guards look at one."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask, g

from usso.exceptions import PermissionDenied
from usso.integrations.flask import USSO, current_claims, current_user
from usso.testing import Issuer


@pytest.fixture
def other() -> Issuer:
    return Issuer("https://other.example", "https://o")


@pytest.fixture
def second(app: Flask, usso: USSO, other: Issuer) -> USSO:
    """A guard for other tokens, in a header of their own."""
    header = {"header_name": "x-other", "cookie_name": None}
    return USSO(app, other.config(jwt_header=header, realm="second"))


def caller() -> list[str | None]:
    assert (g.usso_user, g.usso_claims) == (current_user, current_claims)
    return [current_user.sub, current_claims.sub] if current_user else [None, None]


ALICE, BOB, NOBODY = ["user:alice"] * 2, ["user:bob"] * 2, [None] * 2


def test_a_guard_inside_another_gives_the_caller_back(
    app, usso, second, issuer, other, serve
) -> None:
    note = second.optional(caller)
    app.add_url_rule("/", view_func=usso.required(lambda: [caller(), note(), caller()]))
    headers = {**issuer.authorization("user:alice"), "x-other": other.mint("user:bob")}
    assert serve(app).get("/", headers=headers).json() == [ALICE, BOB, ALICE]


def test_an_optional_guard_that_finds_nobody_takes_no_request_from_its_caller(
    app, usso, second, issuer, serve
) -> None:
    note = second.optional(caller)
    app.add_url_rule("/", view_func=usso.required(lambda: [caller(), note(), caller()]))
    headers = issuer.authorization("user:alice")
    assert serve(app).get("/", headers=headers).json() == [ALICE, ALICE, ALICE]


def test_a_caller_of_an_inner_guard_is_nobody_to_an_outer_one(
    app, usso, second, other, serve
) -> None:
    note = second.required(caller)
    app.add_url_rule("/", view_func=usso.optional(lambda: [caller(), note(), caller()]))
    answer = serve(app).get("/", headers={"x-other": other.mint("user:bob")})
    assert answer.json() == [NOBODY, BOB, NOBODY]


def test_a_guard_binds_a_caller_that_it_knows_already_again(
    app, usso, second, issuer, other, serve
) -> None:
    files = Blueprint("files", __name__)
    usso.protect(files)
    second.protect(files)
    files.add_url_rule("/last", view_func=caller, endpoint="last")
    files.add_url_rule("/first", view_func=usso.required(caller), endpoint="first")
    app.register_blueprint(files)
    client = serve(app)
    headers = {**issuer.authorization("user:alice"), "x-other": other.mint("user:bob")}
    assert client.get("/last", headers=headers).json() == BOB
    assert client.get("/first", headers=headers).json() == ALICE


def test_an_inner_refusal_that_is_caught_changes_no_caller(
    app, usso, second, issuer, other, serve
) -> None:
    inner = second.required(second.require("read:files")(caller))

    @app.get("/")
    @usso.required
    def outer() -> list[str | None]:
        with pytest.raises(PermissionDenied):
            inner()
        return caller()

    headers = {**issuer.authorization("user:alice"), "x-other": other.mint("user:bob")}
    assert serve(app).get("/", headers=headers).json() == ALICE


def test_a_refusal_is_answered_by_the_guard_that_refuses(
    app, usso, second, issuer, other, serve
) -> None:
    inner, outer = second.required(caller), usso.required

    @app.get("/late")
    @outer
    def late() -> object:
        inner()
        return usso.auth.verify_token("no token")

    app.add_url_rule("/inner", view_func=outer(inner), endpoint="inner")
    client, alice = serve(app), issuer.authorization("user:alice")
    assert 'realm="second"' in client.get("/inner", headers=alice).headers["www-authenticate"]
    both = {**alice, "x-other": other.mint("user:bob")}
    assert 'realm="api"' in client.get("/late", headers=both).headers["www-authenticate"]


def test_answers_vary_by_the_headers_of_all_guards(app, usso, second, issuer, other, serve) -> None:
    app.add_url_rule("/", view_func=usso.optional(second.optional(caller)))
    vary = serve(app).get("/").headers["vary"].lower()
    assert {"authorization", "x-other"} <= {part.strip() for part in vary.split(",")}


def test_scopes_may_be_written_out_or_given_as_a_list(app, usso, issuer, serve) -> None:
    guard = usso.require("read:files", "read:users", scopes=["read:notes"])
    app.add_url_rule("/", view_func=guard(lambda: "in"))
    client, scopes = serve(app), ["read:files", "read:users", "read:notes"]
    assert client.get("/", headers=issuer.authorization(scopes=scopes)).text == "in"
    for missing in scopes:
        some = [scope for scope in scopes if scope != missing]
        assert client.get("/", headers=issuer.authorization(scopes=some)).status_code == 403
