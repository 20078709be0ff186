"""The tokens of a client, and what becomes of them in a forked process."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usso.utils import wire

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

AHEAD_SECONDS = 30.0


class Session:
    """The tokens of a client and of its copies, and the one refresh that is under way."""

    __slots__ = (
        "__weakref__",
        "access",
        "due",
        "flight",
        "is_agent",
        "is_sending",
        "lock",
        "once",
        "over",
        "refresh",
        "task",
    )

    def __init__(self, refresh: str | None) -> None:
        self.access: str | None = None
        self.refresh = refresh
        self.due: float | None = None
        self.is_agent = False
        self.over = False
        self.is_sending = False
        self.once = False
        self.lock = threading.Lock()
        self.flight: concurrent.futures.Future[dict[str, Any]] | None = None
        self.task: asyncio.Task[dict[str, Any]] | None = None
        _SESSIONS.add(self)

    @contextmanager
    def sending(self) -> Generator[None, None, None]:
        """Notes that the refresh token is on its way.

        A process that was forked while its parent sent the same one sends it once, and has no
        session unless that gives tokens: sent again later it would look like theft, which ends the
        session of the parent too.
        """
        if self.once:
            wire.logger.warning(
                "this process was forked during a refresh: the refresh token that its parent sent "
                "is sent once more"
            )
        self.is_sending = True
        try:
            yield
        except BaseException:
            if self.once:
                self.drop()
            raise
        finally:
            self.is_sending = self.once = False

    def after_fork(self) -> None:
        """Starts anew in a forked process, which has none of its parent's threads and loops."""
        self.lock = threading.Lock()
        self.flight = self.task = None
        self.once = self.once or self.is_sending
        self.is_sending = False

    def store_refresh(self, tokens: wire.Tokens) -> None:
        """Puts the new refresh token in place, first of all: the one before it is spent."""
        self.refresh = tokens.refresh or self.refresh

    def store_access(self, tokens: wire.Tokens, *, is_agent: bool = False) -> None:
        """Puts the access token in place; requests carry it from now on."""
        lifetime = tokens.lifetime
        ahead = min(AHEAD_SECONDS, (lifetime or 0) / 2)
        self.due = None if lifetime is None else time.monotonic() + lifetime - ahead
        self.is_agent = is_agent
        self.access = tokens.access
        self.over = False

    def drop(self) -> None:
        """Forgets the tokens: the SSO refused them."""
        self.access = self.refresh = self.due = None
        self.over = True

    def is_fresh(self) -> bool:
        """Says whether there is an access token that is not about to expire."""
        return self.access is not None and (self.due is None or time.monotonic() < self.due)


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_SESSIONS):
        session.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
