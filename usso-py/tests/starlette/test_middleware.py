"""Starlette: what a handler sees of its caller, and the example."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest_server import Server
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket
from table import load, serve_asgi

from usso.auth import UssoAuth
from usso.exceptions import InsufficientScope
from usso.integrations.starlette import USSOMiddleware, require_caller
from usso.testing import Issuer

EXAMPLE = Path(__file__).parents[2] / "examples" / "starlette" / "app.py"


async def who(request: Request) -> Response:
    return JSONResponse(
        {
            "name": request.user.display_name,
            "known": request.user.is_authenticated,
            "scopes": request.auth.scopes,
            "sub": request.state.usso_user and request.state.usso_user.sub,
        }
    )


@requires("read:files")
async def files(request: Request) -> Response:
    return PlainTextResponse("files", headers={"vary": "accept", "cache-control": "max-age=5"})


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.user.identity)
    await websocket.close()


def client(auth: UssoAuth[Any], *, inner: Any = None, **options: Any) -> TestClient:
    routes = [Route("/who", who), Route("/files", files), WebSocketRoute("/ws", socket)]
    guard = Middleware(USSOMiddleware, auth, **options)
    return TestClient(Starlette(routes=[*routes, *(inner or [])], middleware=[guard]))


def test_a_caller_is_starlettes_user_with_scopes(issuer: Issuer) -> None:
    app = client(UssoAuth(issuer.config()))
    headers = issuer.authorization("user:alice", scopes=["read:files"], user_name="Alice")
    assert app.get("/who", headers=headers).json() == {
        "name": "Alice",
        "known": True,
        "scopes": ["authenticated", "read:files"],
        "sub": "user:alice",
    }
    assert app.get("/files", headers=headers).text == "files"
    assert app.get("/files", headers=issuer.authorization()).status_code == 403


def test_who_sends_nothing_is_let_through_only_where_that_is_said(issuer: Issuer) -> None:
    auth = UssoAuth(issuer.config())
    closed = client(auth).get("/who")
    assert (closed.status_code, closed.json()["error_code"]) == (401, "access.token_missing")
    open_to_all = client(auth, optional=True)
    assert open_to_all.get("/who").json()["known"] is False
    refused = open_to_all.get("/who", headers={"Authorization": "Bearer x"})
    assert refused.json()["error_code"] == "token.malformed"


def test_a_rule_holds_for_everything_behind_the_middleware(issuer: Issuer) -> None:
    app = client(UssoAuth(issuer.config()), roles=["admin"])
    assert app.get("/who", headers=issuer.authorization()).status_code == 403
    assert app.get("/who", headers=issuer.authorization(roles=["admin"])).status_code == 200
    # Also for what there is not, so that nobody learns what there is.
    assert app.get("/nowhere", headers=issuer.authorization()).status_code == 403


def test_a_rule_holds_for_callers_only_where_nobody_is_let_through(issuer: Issuer) -> None:
    app = client(UssoAuth(issuer.config()), optional=True, roles=["admin"])
    assert app.get("/who").status_code == 200
    assert app.get("/who", headers=issuer.authorization()).status_code == 403


def test_answers_are_kept_from_shared_caches_unless_the_app_says_otherwise(issuer: Issuer) -> None:
    app = client(UssoAuth(issuer.config()), optional=True)
    app.cookies.set("usso-access-token", issuer.mint(scopes=["read:files"]))
    assert app.get("/who").headers["cache-control"] == "private"
    assert app.get("/who").headers["vary"] == "authorization, cookie, x-api-key"
    own = app.get("/files").headers
    assert own["cache-control"] == "max-age=5"
    assert own["vary"] == "accept, authorization, cookie, x-api-key"


def test_a_websocket_is_refused_before_it_opens(issuer: Issuer) -> None:
    app = client(UssoAuth(issuer.config()))
    with app.websocket_connect("/ws", headers=issuer.authorization("user:7")) as opened:
        assert opened.receive_text() == "user:7"
    cookie = {"cookie": f"usso-access-token={issuer.mint()}"}
    for headers, status in (({}, 401), (cookie, 403)):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            app.websocket_connect("/ws", headers=headers),
        ):
            pass
        assert refused.value.status_code == status


def test_a_misspelt_scope_is_an_error_when_the_middleware_is_made(issuer: Issuer) -> None:
    with pytest.raises(ValueError, match="raed"):
        USSOMiddleware(Starlette(), issuer.config(), scopes=["raed:files"])


def test_a_handler_without_the_middleware_lets_nobody_in(issuer: Issuer) -> None:
    auth = UssoAuth(issuer.config())

    async def handler(request: Request) -> Response:
        return PlainTextResponse(require_caller(request, auth).sub or "")

    app = TestClient(Starlette(routes=[Mount("/", routes=[Route("/", handler)])]))
    with pytest.raises(RuntimeError, match="USSOMiddleware"):
        app.get("/", headers=issuer.authorization())


@pytest.mark.parametrize("inside", [True, False])
def test_what_a_handler_refuses_is_answered_by_the_middleware(issuer: Issuer, inside: bool) -> None:
    auth = UssoAuth(issuer.config())

    async def handler(request: Request) -> Response:
        require_caller(request, auth, "read:files")
        return PlainTextResponse("files")

    guard = [Middleware(USSOMiddleware, auth)]
    routes = [Mount("/", routes=[Route("/", handler)], middleware=guard if inside else [])]
    app = TestClient(Starlette(routes=routes, middleware=[] if inside else guard))
    refused = app.get("/", headers=issuer.authorization())
    assert (refused.status_code, refused.json()["error_code"]) == (403, "access.scope")
    assert 'scope="read:files"' in refused.headers["www-authenticate"]
    assert app.get("/", headers=issuer.authorization(scopes=["read:files"])).text == "files"


def test_an_answer_that_has_begun_is_not_answered_again(issuer: Issuer) -> None:
    auth = UssoAuth(issuer.config())

    async def handler(request: Request) -> Response:
        async def content() -> AsyncIterator[bytes]:
            yield b"begun"
            require_caller(request, auth, "read:files")

        return StreamingResponse(content())

    guard = Middleware(USSOMiddleware, auth)
    app = TestClient(Starlette(routes=[Route("/", handler)], middleware=[guard]))
    with pytest.raises(InsufficientScope):
        app.get("/", headers=issuer.authorization())


def test_the_example_takes_tokens_of_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USSO_BASE_URL", server.base_url)
    monkeypatch.setenv("USSO_AUDIENCE", server.base_url)
    headers = {"Authorization": f"Bearer {server.login()['access_token']}"}
    with (
        serve_asgi(load(EXAMPLE).app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as app,
    ):
        me = app.get("/api/me", headers=headers).json()
        assert me["iss"] == server.base_url
        assert app.get("/", headers=headers).text == f"Hello, {me['sub']}."
        assert app.get("/").text == "Hello, stranger."
        assert app.get("/api/me").status_code == 401
        refused = app.get("/api/users/7", headers=headers)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "access.scope")


def test_the_caller_of_another_verifier_is_not_this_ones(issuer: Issuer) -> None:
    partner = Issuer("https://partner.example")
    ours, theirs = UssoAuth(issuer.config()), UssoAuth(partner.config())

    async def handler(request: Request) -> Response:
        return PlainTextResponse(require_caller(request, ours, "delete:users").sub)

    def guarded(*guards: UssoAuth[Any]) -> TestClient:
        middleware = [Middleware(USSOMiddleware, guard, optional=True) for guard in guards]
        return TestClient(Starlette(routes=[Route("/", handler)], middleware=middleware))

    headers = partner.authorization(scopes=["delete:users"])
    with pytest.raises(RuntimeError, match="USSOMiddleware"):
        guarded(theirs).get("/", headers=headers)
    assert guarded(ours).get("/", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("changes", "more", "status"),
    [
        ({"headers": []}, [], 401),
        # A cookie that was good for a GET, and no proof of the page.
        ({"method": "POST"}, [], 403),
        ({}, [(b"authorization", b"Bearer x")], 401),
        ({}, [], 200),
    ],
)
def test_a_request_that_an_app_makes_of_another_has_no_share_in_its_verdict(
    issuer: Issuer, changes: dict[str, Any], more: list[tuple[bytes, bytes]], status: int
) -> None:
    auth = UssoAuth(issuer.config())
    inner = USSOMiddleware(PlainTextResponse("inner"), auth)

    async def handler(request: Request) -> Response:
        # As gateways do: the same scope, a little changed.
        scope = {**request.scope, **changes}
        if "headers" not in changes:
            scope["headers"][:] = [*scope["headers"], *more]
        statuses: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await inner(scope, request.receive, send)
        return JSONResponse(statuses)

    app = Starlette(routes=[Route("/", handler)], middleware=[Middleware(USSOMiddleware, auth)])
    cookie = {"Cookie": f"usso-access-token={issuer.mint()}"}
    assert TestClient(app).get("/", headers=cookie).json() == [status]
