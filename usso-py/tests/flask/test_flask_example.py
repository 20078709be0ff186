"""The example, with tokens of the reference server."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from conftest_server import Server

from usso.testing import Issuer

EXAMPLE = Path(__file__).parents[2] / "examples" / "flask" / "app.py"


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flask_example", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_takes_tokens_of_the_server(
    example, serve, server: Server, monkeypatch
) -> None:
    monkeypatch.setenv("USSO_BASE_URL", server.base_url)
    monkeypatch.setenv("USSO_AUDIENCE", server.base_url)
    client: httpx.Client = serve(example.create_app())
    login = server.login()
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    me = client.get("/me", headers=headers)
    assert (me.status_code, me.json()["iss"]) == (200, server.base_url)
    assert client.get("/", headers=headers).text == f"Hello, {me.json()['sub']}."
    assert client.post("/payments", headers=headers).text == "Paid."
    assert client.get("/me").status_code == 401


def test_the_example_guards_what_its_table_says(example, serve, issuer: Issuer) -> None:
    client: httpx.Client = serve(example.create_app(issuer.config()))
    own = issuer.authorization("user:a", scopes=["read:users?user_id=7"])
    admin = issuer.authorization("user:b", roles=["admin"])
    assert client.get("/").text == "Hello, stranger."
    assert client.get("/users/7", headers=own).json() == {"user": "7", "caller": "user:a"}
    assert client.get("/users/8", headers=own).status_code == 403
    assert client.get("/admin/numbers", headers=own).status_code == 403
    assert client.get("/admin/numbers", headers=admin).json() == {"users": 7}
    assert client.post("/payments", headers=own).json()["error_code"].startswith("step_up.")
