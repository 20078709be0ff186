"""Fixtures of the tests of the published names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from compat.compat_server import Server, running

from usso import _native

ISSUER = "https://sso.example"


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def issuer() -> _native.TestIssuer:
    return _native.TestIssuer(ISSUER)


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JWT_CONFIG", "JWT_CONFIGS", "USSO_BASE_URL", "USSO_AUDIENCE", "PROXY"):
        monkeypatch.delenv(name, raising=False)
