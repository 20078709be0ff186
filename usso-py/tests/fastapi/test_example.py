"""The example, with tokens of the reference server and of an issuer in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest_server import Server
from table import load, serve_asgi
from websockets.asyncio.client import connect

from usso.testing import Issuer

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi" / "app.py"


def app_for(base_url: str, audience: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("USSO_BASE_URL", base_url)
    monkeypatch.setenv("USSO_AUDIENCE", audience)
    return load(EXAMPLE).app


def test_the_example_takes_tokens_of_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Authorization": f"Bearer {server.login()['access_token']}"}
    app = app_for(server.base_url, server.base_url, monkeypatch)
    with serve_asgi(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        me = client.get("/me", headers=headers).json()
        assert me["iss"] == server.base_url
        assert client.get("/", headers=headers).json() == f"Hello, {me['sub']}."
        assert client.post("/payments", headers=headers).json() == "Paid."
        assert client.get("/me").status_code == 401

        async def hello() -> str:
            url = f"ws://127.0.0.1:{port}/events"
            async with connect(url, additional_headers=headers) as socket:
                return str(await socket.recv())

        assert asyncio.run(hello()) == f"Hello, {me['sub']}."


def test_each_route_is_for_whom_the_example_says(
    usso_server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_for(usso_server.name, usso_server.audience, monkeypatch)
    with serve_asgi(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:

        def status(method: str, path: str, **claims: Any) -> int:
            headers = usso_server.authorization("user:7", **claims)
            return client.request(method, path, headers=headers).status_code

        assert client.get("/").json() == "Hello, stranger."
        assert status("GET", "/users/7", scopes=["read:users?user_id=7"]) == 200
        assert status("GET", "/users/8", scopes=["read:users?user_id=7"]) == 403
        assert status("GET", "/admin/settings", roles=["admin"]) == 200
        assert status("GET", "/admin/settings") == 403
        assert status("POST", "/payments") == 401
