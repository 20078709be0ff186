"""The Python snippets of USSO's documentation, unmodified, against the reference server.

They say `http://localhost:8000` and `http://usso:8000`; connections are led to where the server is.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from conftest_server import Server, running
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from usso.testing import Issuer

HERE = Path(__file__).parent

# What the server cannot serve yet: agents (service accounts) and API keys.
PENDING = {
    "background_job": "API keys",
    "create_agent": "agents",
    "create_api_key": "API keys",
    "expiration": "API keys",
    "list_agents": "agents",
    "revoke_api_key": "API keys",
    "rotate": "API keys",
    "update_agent": "agents",
    "use_api_key": "API keys",
}
SERVED = {"agent_tokens", "least_privilege", "microservice", "monitor_usage", "quickstart"}


def run(name: str, **names: Any) -> dict[str, Any]:
    """Runs a snippet, with what the text around it takes for granted."""
    text = (HERE / f"{name}.txt").read_text()
    space: dict[str, Any] = {"__name__": name, **names}
    exec(compile(text, name, "exec"), space)  # noqa: S102 - that is the test
    return space


@contextmanager
def leading_to(port: int) -> Iterator[None]:
    """Leads connections to port 8000, of whatever host, to this port of this machine."""
    connect = socket.create_connection

    def lead(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        return connect(("127.0.0.1", port) if address[1] == 8000 else address, *args, **options)

    with mock.patch("socket.create_connection", lead):
        yield


@contextmanager
def serving(folder: Path, issuer: str, audience: str) -> Iterator[Server]:
    """Runs the reference server for tokens of this issuer, for this audience."""
    settings = {"USSO_ISSUER": issuer, "USSO_AUDIENCE": audience}
    with running(folder, settings) as server, leading_to(httpx.URL(server.base_url).port or 0):
        yield server


def test_every_snippet_is_served_or_pending() -> None:
    assert {path.stem for path in HERE.glob("*.txt")} == SERVED | set(PENDING)
    assert not SERVED & set(PENDING)


def test_the_quick_start_verifies_a_token_of_the_server(tmp_path: Path) -> None:
    with serving(tmp_path, "https://sso.example.com", "api.example.com") as server:
        token = server.login()["access_token"]
        client = TestClient(run("quickstart")["app"])
        answer = client.get("/protected", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["user_id"].startswith("user:")
        assert isinstance(answer.json()["roles"], list)
        assert client.get("/protected").status_code == 401


def test_an_agents_route_refuses_a_user(tmp_path: Path) -> None:
    with serving(tmp_path, "http://localhost:8000", "your-service") as server:
        app = FastAPI()
        run("agent_tokens", app=app, Depends=Depends, HTTPException=HTTPException)
        headers = {"Authorization": f"Bearer {server.login()['access_token']}"}
        answer = TestClient(app).get("/sync", headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (403, "Service account required")


def test_a_microservice_refuses_a_user(tmp_path: Path) -> None:
    with serving(tmp_path, "http://usso:8000", "internal-api") as server:
        headers = {"Authorization": f"Bearer {server.login()['access_token']}"}
        client = TestClient(run("microservice")["app"])
        answer = client.post("/internal/process", json={}, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (403, "Service account required")


@pytest.mark.parametrize(
    ("name", "issuer", "audience", "method", "path", "answer"),
    [
        (
            "agent_tokens",
            "http://localhost:8000",
            "your-service",
            "GET",
            "/sync",
            {"status": "synced"},
        ),
        (
            "microservice",
            "http://usso:8000",
            "internal-api",
            "POST",
            "/internal/process",
            {"status": "processed", "agent": "service:1"},
        ),
    ],
)
def test_an_agents_token_is_let_in(
    name: str, issuer: str, audience: str, method: str, path: str, answer: dict[str, str]
) -> None:
    """The server has no agents yet: the token is that of an issuer in memory."""
    agents = Issuer(issuer, audience)
    with agents.serve(), leading_to(int(agents.jwks_url.split(":")[2].split("/")[0])):
        app = FastAPI()
        space = run(name, app=app, Depends=Depends, HTTPException=HTTPException)
        token = agents.mint("service:1", scopes=["read:users"], iss=issuer)
        client = TestClient(space["app"])
        headers = {"Authorization": f"Bearer {token}"}
        body = None if method == "GET" else {}
        got = client.request(method, path, headers=headers, json=body)
        assert (got.status_code, got.json()) == (200, answer)


def test_the_other_snippets_run() -> None:
    assert run("least_privilege")["scopes"] == ["admin:*"]
    app = FastAPI()
    lines: list[dict[str, Any]] = []

    class Logger:
        def info(self, message: str, **fields: Any) -> None:
            lines.append(fields)

    run("monitor_usage", app=app, Request=Request, logger=Logger())
    TestClient(app).get("/x", headers={"Authorization": "Bearer usso_sk_1"})
    assert lines[0]["path"] == "/x"


def test_connections_to_port_8000_are_led_elsewhere(tmp_path: Path) -> None:
    with serving(tmp_path, "http://usso:8000", "internal-api") as server:
        issuer = httpx.get("http://usso:8000/.well-known/openid-configuration").json()["issuer"]
    assert (issuer, server.base_url != issuer) == ("http://usso:8000", True)
