"""The programs of the README do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from conftest_server import Server, running
from table import load, serve_asgi

README = (Path(__file__).parents[1] / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_first_program_verifies_callers_of_the_server(tmp_path: Path) -> None:
    # The README's server listens on port 8000, which may be taken here.
    with running(tmp_path) as server:
        program = PROGRAMS[0].replace("http://localhost:8000", server.base_url)
        (tmp_path / "main.py").write_text(program)
        with (
            serve_asgi(load(tmp_path / "main.py").app) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            assert client.get("/me").status_code == 401
            headers = _headers(server)
            assert client.get("/me", headers=headers).json()["user_id"].startswith("user:")
            refused = client.get("/files/7", headers=headers)
            assert refused.status_code == 403
            assert 'scope="read:files"' in refused.headers["www-authenticate"]


def _headers(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.login()['access_token']}"}


def test_the_program_without_a_framework_tells_the_caller_or_the_code() -> None:
    space: dict[str, Any] = {}
    exec(PROGRAMS[1], space)  # noqa: S102 - that is the test
    assert space["caller"]("x") == "token.malformed"


def test_the_test_of_the_readme_passes(tmp_path: Path) -> None:
    around = """
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from usso.integrations.fastapi import get_authenticator

def make_app(config):
    app = FastAPI()
    app.get("/me")(lambda user=Depends(get_authenticator(config)): user)
    return app

"""
    (tmp_path / "test_me.py").write_text(around + PROGRAMS[2])
    # Without the plugin's entry point, in a folder of sources, it is named.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "usso.testing.plugin", "test_me.py"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout


def test_the_client_of_the_readme_keeps_its_refresh_token(server: Server) -> None:
    kept = [server.login()["refresh_token"]]
    program = PROGRAMS[3].replace("https://sso.example", server.base_url)
    for _ in range(2):
        exec(program, {"stored": lambda: kept[-1], "store": kept.append})  # noqa: S102
    assert len(set(kept)) == 3


def test_every_program_is_tested() -> None:
    assert len(PROGRAMS) == 4
