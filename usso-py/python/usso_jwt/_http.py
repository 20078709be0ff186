"""Addresses that may be asked, and answers of bounded size."""

from __future__ import annotations

import importlib
import ipaddress
import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from usso._transport import FORKING

_Client = TypeVar("_Client")

log = logging.getLogger("usso")

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
    only: what goes to a host nearby must not pass one in clear text. Raises `ValueError` for the
    address of one that is none.
    """
    secure = url.startswith("https:")
    proxy = (os.getenv("PROXY") or None) if secure else None
    if secure:
        check_proxies(proxy)
    return {
        "proxy": proxy,
        "trust_env": secure,
        "timeout": TIMEOUT,
        "follow_redirects": False,
        "headers": {"accept": "application/json", "accept-encoding": "identity"},
    }


def check_proxies(given: Any = None) -> None:
    """Raises `ValueError` if the address of this proxy, else of one in the environment, is none.

    The errors of httpx quote it, and so the password in it.
    """
    import httpx

    addresses = [given]
    if given is None:
        found = getproxies()
        if "*" in (name.strip() for name in found.get("no", "").split(",")):
            return
        named = [found[name] for name in ("http", "https", "all") if found.get(name)]
        addresses = [text if "://" in text else f"http://{text}" for text in named]
    is_sound = True
    for address in addresses:
        try:
            _ = address if isinstance(address, httpx.Proxy) else httpx.Proxy(address)
        except (httpx.InvalidURL, ValueError, TypeError):
            is_sound = False
    # Outside of the handler, so that nothing refers to the error.
    if not is_sound:
        raise ValueError("the address of a proxy is no http, https or socks5 URL; correct it")


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


def _made(kind: Callable[..., _Client], url: str) -> _Client:
    """Makes a client. Raises `OSError`, and says in the log why, if the proxy cannot be used."""
    try:
        return kind(**client_options(url))
    except (ValueError, ImportError) as error:
        log.warning("no request can be sent: %s", error)
        raise OSError("no answer") from None


def send(method: str, url: str, json: object = None) -> tuple[int, bytes]:
    """Sends a request and gives status and body. Raises `OSError` if there is no such answer."""
    with FORKING:
        import httpx

        # What looks addresses up imports it.
        importlib.import_module("encodings.idna")

        client = _made(httpx.Client, url)
    body = Body()
    try:
        with (
            client,
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

    client, body = _made(httpx.AsyncClient, url), Body()
    try:
        async with (
            client,
            client.stream(method, url, json=json) as response,
        ):
            async for chunk in response.aiter_raw():
                body.add(chunk)
            return response.status_code, body.get()
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TooMuch):
        raise OSError("no answer") from None
