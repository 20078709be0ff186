"""Sends the few requests that a verifier asks for."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from usso._native import Fetch, Verifier

_T = TypeVar("_T")

log = logging.getLogger("usso")

FORKING = threading.RLock()
"""Held to fork: what a thread that has no copy in the child was importing is never imported."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=FORKING.acquire, after_in_parent=FORKING.release, after_in_child=FORKING.release
    )

SECONDS = 5.0
"""How long connecting and each wait for a part of the answer may take; the whole twice that."""


def send(verifier: Verifier, fetch: Fetch) -> None:
    """Sends a request and gives the verifier what came of it, until it wants no more.

    Whatever happens, the verifier is told: others may wait for it.
    """
    next_one: Fetch | None = fetch
    while next_one is not None:
        outcome: tuple[int, list[tuple[str, str]], bytes] | None = None
        reason = "failed"
        try:
            outcome = _exchange(next_one)
        except _TooLarge:
            reason = "too_large"
        except TimeoutError:
            reason = "timed_out"
            _warn(next_one, "did not answer in time")
        except Exception as error:
            _warn(next_one, f"cannot be asked: {_reason(error)}")
        finally:
            if outcome is None:
                following = verifier.failed(fetch.number, reason)
            else:
                _look_at(next_one, *outcome)
                following = verifier.fetched(fetch.number, *outcome)
        next_one = following


def _look_at(fetch: Fetch, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Says in the log what is wrong with an answer that has no keys: callers are not told."""
    if fetch.body is not None:
        return
    if status != 200:
        _warn(fetch, f"answered {status}")
    elif b'"keys"' not in body and b'"jwks_uri"' not in body:
        _warn(fetch, "answered what is no JWKS")


def _warn(fetch: Fetch, what: str) -> None:
    """Logs a trouble; those about API keys, which anyone can make up, once a minute."""
    global _warned
    if fetch.body is not None:
        if time.monotonic() - _warned < 60:
            return
        _warned = time.monotonic()
    log.warning("%s %s", fetch.url, what)


_warned = -60.0


def _reason(error: Exception) -> str:
    """Says why, without what may hold the password of a proxy."""
    import httpx

    said = f": {error}" if isinstance(error, httpx.TransportError) else ""
    return type(error).__name__ + said


class _TooLarge(Exception):
    """The answer is longer than allowed."""


class _Deadline:
    """Breaks a connection when its time is over, however slowly the other side goes on sending."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Takes note of the connection, as httpx's `trace` extension tells of it."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_over:
                self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _exchange(fetch: Fetch) -> tuple[int, list[tuple[str, str]], bytes]:
    """Sends one request. Follows no redirect, and reads no more than allowed.

    Raises `TimeoutError`, `_TooLarge`, or what httpx raises.
    """
    with FORKING:
        import httpx

        # What looks addresses up imports it.
        importlib.import_module("encodings.idna")

        # Plain http is for hosts that nobody sits before; a proxy would.
        client = httpx.Client(
            timeout=SECONDS,
            follow_redirects=False,
            trust_env=fetch.url.startswith("https:"),
            verify=_context(),
        )

    method = "GET" if fetch.body is None else "POST"
    # What is packed small can be large: the bytes are counted and read as they come.
    headers = [*fetch.headers, ("accept-encoding", "identity")]
    with client, _Deadline(2 * SECONDS) as deadline:
        request = client.build_request(
            method,
            fetch.url,
            headers=headers,
            content=fetch.body,
            extensions={"trace": deadline.trace},
        )
        try:
            response = client.send(request, stream=True)
            try:
                body = bytearray()
                for part in response.iter_raw():
                    body += part
                    if len(body) > fetch.max_body_bytes:
                        raise _TooLarge
            finally:
                response.close()
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.HTTPError:
            if deadline.is_over:
                raise TimeoutError from None
            raise
        if deadline.is_over:
            raise TimeoutError
    answered = [(name.lower(), value) for name, value in response.headers.multi_items()]
    return response.status_code, answered, bytes(body)


@cache
def _context() -> ssl.SSLContext:
    """Gives what the certificates are checked by; reading them takes 20 ms, so once."""
    import httpx

    return httpx.create_ssl_context()


def in_thread(work: Callable[[], _T]) -> Future[_T]:
    """Does something in a thread of its own that keeps no process alive.

    Such work is rare and bounded: one request for the keys of an issuer at a time, and as many as
    the verifier allows for API keys. Raises `RuntimeError` if no thread can be started.
    """
    future: Future[_T] = Future()

    def run() -> None:
        # Who asked may have given up; others wait for what comes of it.
        is_wanted = future.set_running_or_notify_cancel()
        try:
            result = work()
        except BaseException as error:
            if is_wanted:
                future.set_exception(error)
        else:
            if is_wanted:
                future.set_result(result)

    threading.Thread(target=run, name="usso-fetch", daemon=True).start()
    return future
