"""A small HTTP server on loopback that notes what is sent to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API = "/api/sso/v1"


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int = 0
    """That of the client, of which each connection has another."""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What to answer. `None` for `status` closes the connection instead.

    A body in a tuple is sent again and again, slowly, for 5 s.
    """

    status: int | None = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Loopback:
    """The server. `routes` maps `"POST /path"` to an answer, or to what makes one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.routes: dict[str, Answer | Callable[[Seen], Answer]] = {}

    def to(self, path: str) -> list[Seen]:
        """The requests to a path."""
        return [seen for seen in self.seen if seen.path.partition("?")[0] == path]

    def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        route = self.routes.get(f"{seen.method} {seen.path.partition('?')[0]}")
        if route is None:
            return Answer()
        return route if isinstance(route, Answer) else route(seen)


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Runs a server until the end of the block."""

    closed = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(self.chunks())
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            port = self.client_address[1]
            answer = server.answer(Seen(self.command, self.path, headers, body, port))
            if answer.status is None:
                self.close_connection = True
                return
            if isinstance(answer.body, tuple):
                self.drip(answer)
                return
            raw = (
                answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            )
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(raw)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def drip(self, answer: Answer) -> None:
            self.send_response(answer.status or 200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            for _ in range(500):
                if closed.wait(0.01):
                    break
                self.wfile.write(answer.body[0])
            self.close_connection = True

        def chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        do_GET = do_POST = do_PUT = respond

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Http(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # A client that goes away in the middle is part of some tests.

    http = Http(("127.0.0.1", 0), Handler)
    server = Loopback(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        closed.set()
        http.shutdown()
        thread.join()
        http.server_close()


def rotating(server: Loopback, first: str = "r0", lifetime: float = 900) -> None:
    """Makes a server exchange refresh tokens as USSO does: each works once."""
    lock = threading.Lock()
    count = 0

    def refresh(seen: Seen) -> Answer:
        nonlocal count
        with lock:
            expected = first if count == 0 else f"r{count}"
            if seen.json() != {"refresh_token": expected}:
                return Answer(401, {"error_code": "session.refresh_reused"})
            count += 1
            tokens = {"access_token": f"a{count}", "refresh_token": f"r{count}"}
            return Answer(200, {**tokens, "expires_in": lifetime})

    server.routes[f"POST {API}/auth/refresh"] = refresh
