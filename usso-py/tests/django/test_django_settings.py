"""Whose tokens a project accepts, and what it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

from usso.integrations import django as integration
from usso.integrations.django._settings import project_auth
from usso.testing import Issuer


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c], lambda c: c.model_dump()])
def test_the_configuration_is_an_object_a_list_or_a_dict(
    client: Client, issuer: Issuer, wrap: Any
) -> None:
    with override_settings(USSO_JWT_CONFIG=wrap(issuer.config())):
        assert client.get("/me", headers=issuer.authorization()).status_code == 200


def documented(issuer: Issuer, **more: Any) -> Any:
    given = {
        "JWKS_URL": issuer.jwks_url,
        "ISSUER": issuer.name,
        "AUDIENCE": issuer.audience,
        "VERIFY_EXP": True,
        "VERIFY_AUD": True,
    }
    return override_settings(USSO_JWT_CONFIG=None, USSO_CONFIG={**given, **more})


def test_the_documented_setting_works(client: Client) -> None:
    with Issuer().serve() as issuer, documented(issuer):
        assert client.get("/me", headers=issuer.authorization()).status_code == 200
        foreign = issuer.authorization(audience="https://other.example")
        assert client.get("/me", headers=foreign).status_code == 401


@pytest.mark.parametrize("wrong", [{"VERIFY_EXP": False}, {"AUDIENC": "x"}, {"ISSUER": 7}])
def test_a_setting_that_cannot_be_used_is_an_error_that_names_it(wrong: dict[str, Any]) -> None:
    with (
        documented(Issuer(), **wrong),
        pytest.raises(ImproperlyConfigured, match=next(iter(wrong)).lower()),
    ):
        project_auth()


def test_two_settings_for_one_thing_are_an_error(issuer: Issuer) -> None:
    with (
        override_settings(USSO_CONFIG={"ISSUER": issuer.name}),
        pytest.raises(ImproperlyConfigured, match="not both"),
    ):
        project_auth()


def test_without_a_setting_the_environment_says_it(
    client: Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_CONFIG", issuer.config().model_dump_json(exclude_none=True))
    with override_settings(USSO_JWT_CONFIG=None):
        assert client.get("/me", headers=issuer.authorization()).status_code == 200


def test_the_verifier_is_made_once(issuer: Issuer) -> None:
    assert project_auth() is project_auth()
    assert project_auth().jwt_configs == [issuer.config()]


@pytest.mark.parametrize("name", integration.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(integration, name).__module__.startswith("usso.integrations.django.")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        integration.nothing  # noqa: B018


def test_the_package_itself_imports_no_django() -> None:
    code = "import sys, usso.integrations.django; sys.exit('django.db' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_project_with_its_own_user_model_works() -> None:
    script = Path(__file__).parent / "custom_user" / "run.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "all is well"), done.stderr
