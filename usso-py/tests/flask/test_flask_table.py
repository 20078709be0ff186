"""The table of requests and answers, through Flask and a real server."""

from __future__ import annotations

import table
from flask import Flask, g
from pydantic import BaseModel
from wsgi import serve_wsgi

from usso import _native
from usso.integrations.flask import USSO, current_claims, current_user

# What WSGI, werkzeug's server and Flask do with a request before an app sees it.
EXCUSED: dict[str, tuple[int, ...]] = {
    # Lines of one name are joined by commas, and no token or proof has one.
    "two cookies in two headers are refused": (401,),
    "two proofs are refused": (401,),
    # Flask has no websockets: no view is found for a handshake.
    "a websocket by cookie needs proof although it is a GET": (400,),
    "a websocket from an allowed page is good": (400,),
    # The server decodes the path before it is matched.
    "an encoded slash is a part of the value": (404,),
}


class Colored(BaseModel):
    color: str


def build(issuer: _native.TestIssuer) -> Flask:
    app = Flask("table")
    usso = USSO(app, table.config(issuer))
    colored = USSO(app, table.config(issuer), user_schema=Colored)

    def me(**_: str) -> str:
        return current_user.sub or ""

    def panics() -> str:
        raise RuntimeError("on purpose")

    def add(path: str, view: object, methods: list[str] | None = None) -> None:
        app.add_url_rule(path, path, view, methods=methods or ["GET"])

    add("/me", usso.required(me), ["GET", "POST", "PUT", "PATCH", "DELETE"])
    add("/maybe", usso.optional(lambda: current_user.sub if current_user else "nobody"))
    add("/claims", colored.required(lambda: g.usso_user.color))
    add("/files", usso.require(scopes=["read:files"])(me))
    add("/users/<id>", usso.require(scopes=["read:users?user_id={id}"])(me))
    add("/policy/<id>", usso.require(scopes=["read:users?user_id={id}"])(me))
    add("/admin", usso.require(roles=["admin"])(me))
    add("/machine", usso.require(service=True)(lambda: current_claims.sub))
    add("/w/<workspace>/notes", usso.require(workspace="{workspace}")(me))
    add("/t/<tenant>/notes", usso.require(tenant="{tenant}")(me))
    add("/payments", usso.require(max_age=300)(me))
    add("/panic", usso.required(panics))
    return app


def test_every_request_of_the_table_gets_its_answer() -> None:
    issuer = _native.TestIssuer(table.ISSUER)
    with serve_wsgi(build(issuer)) as port:
        wrong = table.differences(port, issuer, EXCUSED)
    assert not wrong, "\n".join(wrong)
