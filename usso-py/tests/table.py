"""Sends the table of requests that every framework's tests run, as raw bytes over a socket."""

from __future__ import annotations

import http.client
import importlib.util
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from usso import _native
from usso.config import AuthConfig

# What every ASGI server does before an app sees it: a handshake without a key is malformed, and a
# path is decoded before it is matched. Real handshakes have tests of their own.
ASGI: dict[str, tuple[int, ...]] = {
    "a websocket by cookie needs proof although it is a GET": (400,),
    "a websocket from an allowed page is good": (400,),
    "an encoded slash is a part of the value": (404,),
}

ISSUER = "https://sso.example"
AUDIENCE = "https://api.example"


def config(issuer: _native.TestIssuer) -> AuthConfig:
    """Gives the settings that the table is for."""
    return AuthConfig(
        jwks=issuer.jwks(),
        issuer=ISSUER,
        audience=AUDIENCE,
        profile="usso",
        allow_origins=["https://app.example"],
        public_url=AUDIENCE,
    )


def exchange(
    port: int, method: str, target: str, headers: list[tuple[str, str]]
) -> tuple[int, http.client.HTTPMessage, str]:
    """Sends one request exactly as it is given; gives status, headers and body."""
    lines = [f"{method} {target} HTTP/1.1", "connection: close"]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append("host: api.example")
    lines += [f"{name}: {value}" for name, value in headers]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("utf-8"))
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            body = response.read().decode("utf-8", "replace")
        finally:
            response.close()
    return response.status, response.headers, body


def differences(
    port: int,
    issuer: _native.TestIssuer,
    excused: dict[str, tuple[int, ...]] | None = None,
) -> list[str]:
    """Sends every request; gives what is different from the table, in words.

    `excused` names cases that the server cannot deliver, with the statuses they may have instead.
    """
    wrong: list[str] = []
    left = dict(excused or {})
    for case in _native.request_table(issuer):
        status, headers, body = exchange(port, case.method, case.path, case.headers)
        challenges = headers.get_all("www-authenticate") or []
        allowed = left.pop(case.name, None)
        if allowed is not None:
            if status not in allowed:
                wrong.append(f"{case.name}: status {status}, not one of {allowed}")
            continue
        if text := case.check(status, challenges, body):
            wrong.append(text)
    return wrong + [f"{name}: no such case" for name in left]


@contextmanager
def serve_asgi(app: Any) -> Iterator[int]:
    """Serves an ASGI app with uvicorn, on a free port."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Who connects before the server runs waits in the queue of the socket.
        config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="websockets-sansio")
        server = uvicorn.Server(config)
        run = threading.Thread(target=server.run, args=([listener],), daemon=True)
        run.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            run.join(10)


def load(path: Path) -> ModuleType:
    """Loads an example as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
