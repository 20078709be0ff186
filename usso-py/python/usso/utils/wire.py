"""What goes to the SSO and what comes back: addresses, answers, errors."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from usso.exceptions import USSOException

API = "/api/sso/v1"
DEFAULT_BASE_URL = "https://sso.usso.io"
TOTAL_SECONDS = 30.0
ANSWER_BYTES_MAX = 1024 * 1024

logger = logging.getLogger("usso")

_HOST = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)
_LABEL = re.compile(r"[a-z]([a-z0-9_-]*[a-z0-9])?", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}", re.ASCII)
_PORTS = {"http": 80, "https": 443}


def default_timeout() -> httpx.Timeout:
    """Gives 5 s to connect, 15 s for each read and write."""
    import httpx

    return httpx.Timeout(15.0, connect=5.0, pool=5.0)


def client_arguments(
    base: str, timeout: float | None = None, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Gives the arguments of an httpx client for a base URL: those given, over ours.

    The proxies of the environment are used for https only: http passes them in clear text. Raises
    `ValueError` for the address of a proxy that is none.
    """
    from usso_jwt._http import check_proxies

    own: dict[str, Any] = {
        "timeout": timeout or default_timeout(),
        "trust_env": base.startswith("https:"),
        **(given or {}),
    }
    proxy = own.get("proxy")
    if proxy is not None or (own["trust_env"] and own.get("transport") is None):
        check_proxies(proxy)
    if proxy is None:
        own["mounts"] = {"http://": None, **(own.get("mounts") or {})}
    return own


def base_url(given: str | None = None, *, danger_allow_http: bool = False) -> str:
    """Gives the base URL of the SSO: the one given, else `USSO_BASE_URL`, else the public one.

    Raises `ValueError` unless it is https, or http to loopback or a host name without a dot.
    """
    import httpx

    text = (given or os.getenv("USSO_BASE_URL") or DEFAULT_BASE_URL).strip().rstrip("/")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError("the base URL is not a URL") from None
    if url.scheme not in _PORTS or not _HOST.fullmatch(url.raw_host.decode("ascii", "replace")):
        raise ValueError("the base URL must begin with https:// and name a host")
    if url.userinfo or "?" in text or "#" in text:
        raise ValueError("the base URL must have no user name, query or fragment")
    if url.scheme == "http" and not _is_near(url.host):
        if not danger_allow_http:
            raise ValueError(
                "the base URL must be https://: over http:// anyone on the way reads the tokens; "
                "danger_allow_http=True allows it"
            )
        logger.warning("danger_allow_http: tokens are sent unencrypted to %s", url.host)
    return text


