"""Whose tokens a project accepts, and what it imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
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


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Is a new project: no setting, and nothing in the environment."""
    for name in ("JWT_CONFIGS", "JWT_CONFIG", "USSO_BASE_URL", "USSO_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    with override_settings(USSO_JWT_CONFIG=None):
        yield


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


def test_without_any_setting_the_error_names_the_setting(nothing_set: None) -> None:
    with pytest.raises(ImproperlyConfigured, match="USSO_JWT_CONFIG"):
        project_auth()


def test_manage_py_check_says_that_nothing_is_set(nothing_set: None) -> None:
    with pytest.raises(SystemCheckError, match=r"usso\.E001.*USSO_JWT_CONFIG"):
        call_command("check")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"USSO_JWT_CONFIG": {"audienc": "x"}}, r"usso\.E001[^`]*`audienc`"),
        ({"USSO_CONFIG": {"ISSUER": "https://sso.example"}}, r"usso\.E001.*not both"),
        ({"USSO_LINK_USER": "nowhere.link"}, r"usso\.E002.*nowhere"),
        ({"USSO_LINK_USER": 7}, r"usso\.E002.*no function"),
    ],
)
def test_manage_py_check_says_what_cannot_be_used(wrong: Any, said: str) -> None:
    with override_settings(**wrong), pytest.raises(SystemCheckError, match=said):
        call_command("check")


def test_manage_py_check_finds_nothing_in_good_settings() -> None:
    with override_settings(USSO_LINK_USER="django_site.link_by_email"):
        call_command("check")


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
