"""An app that trusts `issuer`, and requests to it over a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from flask import Flask
from wsgi import serve_wsgi

from usso.config import AuthConfig
from usso.integrations.flask import USSO

Serve = Callable[[Flask], httpx.Client]


@pytest.fixture
def app() -> Flask:
    return Flask("service")


@pytest.fixture
def usso(app: Flask, config: AuthConfig) -> USSO:
    return USSO(app, config)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server for an app; gives a client of it."""
    with ExitStack() as stack:

        def start(app: Flask) -> httpx.Client:
            port = stack.enter_context(serve_wsgi(app))
            return stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}"))

        yield start
