"""Fixtures that all tests share.

The plugin's are imported by name, so that they are there without an installed entry point too.
"""

from __future__ import annotations

import pytest
from conftest_server import server as server

from usso.config import AuthConfig
from usso.testing import Issuer
from usso.testing.plugin import usso_issuer as usso_issuer
from usso.testing.plugin import usso_server as usso_server


@pytest.fixture
def issuer(usso_issuer: Issuer) -> Issuer:
    """An issuer in memory."""
    return usso_issuer


@pytest.fixture
def config(issuer: Issuer) -> AuthConfig:
    """The configuration of an app that trusts `issuer`, with its keys at hand."""
    return issuer.config()
