"""API keys, asked about one at a time. Nothing is kept: a key that was revoked is out at once."""

from __future__ import annotations

import math
import re
import time

from usso_jwt._http import checked_url, send, send_async
from usso_jwt.utils import json_object

from .exceptions import USSOException
from .user import UserData

_KEY = re.compile(r"(?=.{16,512}\Z)[A-Za-z0-9._~+/-]+=*\Z")
"""16 to 512 bytes of `token68` (RFC 9110 section 11.2)."""


def fetch_api_key_data(api_key_verify_url: str, api_key: str) -> UserData:
    """Asks whose API key this is, by a POST to exactly this address.

    Raises `USSOException`, 401 if the key is refused or is none, 503 if nobody can tell; and
    `ValueError` if the address is not https, nor http to this machine or a host of one label.
    """
    checked_url(api_key_verify_url)
    _check(api_key)
    try:
        status, body = send("POST", api_key_verify_url, {"api_key": api_key})
    except OSError:
        raise _unavailable() from None
    return _judged(status, body)


async def fetch_api_key_data_async(api_key_verify_url: str, api_key: str) -> UserData:
    """As `fetch_api_key_data`, without blocking the event loop."""
    checked_url(api_key_verify_url)
    _check(api_key)
    try:
        status, body = await send_async("POST", api_key_verify_url, {"api_key": api_key})
    except OSError:
        raise _unavailable() from None
    return _judged(status, body)


def _check(key: object) -> None:
    """Keeps what is no API key, such as the password of HTTP Basic, from being sent anywhere."""
    if not isinstance(key, str) or not _KEY.match(key):
        raise _refused("opaque.malformed", "the credential is malformed")


def _judged(status: int, body: bytes) -> UserData:
    answer = json_object(body)
    is_ussos = answer is not None and bool(answer.get("error_code"))
    if status in (401, 403, 404) or (status == 422 and is_ussos):
        raise _refused("opaque.inactive", "the credential is not active")
    if status != 200 or answer is None:
        raise _unavailable()
    claims = {name: value for name, value in answer.items() if value is not None}
    flags = [claims.pop(name, True) for name in ("active", "valid")]
    if any(flag is False for flag in flags):
        raise _refused("opaque.inactive", "the credential is not active")
    if not all(flag is True for flag in flags):
        raise _unavailable()
    subject, end = claims.get("sub"), claims.get("exp", math.inf)
    if not isinstance(subject, str) or not subject:
        raise _refused("opaque.subject", "the credential names no subject")
    if not isinstance(end, (int, float)):
        raise _unavailable()
    if end <= time.time():
        raise _refused("opaque.expired", "the credential has expired")
    try:
        return UserData.model_validate(claims)
    except ValueError:
        raise _unavailable() from None


def _refused(code: str, text: str) -> USSOException:
    return USSOException(401, code, detail=text, message=text)


def _unavailable() -> USSOException:
    text = "whether the API key is good cannot be told at present"
    return USSOException(503, "opaque.unavailable", detail=text, message=text)
