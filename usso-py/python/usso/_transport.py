"""Sends the few requests that a verifier asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from usso._native import Fetch, Verifier

_T = TypeVar("_T")

SECONDS = 5.0
"""How long a connection, a part of the answer, and about twice that the whole may take."""


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
        except OSError:
            reason = "failed"
        finally:
            if outcome is None:
                following = verifier.failed(fetch.number, reason)
            else:
                following = verifier.fetched(fetch.number, *outcome)
        next_one = following


class _TooLarge(Exception):
    """The answer is longer than allowed."""


def _exchange(fetch: Fetch) -> tuple[int, list[tuple[str, str]], bytes]:
    """Sends one request. Follows no redirect, and reads no more than allowed.

    Raises `TimeoutError`, `_TooLarge`, or `OSError` for anything else that goes wrong.
    """
    import httpx

    end = time.monotonic() + 2 * SECONDS
    method = "GET" if fetch.body is None else "POST"
    try:
        with (
            httpx.Client(timeout=SECONDS, follow_redirects=False) as client,
            client.stream(
                method, fetch.url, headers=fetch.headers, content=fetch.body
            ) as response,
        ):
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if len(body) > fetch.max_body_bytes:
                    raise _TooLarge
                if time.monotonic() > end:
                    raise TimeoutError
            headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
            return response.status_code, headers, bytes(body)
    except httpx.TimeoutException:
        raise TimeoutError from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        # Without the cause, whose text may hold the address.
        raise OSError("the request failed") from None


def in_thread(work: Callable[[], _T]) -> Future[_T]:
    """Does something in a thread of its own that keeps no process alive.

    Such work is rare and bounded: one request for the keys of an issuer at a time, and as many as
    the verifier allows for API keys.
    """
    future: Future[_T] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="usso-fetch", daemon=True).start()
    return future
