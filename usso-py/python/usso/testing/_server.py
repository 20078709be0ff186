"""The server of an issuer for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any


@dataclass(frozen=True)
class Answers:
    """How requests are answered."""

    delay: float = 0.0
    down: bool = False
    status: int | None = None
    body: str | bytes | Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = field(default=None)


class Server:
    """Serves JSON documents on a free port of 127.0.0.1. `document` gives the one of a path."""

    def __init__(self, document: Callable[[str], Mapping[str, Any] | None]) -> None:
        self._document = document
        self._changed = threading.Condition()
        self._answers = Answers()
        self.fetches = 0
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="usso-issuer", daemon=True
        )

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answers no more."""
        self.change(down=True)
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def change(self, **answers: Any) -> None:
        """Answers like this from now on; those who wait for a slow answer get it at once."""
        with self._changed:
            self._answers = Answers(**answers)
            self._changed.notify_all()

    def wait_for(self, number: int, seconds: float) -> None:
        """Waits until the keys were asked for this often. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.fetches >= number, seconds):
                raise TimeoutError(f"{self.fetches} fetches after {seconds} s, not {number}")

    def _arrived(self, path: str) -> Answers:
        """Counts a request, and gives how to answer it once that is due."""
        with self._changed:
            self.fetches += path.endswith("/jwks.json")
            self._changed.notify_all()
            found = self._answers
            if found.delay > 0:
                self._changed.wait_for(lambda: self._answers is not found, found.delay)
                found = self._answers
            return found

    def _content(self, path: str, answers: Answers) -> tuple[int, bytes]:
        content = self._document(path) if answers.body is None else answers.body
        if content is None:
            return 404, b"{}"
        if isinstance(content, str):
            content = content.encode()
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        return answers.status or 200, content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                answers = server._arrived(path)
                if answers.down:
                    self.close_connection = True
                    return
                status, content = server._content(path, answers)
                headers = {"content-type": "application/json", **(answers.headers or {})}
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except ConnectionError:
                    # Who asked has given up.
                    self.close_connection = True

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Keeps quiet."""

        return Handler


class _Http(ThreadingMixIn, TCPServer):
    daemon_threads = True
    request_queue_size = 128
