"""Single keys out of a published set, for programs that ask for one themselves.

The verifier does not use this: it has its own store of keys.
"""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any, cast

from ._http import checked_url, send
from .exceptions import JWKNotFoundError
from .keys import public_jwk
from .utils import json_object

_KEPT = 300.0
_COOLDOWN = 30.0
_MAX_SETS = 64


@dataclass
class _Set:
    """The keys of an address, and when it was last asked and last answered."""

    asked: float = -math.inf
    answered: float = -math.inf
    keys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lock: threading.Lock = field(default_factory=threading.Lock)


_sets: dict[str, _Set] = {}
_lock = threading.Lock()


def fetch_jwk(*, jwks_url: str, kid: str) -> dict[str, Any]:
    """Gives the public key of this `kid`.

    A set is kept for 300 seconds and asked for at most every 30, whatever `kid`s are wanted: those
    of tokens are chosen by whoever sends them.

    Raises `JWKNotFoundError`, `ValueError` for an address that is neither https nor of this
    machine, and `USSOException` with status 503 if the set cannot be had.
    """
    checked_url(jwks_url)
    for jwk in _keys(jwks_url, kid):
        if jwk.get("kid") == kid:
            try:
                return public_jwk(jwk)
            except ValueError:
                continue
    raise JWKNotFoundError


def _keys(url: str, kid: str) -> list[dict[str, Any]]:
    with _lock:
        if len(_sets) >= _MAX_SETS and url not in _sets:
            _sets.clear()
        known = _sets.setdefault(url, _Set())
    # One request at a time: whoever waits finds the keys there.
    with known.lock:
        now = time.monotonic()
        is_fresh = now < known.answered + _KEPT
        if is_fresh and any(jwk.get("kid") == kid for jwk in known.keys):
            return known.keys
        if now >= known.asked + _COOLDOWN:
            known.asked = now
            known.keys = _fetched(url)
            known.answered = now
        elif not is_fresh:
            raise _unavailable()
        return known.keys


def _fetched(url: str) -> list[dict[str, Any]]:
    try:
        status, body = send("GET", url)
    except OSError:
        raise _unavailable() from None
    answer = json_object(body) if status == 200 else None
    keys = answer.get("keys") if answer else None
    if not isinstance(keys, list):
        raise _unavailable()
    entries = cast("list[object]", keys)
    return [cast("dict[str, Any]", jwk) for jwk in entries if isinstance(jwk, dict)]


def _after_fork() -> None:
    """Starts anew in a forked process: threads of the parent held locks and sent requests."""
    global _lock
    _lock = threading.Lock()
    for url, known in list(_sets.items()):
        known.lock = threading.Lock()
        if known.answered < known.asked:
            del _sets[url]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _unavailable() -> Exception:
    from usso.exceptions import USSOException

    text = "the issuer's keys cannot be had at present"
    return USSOException(503, "token.keys_unavailable", detail=text, message=text)
