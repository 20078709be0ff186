"""Fixtures for pytest: `usso_issuer` and `usso_server`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from usso.testing import Issuer


@pytest.fixture
def usso_issuer() -> Issuer:
    """An issuer in memory, of this test alone: `https://sso.example`, for `https://api.example`."""
    from usso.testing import Issuer

    return Issuer()


@pytest.fixture
def usso_server() -> Iterator[Issuer]:
    """An issuer of this test alone whose keys are served by a real server on 127.0.0.1."""
    from usso.testing import Issuer

    with Issuer().serve() as issuer:
        yield issuer