def _is_near(host: str) -> bool:
    """Says whether a host is this machine or, by its single label, on a private network."""
    # A label that begins with a digit can be an address: 134744072 is 8.8.8.8.
    if _LABEL.fullmatch(host.lower()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Gives scheme, host and port (RFC 6454 section 4)."""
    return url.scheme, url.host.lower(), url.port or _PORTS.get(url.scheme)


def join(base: str, path: str) -> str:
    """Puts a path behind a base URL. Raises `ValueError` if it could change the host."""
    if not path.startswith("/"):
        raise ValueError("a path must begin with /")
    return base + path


def credential(text: str, name: str) -> str:
    """Gives a key or token without white space around it. Raises `ValueError` if it is none.

    A client would quote it in the error about a header that cannot be sent.
    """
    text = text.strip()
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{name} is empty, too long or has characters that no header can carry")
    return text


def segment(text: str) -> str:
    """Percent-encodes one segment of a path. Raises `ValueError` if it means another path."""
    if not text or text in {".", ".."}:
        raise ValueError("an id must not be empty, . or ..")
    return quote(text, safe="")


@dataclass(frozen=True, repr=False)
class Tokens:
    """What a token endpoint gave."""

    access: str
    refresh: str | None
    lifetime: float | None
    """In seconds, if it is known."""


def read_tokens(answer: Mapping[str, Any]) -> Tokens:
    """Reads `{"access_token"}`, `{"tokens": {"access"}}` or `{"token": {"access_token"}}`.

    Raises `USSOException` (502) if there is no access token.
    """
    pair = _fields(answer.get("tokens"))
    outer = {name: value for name, value in answer.items() if value is not None}
    all_in_one = {**_fields(answer.get("token")), **outer}
    access = pair.get("access") or all_in_one.get("access_token")
    refresh = pair.get("refresh") or all_in_one.get("refresh_token")
    seconds = pair.get("expires_in") or all_in_one.get("expires_in")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise bad_answer("it has no access token")
    if refresh is None:
        return Tokens(access, None, _lifetime(access, seconds))
    if not isinstance(refresh, str) or not _TOKEN.fullmatch(refresh):
        raise bad_answer("its refresh token is not one")
    return Tokens(access, refresh, _lifetime(access, seconds))


def _fields(value: object) -> dict[str, Any]:
    """Gives a JSON object, or an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _lifetime(access: str, seconds: object) -> float | None:
    """Gives the seconds that a token lives: as stated, else by its `exp`.

    `None` if neither says so, or if the clocks differ so far that it seems over already.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        expires = unverified_claims(access).get("exp")
        if isinstance(expires, bool) or not isinstance(expires, (int, float)):
            return None
        seconds = expires - time.time()
    return float(seconds) if 0 < seconds < 1e9 else None


def unverified_claims(token: str) -> dict[str, Any]:
    """Gives the claims of a token that came from the SSO itself; none if it is opaque."""
    from usso import _native

    try:
        return _native.decode_unverified(token)[1]
    except ValueError:
        return {}


def scopes_of(claims: Mapping[str, Any]) -> list[str]:
    """Gives the strings in `scopes`."""
    scopes = claims.get("scopes")
    if not isinstance(scopes, (list, tuple)):
        return []
    return [scope for scope in cast("Sequence[object]", scopes) if isinstance(scope, str)]


def read_object(body: bytes) -> dict[str, Any]:
    """Reads the JSON object in an answer. Raises `USSOException` (502) if there is none."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise bad_answer("it is not a JSON object")
    return _fields(cast("object", value))


def read_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def refusal(status: int, body: object) -> USSOException:
    """Makes the error of a refused request, from `{"error_code", "message", "detail"}`."""
    from usso.exceptions import USSOException

    if status < 400:
        return bad_answer(f"its status is {status}")
    fields = _fields(body)
    code = fields.get("error_code") or fields.get("error")
    text = fields.get("message")
    texts = {"en": text} if isinstance(text, str) else _fields(text)
    message = {str(key): text for key, text in texts.items() if isinstance(text, str)}
    detail = fields.get("detail") or fields.get("error_description")
    return USSOException(
        status_code=status,
        error_code=code if isinstance(code, str) else "sso.refused",
        detail=detail if isinstance(detail, str) else None,
        message=message or {"en": f"The SSO answered with status {status}."},
    )


def bad_answer(why: str) -> USSOException:
    """Makes the error (502) of an answer that cannot be used."""
    from usso.exceptions import USSOException

    message = "The SSO's answer cannot be read."
    return USSOException(502, "sso.bad_answer", detail=why, message=message)


class Collector:
    """Collects the body of an answer, up to 1 MiB and for 30 s."""

    def __init__(self, response: httpx.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise bad_answer("it is compressed")
        self._response = response
        self._deadline = time.monotonic() + TOTAL_SECONDS
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises `USSOException` (502) or `httpx.ReadTimeout`."""
        self._body += chunk
        if len(self._body) > ANSWER_BYTES_MAX:
            raise bad_answer("it is longer than 1 MiB")
        if time.monotonic() > self._deadline:
            raise too_slow(self._response.request)

    def done(self) -> bytes:
        """Gives the body. Raises `USSOException` with status and code of a refusal."""
        status = self._response.status_code
        if not 200 <= status < 300:
            raise refusal(status, read_json(bytes(self._body)))
        return bytes(self._body)


def too_slow(request: httpx.Request) -> httpx.ReadTimeout:
    """Makes the error of an answer that is not complete after 30 s."""
    import httpx

    return httpx.ReadTimeout("the answer took longer than 30 s", request=request)


def send(client: httpx.Client, request: httpx.Request) -> bytes:
    """Sends a request and gives the body that answers it. Follows no redirect.

    Raises `USSOException` for a refusal, `httpx.TransportError` if there is no answer.
    """
    import httpx

    # Uncompressed, so that the limit holds: a few KiB can inflate to gigabytes.
    request.headers["Accept-Encoding"] = "identity"
    response = httpx.Client.send(client, request, stream=True, auth=None, follow_redirects=False)
    try:
        collector = Collector(response)
        for chunk in response.iter_raw():
            collector.add(chunk)
    finally:
        response.close()
    return collector.done()


async def send_async(client: httpx.AsyncClient, request: httpx.Request) -> bytes:
    """Does what `send` does."""
    import anyio
    import httpx

    request.headers["Accept-Encoding"] = "identity"
    send = httpx.AsyncClient.send
    try:
        with anyio.fail_after(TOTAL_SECONDS):
            response = await send(client, request, stream=True, auth=None, follow_redirects=False)
            try:
                collector = Collector(response)
                async for chunk in response.aiter_raw():
                    collector.add(chunk)
            finally:
                await response.aclose()
    except TimeoutError:
        raise too_slow(request) from None
    return collector.done()


def ask(client: httpx.Client, request: httpx.Request) -> dict[str, Any]:
    """Sends a request and reads the JSON object that answers it, as `send` does."""
    return read_object(send(client, request))


async def ask_async(client: httpx.AsyncClient, request: httpx.Request) -> dict[str, Any]:
    """Does what `ask` does."""
    return read_object(await send_async(client, request))
