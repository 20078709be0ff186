"""Drives the verifier: sends what it asks for, and waits for what others sent."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from usso import _native
from usso._native import Claims, Fetch, LookUp, Refusal, Request, Wait
from usso._transport import SECONDS, in_thread, send
from usso.config import APIHeaderConfig
from usso.exceptions import ConfigError, USSOException, of_refusal
from usso.user import UserData

log = logging.getLogger("usso")

Answer = Claims | Refusal | Fetch | Wait | LookUp | None


@dataclass
class _State:
    """What a process has of a verifier."""

    native: _native.Verifier
    waiting: dict[int, Future[None]]


class Verifier:
    """Verifies tokens, and fetches keys when that is needed. Safe in threads and across `fork`.

    The methods whose names start with `a` never block an event loop.
    """

    def __init__(self, settings: dict[str, Any], keys: APIHeaderConfig | None = None) -> None:
        """Raises `ConfigError` if the settings cannot be used."""
        self._settings = json.dumps(settings)
        self._accepted = [
            {name: issuer.get(name) for name in ("issuer", "audience")}
            for issuer in settings["issuers"]
        ]
        self._hinted = -HINT_SECONDS
        self._keys = keys
        self._start()
        _VERIFIERS.add(self)

    def _start(self) -> None:
        try:
            self._state = _State(_native.Verifier(self._settings), {})
        except ValueError as error:
            raise ConfigError(str(error)) from None

    @property
    def native(self) -> _native.Verifier:
        """The verifier in Rust, of this process."""
        return self._state.native

    def verify(self, token: str, **expected: Any) -> Claims:
        """Verifies a token; `expected` is `tenant`, `nonce` or `api_key`, as in `_native`.

        Raises `USSOException`: `TokenInvalid` and `TokenExpired` (401), or `VerifierUnavailable`
        (503) while nobody can tell.
        """
        state = self._state
        answer = state.native.verify(token, **expected)
        if type(answer) is Claims:
            return self._verified(state, answer)
        if self._settle(state, answer):
            answer = state.native.verify(token, fetched=True, **expected)
        return self._caller(answer)

    async def averify(self, token: str, **expected: Any) -> Claims:
        """Does as `verify`, without blocking."""
        state = self._state
        answer = state.native.verify(token, **expected)
        if type(answer) is Claims:
            return self._verified(state, answer)
        if await self._asettle(state, answer):
            answer = state.native.verify(token, fetched=True, **expected)
        return self._caller(answer)

    def authenticate(self, request: Request) -> Claims | None:
        """Verifies the credential of a request; `None` if there is none.

        Raises `USSOException`.
        """
        state = self._state
        answer = state.native.authenticate(request)
        if type(answer) is Claims:
            return self._verified(state, answer)
        if self._settle(state, answer):
            answer = state.native.authenticate(request, fetched=True)
        return None if answer is None else self._caller(answer)

    async def aauthenticate(self, request: Request) -> Claims | None:
        """Does as `authenticate`, without blocking."""
        state = self._state
        answer = state.native.authenticate(request)
        if type(answer) is Claims:
            return self._verified(state, answer)
        if await self._asettle(state, answer):
            answer = state.native.authenticate(request, fetched=True)
        return None if answer is None else self._caller(answer)

    def _verified(self, state: _State, claims: Claims) -> Claims:
        """Has keys that will soon be too old fetched, beside the requests."""
        if claims.fresh:
            for fetch in state.native.due():
                _started(state, fetch.number, lambda fetch=fetch: _send(state, fetch))
        return claims

    def _caller(self, answer: Answer) -> Claims:
        """Gives the caller. Raises `USSOException`."""
        if type(answer) is Claims:
            return answer
        # Wanted again what was just fetched: nobody can tell.
        refusal = answer if isinstance(answer, Refusal) else Refusal.unavailable()
        if refusal.code in HINTS and time.monotonic() - self._hinted > HINT_SECONDS:
            # Callers are not told what would be good; who runs the app must be able to see it.
            self._hinted = time.monotonic()
            log.warning("%s: accepted are %s", refusal.message, self._accepted)
        raise of_refusal(refusal)

    def _settle(self, state: _State, answer: Answer) -> bool:
        """Does what an answer asks for; says whether to ask again."""
        match answer:
            case Fetch():
                _send(state, answer)
            case LookUp():
                self._look_up(state, answer)
            case Wait():
                future = _awaited(state, answer.number)
                if future is not None:
                    try:
                        future.result(WAIT)
                    except FutureTimeout:
                        return True
            case _:
                return False
        return True

    async def _asettle(self, state: _State, answer: Answer) -> bool:
        match answer:
            case Fetch():
                await _begun(_started(state, answer.number, lambda: _send(state, answer)))
            case LookUp():
                # Who asked may give up; that says nothing about the key, and others wait.
                task = asyncio.ensure_future(self._alook_up(state, answer))
                _TASKS.add(task)
                task.add_done_callback(_TASKS.discard)
                await asyncio.shield(task)
            case Wait():
                future = _awaited(state, answer.number)
                if future is not None:
                    # Another waits for the same: giving up here must not take it from them.
                    shared = asyncio.shield(asyncio.wrap_future(future))
                    await asyncio.wait([asyncio.ensure_future(shared)], timeout=WAIT)
            case _:
                return False
        return True

    def _look_up(self, state: _State, question: LookUp) -> None:
        verifier = self._keys.api_key_verifier if self._keys else None
        known: UserData | None = None
        failed = True
        try:
            if verifier is None:
                log.error("an async `api_key_verifier` cannot be called here; set the other one")
            else:
                known, failed = verifier(question.key), False
        except Exception as error:
            failed = _is_failure(error)
        finally:
            _looked_up(state, question, known, failed)

    async def _alook_up(self, state: _State, question: LookUp) -> None:
        verifier = self._keys.api_key_verifier_async if self._keys else None
        if verifier is None:
            work = _started(state, question.number, lambda: self._look_up(state, question))
            await _begun(work)
            return
        known: UserData | None = None
        failed = True
        try:
            known, failed = await verifier(question.key), False
        except Exception as error:
            failed = _is_failure(error)
        finally:
            _looked_up(state, question, known, failed)


def _started(state: _State, number: int, work: Callable[[], None]) -> Future[None] | None:
    """Does something in a thread. If there is none to be had, nobody waits for it."""
    try:
        return in_thread(work)
    except RuntimeError:
        log.exception("no thread can be started")
        state.native.failed(number, "failed")
        state.native.looked_up(number, None, failed=True)
        _done(state, number)
        return None


async def _begun(work: Future[None] | None) -> None:
    if work is not None:
        await asyncio.wrap_future(work)


def _send(state: _State, fetch: Fetch) -> None:
    try:
        send(state.native, fetch)
    finally:
        _done(state, fetch.number)


def _awaited(state: _State, number: int) -> Future[None] | None:
    """Gives what to wait for; `None` if it is done.

    Who sends the request tells the verifier first and takes the future away then, so one that was
    put there before the verifier was asked is found.
    """
    future = state.waiting.setdefault(number, Future())
    if state.native.is_under_way(number):
        return future
    _done(state, number)
    return None


def _done(state: _State, number: int) -> None:
    future = state.waiting.pop(number, None)
    if future is not None and future.set_running_or_notify_cancel():
        future.set_result(None)


def _looked_up(state: _State, question: LookUp, known: UserData | None, failed: bool) -> None:
    claims: str | None = None
    if known is not None:
        try:
            fields = known.model_dump(mode="json", exclude={"claims"}, exclude_none=False)
            given = {**known.claims, **fields}
            # What the app took away must not come back.
            claims = json.dumps({name: value for name, value in given.items() if value is not None})
        except (AttributeError, TypeError, ValueError):
            log.exception("an `api_key_verifier` gave what is no `UserData`, or not for JSON")
            failed = True
    try:
        state.native.looked_up(question.number, claims, failed=failed)
    except ValueError:
        log.exception("the claims of an API key are no JSON that others read")
        state.native.looked_up(question.number, None, failed=True)
    finally:
        _done(state, question.number)


def _is_failure(error: Exception) -> bool:
    """Says whether the app failed to look a key up, rather than refused it or found none."""
    if isinstance(error, USSOException) and error.status_code in (401, 403, 404):
        return False
    if isinstance(error, LookupError):
        return False
    # Its text may hold the key.
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("looking up an API key failed: %s in %s:%s", type(error).__name__, where[0], where[1])
    return True


WAIT = 4 * SECONDS

HINTS = ("token.audience", "token.unknown_issuer")
HINT_SECONDS = 60.0
"""How often at most the log says what would have been accepted: tokens are anyone's to send."""

_TASKS: set[asyncio.Future[None]] = set()
"""Lookups that go on when who asked gave up."""

_VERIFIERS: weakref.WeakSet[Verifier] = weakref.WeakSet()


def _after_fork() -> None:
    """Starts anew in a forked process: threads of the parent held locks and sent requests."""
    for verifier in list(_VERIFIERS):
        verifier._start()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
