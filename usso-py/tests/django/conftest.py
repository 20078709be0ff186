"""A Django project with a real database, and ways to call it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import django_site
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings

from usso.testing import Issuer

django_site.configure()


@pytest.fixture(scope="session", autouse=True)
def _database() -> Iterator[None]:
    call_command("migrate", verbosity=0)
    yield
    connections.close_all()


@pytest.fixture(autouse=True)
def _project(_database: None, issuer: Issuer) -> Iterator[None]:
    """Trusts `issuer`, and starts with empty tables."""
    with override_settings(USSO_JWT_CONFIG=issuer.config()):
        yield
    get_user_model().objects.all().delete()
    cache.clear()


@pytest.fixture
def client() -> Client:
    """Calls the project without a network, with Django's check against forged requests."""
    return Client(enforce_csrf_checks=True)
