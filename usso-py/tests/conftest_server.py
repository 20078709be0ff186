"""The reference server, as a fixture: a real process on a free port, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest

DEFAULT_BINARY = Path(__file__).parents[2] / "target" / "debug" / "usso-server"

SETTINGS = {
    "USSO_LISTEN": "127.0.0.1:0",
    "USSO_HASHING_MEMORY_KIB": "8",
    "USSO_HASHING_ITERATIONS": "1",
    "USSO_LIMIT_ACCOUNT_AND_SOURCE": "100000/1h",
    "USSO_LIMIT_ACCOUNT": "100000/1h",
    "USSO_LIMIT_SOURCE": "100000/1h",
    "USSO_LOG": "warn",
}


@dataclass
class Server:
    """A server that runs, and its administrator."""

    base_url: str
    admin: str
    password: str

    @property
    def api(self) -> str:
        return f"{self.base_url}/api/sso/v1"

    def login(self, identifier: str | None = None, secret: str | None = None) -> dict[str, Any]:
        """Signs in, the administrator unless told otherwise; gives the answer with the tokens."""
        body = {"identifier": identifier or self.admin, "secret": secret or self.password}
        answer = httpx.post(f"{self.api}/auth/login", json=body, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self, refresh_token: str) -> httpx.Response:
        return httpx.post(
            f"{self.api}/auth/refresh", json={"refresh_token": refresh_token}, trust_env=False
        )

    def as_admin(self, method: str, path: str, json: Any = None) -> Any:
        """Sends a request of the administrator; gives the JSON that answers it."""
        headers = {"Authorization": f"Bearer {self.login()['access_token']}"}
        answer = httpx.request(
            method, f"{self.api}{path}", json=json, headers=headers, trust_env=False
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@contextmanager
def running(folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """Runs `USSO_SERVER`, else the debug build, with its data in this folder."""
    binary = Path(os.environ.get("USSO_SERVER") or DEFAULT_BINARY)
    if not binary.is_file():
        pytest.fail(f"there is no server at {binary}: build usso-server, or set USSO_SERVER")
    environment = {"PATH": os.environ.get("PATH", ""), **SETTINGS, **settings}
    with (
        open(folder / "log", "wb") as log,
        subprocess.Popen(
            [binary], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield _started(process, folder / "log")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, the same one for all tests."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


def _started(process: subprocess.Popen[str], log: Path) -> Server:
    """Reads the banner, which is printed once the server listens."""
    assert process.stdout is not None
    banner = ""
    while "jwks.json" not in banner:
        line = process.stdout.readline()
        assert line, f"the server did not start: {log.read_text()}"
        banner += line
    base_url, admin, password = (
        re.search(pattern, banner)[1]  # type: ignore[index]
        for pattern in (r"listens on (\S+)", r"administrator: +(\S+)", r"password: +(\S+)")
    )
    return Server(base_url, admin, password)
