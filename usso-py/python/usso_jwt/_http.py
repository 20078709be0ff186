"""Addresses that may be asked, and answers of bounded size."""

from __future__ import annotations

import ipaddress
import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 1 << 20
TIMEOUT = 5.0
"""Seconds for each step; all of an answer may take twice as long."""

_UNSOUND = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}#]")


def checked_url(url: str) -> str:
    """Gives an address back that credentials may be sent to: https, or http to this machine.

    A host of one label (a container's name) counts as this machine. Raises `ValueError`.
    """
    sound = False
    if not _UNSOUND.search(url):
        try:
            parts = urlsplit(url)
            host = parts.hostname if parts.port != 0 else None
        except ValueError:
            host = None
        else:
            local = bool(host) and parts.scheme == "http" and _is_local(str(host))
            sound = bool(host) and "@" not in parts.netloc and (parts.scheme == "https" or local)
    if not sound:
        raise ValueError(
            "not an address to send credentials to; write https://…, or http:// and a host of one "
            "label or on loopback"
        )
    return url


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # One that starts with a digit may be an address: 0x08080808 is 8.8.8.8.
        return re.fullmatch(r"[a-z][a-z0-9_-]*", host) is not None


def client_options(url: str) -> dict[str, Any]:
    """Gives the settings of a client for this address.

    Redirects are not followed. Proxies, from `PROXY` or the usual variables, are used for https
    only: what goes to a host nearby must not pass one in clear text.
    """
    secure = url.startswith("https:")
    proxy = (os.getenv("PROXY") or None) if secure else None
    return {
        "proxy": proxy,
        "trust_env": secure,
        "timeout": TIMEOUT,
        "follow_redirects": False,
        "headers": {"accept": "application/json", "accept-encoding": "identity"},
    }


class TooMuch(Exception):
    """The answer is too large, or took too long."""


class Body:
    """An answer's body as it comes in, up to a size and a time.

    It is taken as it is sent: a small one may unpack to any size.
    """

    def __init__(self) -> None:
        self._chunks = bytearray()
        self._until = time.monotonic() + 2 * TIMEOUT

    def add(self, chunk: bytes) -> None:
        self._chunks += chunk
        if len(self._chunks) > MAX_BYTES or time.monotonic() > self._until:
            raise TooMuch

    def get(self) -> bytes:
        return bytes(self._chunks)


def send(method: str, url: str, json: object = None) -> tuple[int, bytes]:
    """Sends a request and gives status and body. Raises `OSError` if there is no such answer."""
    import httpx

    body = Body()
    try:
        with (
            httpx.Client(**client_options(url)) as client,
            client.stream(method, url, json=json) as response,
        ):
            for chunk in response.iter_raw():
                body.add(chunk)
            return response.status_code, body.get()
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TooMuch):
        raise OSError("no answer") from None


async def send_async(method: str, url: str, json: object = None) -> tuple[int, bytes]:
    """As `send`, without blocking the event loop."""
    import httpx

    body = Body()
    try:
        async with (
            httpx.AsyncClient(**client_options(url)) as client,
            client.stream(method, url, json=json) as response,
        ):
            async for chunk in response.aiter_raw():
                body.add(chunk)
            return response.status_code, body.get()
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TooMuch):
        raise OSError("no answer") from None
