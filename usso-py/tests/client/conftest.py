"""Fixtures: servers on loopback, and both clients behind one blocking face."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from client.loopback import Loopback, loopback

VARIABLES = (
    "USSO_BASE_URL",
    "USSO_API_KEY",
    "USSO_REFRESH_TOKEN",
    "AGENT_ID",
    "AGENT_PRIVATE_KEY",
    "SCOPE_CATALOG_ENABLED",
    "SCOPE_CATALOG_CLIENT_ID",
    "SCOPE_CATALOG_CLIENT_SECRET",
    "USSO_API_BASE_PATH",
    "USSO_OAUTH_TOKEN_PATH",
)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sso() -> Iterator[Loopback]:
    """The configured SSO."""
    with loopback() as server:
        yield server


@pytest.fixture
def stranger() -> Iterator[Loopback]:
    """A server of somebody else."""
    with loopback() as server:
        yield server


class Driven:
    """An async client whose methods block."""

    def __init__(self, portal: BlockingPortal, client: Any) -> None:
        self.portal, self.client = portal, client

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.client, name)
        if not inspect.iscoroutinefunction(value):
            return value
        return lambda *args, **kwargs: self.portal.call(partial(value, *args, **kwargs))

    def __repr__(self) -> str:
        return repr(self.client)


Make = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients of either kind; they are closed after the test."""
    from usso.client import AsyncUssoClient, UssoClient

    made: list[Any] = []
    with start_blocking_portal() as portal:

        def make_client(client: Any = None, **settings: Any) -> Any:
            if request.param == "sync":
                made.append(UssoClient(client=client, **settings))
            else:
                other = client.client if client is not None else None
                made.append(Driven(portal, AsyncUssoClient(client=other, **settings)))
            return made[-1]

        yield make_client
        for client in made:
            client.close() if request.param == "sync" else client.aclose()
