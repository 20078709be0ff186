"""The few requests that are sent: how long they may take, and how much an answer may be."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from core.tokens import AUDIENCE, signer

from usso import AuthConfig, UssoAuth, _transport
from usso.exceptions import VerifierUnavailable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


class Raw:
    """A server that answers one connection as it likes."""

    def __init__(self, answer: Callable[[Raw], None]) -> None:
        self.answer = answer
        self.request = b""
        self.sent = 0
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent += len(data)

    def run(self) -> None:
        with suppress(OSError):
            self.connection, _ = self.listener.accept()
            with self.connection:
                self.connection.settimeout(10)
                while b"\r\n\r\n" not in self.request:
                    self.request += self.connection.recv(65536)
                self.answer(self)
        self.ended.set()


@contextmanager
def raw(answer: Callable[[Raw], None]) -> Iterator[Raw]:
    server = Raw(answer)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.listener.close()
        thread.join(15)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for each part, one for the whole."""
    monkeypatch.setattr(_transport, "SECONDS", 0.5)


def unavailable(server: Raw) -> float:
    """Gives how long it took to find out that nobody can tell."""
    auth = UssoAuth(AuthConfig(jwks_url=f"{server.url}/k", audience=AUDIENCE))
    token = signer("EdDSA").mint(iss=server.url)
    started = time.monotonic()
    with pytest.raises(VerifierUnavailable) as caught:
        auth.verify(token)
    assert (caught.value.status_code, caught.value.error_code) == (503, "token.keys_unavailable")
    assert server.url not in f"{caught.value!r}{caught.value.body()}"
    return time.monotonic() - started


def test_an_answer_without_end_is_cut_off_where_it_is_too_long() -> None:
    def flood(server: Raw) -> None:
        server.send(HEAD + b"\r\n")
        while server.sent < 1 << 28:
            server.send(b" " * 65536)

    with raw(flood) as server:
        assert unavailable(server) < 5
        assert server.ended.wait(10)
        assert server.sent < 1 << 24


def test_an_answer_that_drips_is_cut_off_in_time() -> None:
    stop = threading.Event()

    def drip(server: Raw) -> None:
        server.send(HEAD + b"\r\n")
        while not stop.wait(0.05) and server.sent < 200:
            server.send(b" ")

    with raw(drip) as server:
        try:
            assert unavailable(server) < 3
        finally:
            stop.set()


def test_a_head_that_drips_is_cut_off_in_time() -> None:
    stop = threading.Event()

    def drip(server: Raw) -> None:
        server.send(HEAD)
        while not stop.wait(0.05) and server.sent < 700:
            server.send(b"x: y\r\n")

    with raw(drip) as server:
        try:
            assert unavailable(server) < 3
        finally:
            stop.set()


def test_an_answer_that_grows_when_unpacked_takes_no_more_memory() -> None:
    bomb = gzip.compress(bytes(1 << 26))

    def explode(server: Raw) -> None:
        length = f"Content-Length: {len(bomb)}\r\n".encode()
        server.send(HEAD + b"Content-Encoding: gzip\r\n" + length + b"\r\n" + bomb)

    with raw(explode) as server:
        unavailable(server)  # What is imported at first is not counted.
    with raw(explode) as server:
        tracemalloc.start()
        try:
            unavailable(server)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 1 << 23


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{",
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=\xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=range(10),
)
def test_an_answer_that_is_no_http_is_an_outage(answer: bytes) -> None:
    with raw(lambda server: server.send(answer)) as server:
        assert unavailable(server) < 3


def test_a_server_that_is_not_there_is_an_outage() -> None:
    with raw(lambda server: None) as server:
        server.listener.close()
        assert unavailable(server) < 3


def test_a_request_says_nothing_of_the_token() -> None:
    with raw(lambda server: server.send(HEAD + b"\r\n{}")) as server:
        unavailable(server)
        assert server.request.startswith(b"GET /k HTTP/1.1\r\n")
        names = {line.partition(b":")[0].lower() for line in server.request.split(b"\r\n")[1:]}
        assert not names & {b"authorization", b"cookie", b"x-api-key", b"referer"}
        assert b"eyJ" not in server.request
        # What is packed could not be counted before it is unpacked.
        assert b"\r\naccept-encoding: identity\r\n" in server.request.lower()


def test_work_is_done_although_who_asked_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[threading.Thread] = []

    class Late(threading.Thread):
        """Does not run before it is told to."""

        def start(self) -> None:
            late.append(self)

    monkeypatch.setattr(_transport.threading, "Thread", Late)
    done = threading.Event()
    future = _transport.in_thread(done.set)
    assert future.cancel()
    late[0].run()
    assert done.is_set() and future.cancelled()
