"""A small HTTP server on loopback that answers what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """`answer` is asked for each request; `requests` has what was sent."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[], Answer] = lambda: (404, {}, b"")

    def json(self, status: int, text: str) -> None:
        """Answers this from now on."""
        headers = {"content-type": "application/json"}
        self.answer = lambda: (status, headers, text.encode())


@contextmanager
def running() -> Iterator[Server]:
    """Runs a server on a free port."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append((self.command, self.path, headers, self.rfile.read(length)))
            status, answered, body = server.answer()
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **answered}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join()
